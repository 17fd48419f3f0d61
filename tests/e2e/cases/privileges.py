# SPDX-License-Identifier: Apache-2.0
"""What weft's processes may do, as the kernel tells it."""

import os
import re
import subprocess
import time

import apps
import common
import traffic
import weft as weft_module
from case import Skip, case

# Of CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF,
# CAP_CHECKPOINT_RESTORE the watcher keeps some; nothing else (capability(7), their numbers).
WATCHER_MAY = {2, 12, 19, 21, 38, 39, 40}
# CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP: taken up only to end a pipeline and to start
# another one under its own account.
WATCHER_RAISES = {5, 6, 7, 8}
NETWORKS = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "udplite", "icmp")


def _status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as handle:
        return dict(line.rstrip("\n").split(":\t", 1) for line in handle if ":\t" in line)


def _bits(text):
    value = int(text, 16)
    return {bit for bit in range(64) if value >> bit & 1}


def _network_sockets(pid):
    """The process' sockets that belong to a network protocol: (protocol, inode)."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        inodes.update(re.findall(r"socket:\[(\d+)\]", target))
    found = []
    for protocol in NETWORKS:
        try:
            with open(f"/proc/{pid}/net/{protocol}", encoding="ascii") as table:
                found += [(protocol, word) for line in table for word in line.split()
                          if word in inodes]
        except FileNotFoundError:
            continue
    return found


@case()
def pipeline_has_no_rights(t):
    weft = t.weft("--port", t.port())
    pid = weft.pipeline()
    if not t.expect_true("there is a pipeline process", pid):
        return
    status = _status(pid)
    for field, expected in (("CapEff", set()), ("CapPrm", set()), ("CapInh", set()),
                            ("CapAmb", set())):
        t.expect(field, expected, _bits(status[field]))
    t.expect("NoNewPrivs", "1", status["NoNewPrivs"])
    t.expect("Seccomp", "2", status["Seccomp"])
    uids, gids = status["Uid"].split(), status["Gid"].split()
    t.expect("no uid is root's", True, "0" not in uids and len(set(uids)) == 1)
    t.expect("no gid is root's", True, "0" not in gids and len(set(gids)) == 1)
    t.expect("no supplementary group is root's", False, "0" in status["Groups"].split())
    t.stop(weft)


@case()
def watcher_has_a_short_list(t):
    weft = t.weft("--port", t.port(), exports=["http://127.0.0.1:9"])
    status = _status(weft.pid)
    t.expect("capabilities beyond the list", set(), _bits(status["CapEff"]) - WATCHER_MAY)
    t.expect("capabilities that it could take", set(),
             _bits(status["CapPrm"]) - WATCHER_MAY - WATCHER_RAISES)
    t.expect_true("it keeps CAP_BPF (39) or CAP_SYS_ADMIN (21)",
                  _bits(status["CapEff"]) & {21, 39})
    t.expect("NoNewPrivs", "1", status["NoNewPrivs"])
    t.expect("network sockets", [], _network_sockets(weft.pid))
    t.expect("exit status", 0, weft.stop())


@case()
def guard_has_one_right(t):
    weft = t.weft("--port", t.port())
    pid = weft.guard()
    if not pid:
        raise Skip("this kernel needs no guard: FIONREAD is right for sockets that are looked at")
    status = _status(pid)
    t.expect("CapEff: CAP_BPF", {39}, _bits(status["CapEff"]))
    t.expect("CapPrm: CAP_BPF", {39}, _bits(status["CapPrm"]))
    t.expect("NoNewPrivs", "1", status["NoNewPrivs"])
    t.expect("Seccomp", "2", status["Seccomp"])
    t.expect("network sockets", [], _network_sockets(pid))
    t.stop(weft)
    t.expect_true("it ends with weft", weft_module.until(lambda: not weft_module.alive(pid), 2))


def _try(t, pid, call):
    """What the kernel made of the call in that process."""
    program = apps.c_program("inject")
    done = subprocess.run([program, str(pid), call], capture_output=True, text=True, timeout=10)
    if "not permitted" in done.stderr:
        raise Skip(f"ptrace is not allowed here: {done.stderr.strip()}")
    return done.stdout.strip() or done.stderr.strip()


@case()
def pipeline_forbidden_calls(t):
    """Calls that only a taken-over pipeline would make are refused, or end it."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    t.expect("getpid in this process, to prove the tool", f"getpid = {os.getpid()}",
             _proof(t))
    for call in ("execve", "bpf", "ptrace"):
        pid = weft.pipeline()
        got = _try(t, pid, call)
        refused = got in (f"{call} = -1", f"{call} = -13", f"{call} = -38") or "killed" in got
        t.expect_true(f"{call} is refused: {got}", refused)
        if "killed" in got:
            _wait_for_another(t, weft, pid)
    traffic.keep_alive(app.address, ["/plain/0/1"])
    common.exchanges(t, t.stop(weft), [1], app.port)


def _proof(t):
    """The tool works on a process without a filter: a child of this one answers as itself."""
    child = t.spawn(["sleep", "30"])
    got = _try(t, child.pid, "getpid")
    return got.replace(str(child.pid), str(os.getpid()))


def _wait_for_another(t, weft, pid):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = weft.pipeline()
        if found and found != pid:
            time.sleep(0.3)
            return
        time.sleep(0.02)
    t.fail("no new pipeline within 5 s")


def _marks(pid):
    """Who traces the process, and what executable memory it has."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as handle:
        code = sorted({line.split(maxsplit=5)[-1].strip() for line in handle
                       if "x" in line.split()[1]})
    return _status(pid)["TracerPid"], code


@case()
def application_is_not_touched(t):
    """weft leaves no mark in a traced process: no tracer, no memory of its own."""
    app = apps.raw(t)
    traffic.keep_alive(app.address, ["/plain/0/0"])
    before = _marks(app.process.pid)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, ["/plain/0/1"])
    t.expect("tracer and executable memory", before, _marks(app.process.pid))
    weft.kill()
    traffic.keep_alive(app.address, ["/plain/0/2"])
