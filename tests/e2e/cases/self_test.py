# SPDX-License-Identifier: Apache-2.0
"""
weft's test of itself at the start: what it finds on this kernel, on machines that lack something, and
on one where others own sockets. What comes of it is seen by a server that takes down what it is sent.
"""

import json
import os
import subprocess

import apps
import arrivals
import netns
import propagation
import weft as weft_module
from case import Skip, case

REQUESTS = 4
GIVEN = {"full": [1] * REQUESTS, "early_leave": [1] + [0] * (REQUESTS - 1), "off": [0] * REQUESTS}
CPU_MS = 50


def _doctor(*words, prefix=(), env=None):
    """What weft doctor tells of propagation."""
    done = subprocess.run([*prefix, weft_module.BINARY, "doctor", "--json", *words], text=True,
                          capture_output=True, timeout=30, env={**os.environ, **(env or {})})
    return json.loads(done.stdout)["propagation"]


def _check(told, mode, name):
    """The outcome of a check, and its reason."""
    found = [c for c in told["checks"] if (c["mode"], c["check"]) == (mode, name)]
    return (found[0]["outcome"], found[0]["reason"]) if found else None


def _headers_match(t, weft, mode):
    """A client of this namespace sends what the mode says, and every request makes its spans."""
    t.expect(f"headers in requests of one connection ({mode})", GIVEN[mode],
             arrivals.traceparents(arrivals.heads(REQUESTS)))
    t.expect("spans", 2 * REQUESTS, len(t.stop(weft)))


def _preload(fault):
    """Environment of a machine that differs in one thing: tests/apps/faults.c."""
    return {"LD_PRELOAD": apps.c_program("faults", "-shared", "-fPIC", "-ldl"), "WEFT_FAULT": fault}


@case()
def selftest_agrees_with_another_program(t):
    """FIONREAD of a socket in a sockhash, as a program without weft's code sees it."""
    done = subprocess.run([apps.c_program("sockhash", "-lbpf"), "own"], capture_output=True,
                          text=True, timeout=10)
    if done.returncode != 0:
        raise Skip(done.stderr.strip())
    right = done.stdout.strip() == "unread 200"
    told = _doctor(prefix=netns.outside(t.runner_pid))
    t.note(f"{told['mode']}, {told['ms']} ms, {told['cpu_ms']} ms of them on a CPU")
    t.expect(f"mode ({done.stdout.strip()})", "full" if right else "early_leave", told["mode"])
    outcome, reason = _check(told, "full", "FIONREAD")
    t.expect(f"the check of FIONREAD ({reason})", "ok" if right else "wrong", outcome)
    t.expect("what is wrong in the mode that was chosen", [],
             [c for c in told["checks"] if c["mode"] == told["mode"] and c["outcome"] != "ok"])
    t.expect("TCP option", True, told["tcp_option"])
    t.expect("reason", right, told["reason"] is None)


@case()
def selftest_leaves_nothing_behind(t):
    """No counter, no span, no descriptor; and it is quick."""
    weft = t.weft()
    told = weft.ps()
    t.expect("counters of the kernel side", [],
             [item for item in told["counters"]["kernel"].items() if item[1]])
    t.expect("captured", 0, told["counters"]["captured"])
    open_files = [os.readlink(f"/proc/{weft.pid}/fd/{fd}")
                  for fd in os.listdir(f"/proc/{weft.pid}/fd")]
    t.expect("files of the test", [], [path for path in open_files if "self-test" in path])
    t.expect_range("ms of CPU", 0, CPU_MS, told["propagation"]["cpu_ms"])
    t.note(f"{told['propagation']['ms']} ms")
    _headers_match(t, weft, told["propagation"]["mode"])


@case()
def selftest_takes_the_best_mode(t):
    """If FIONREAD were right, every request would get its header."""
    weft = t.weft(env=_preload("fionread"))
    t.expect("mode", "full", weft.ps()["propagation"]["mode"])
    _headers_match(t, weft, "full")


@case()
def selftest_beside_a_running_weft(t):
    """weft doctor comes to the same result while its namespace is traced."""
    alone = _doctor()
    weft = t.weft()
    for words in ((), ("--tcp-option", "off")):
        told = _doctor(*words)
        t.expect(f"mode {words}", alone["mode"], told["mode"])
        t.expect(f"TCP option {words}", not words, told["tcp_option"])
    t.expect("spans of it", 0, len(t.stop(weft)))


@case()
def selftest_not_asked_for(t):
    """--inject off: no header is tried, and nothing is complained of."""
    weft = t.weft("--inject", "off", "--tcp-option", "off")
    told = weft.ps()["propagation"]
    t.expect("mode, option, checks", ("off", False, []),
             (told["mode"], told["tcp_option"], told["checks"]))
    t.expect("warnings", False, "warning" in weft.log)
    _headers_match(t, weft, "off")
    told = _doctor("--inject", "off")
    t.expect("mode and option with the option alone", ("off", True),
             (told["mode"], told["tcp_option"]))
    t.expect("checks then", ["TCP option"], [c["check"] for c in told["checks"]])
    told = _doctor("--propagators", "jaeger,xray")
    t.expect("mode without a propagator that is written", "off", told["mode"])


@case()
def selftest_of_other_propagators(t):
    """The headers that are looked for are those that are asked for."""
    for names in ("b3", "b3multi", "b3,tracecontext,b3multi"):
        told = _doctor("--propagators", names)
        t.expect(f"mode ({told['reason']})", _doctor()["mode"], told["mode"])


def _refused(t, weft, *mentions):
    """Off, with the reason in weft ps and in the log; requests leave as they were made."""
    told = weft.ps()["propagation"]
    t.expect("mode", "off", told["mode"])
    for word in mentions:
        t.expect_true(f"the reason mentions {word}: {told['reason']}", word in str(told["reason"]))
    t.expect_true(f"the log has the reason: {weft.log}",
                  f"requests are given no trace context: {told['reason']}" in weft.log)
    _headers_match(t, weft, "off")
    return told


@case()
def selftest_without_cgroup2(t):
    """The program on sockets has nothing to be attached to."""
    hide = "for m in $(awk '$3 == \"cgroup2\" { print $2 }' /proc/mounts); do umount -l $m; done; exec \"$@\""
    weft = t.weft(prefix=["unshare", "--mount", "sh", "-c", hide, "sh",
                          *netns.outside(t.runner_pid)])
    told = _refused(t, weft, "cgroup v2")
    t.expect("TCP option", False, told["tcp_option"])


@case()
def selftest_without_sk_msg(t):
    """The program on messages is refused: the option remains."""
    binary = os.path.join(weft_module.BUILD, "vm", "weft-hooks-off")
    if not os.access(binary, os.X_OK):
        raise Skip("build/vm/weft-hooks-off is not there: make test-programs")
    told = _doctor(env={"HOOKS_OFF": "5:0"})
    t.expect_true("the variable means nothing to weft itself", told["mode"] != "off")
    weft_module.BINARY = binary
    weft = t.weft(env={"HOOKS_OFF": "5:0"})
    told = _refused(t, weft, "turned off")
    t.expect("TCP option", True, told["tcp_option"])


@case()
def selftest_without_sockets(t):
    """It cannot be made: nothing is done to anybody."""
    weft = t.weft(env=_preload("sockets"))
    told = _refused(t, weft, "Too many open files")
    t.expect("TCP option", False, told["tcp_option"])
    t.expect("outcomes", {"broken"}, {c["outcome"] for c in told["checks"]})


@case()
def selftest_without_option(t):
    """The option does not come: the programs are loaded again without it, headers are written."""
    weft = t.weft(env=_preload("option"))
    told = weft.ps()["propagation"]
    t.expect("TCP option", False, told["tcp_option"])
    t.expect_true(f"reason: {told['option_reason']}", "no option came" in told["option_reason"])
    t.expect("checks of the option", [], [c for c in told["checks"] if c["check"] == "TCP option"])
    t.expect("mode", _doctor()["mode"], told["mode"])
    _headers_match(t, weft, told["mode"])


def _cgroup2():
    with open("/proc/mounts", encoding="utf-8") as mounts:
        found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if not found:
        raise Skip("no cgroup v2 hierarchy is mounted")
    return found[0]


@case()
def selftest_where_others_own_sockets(t):
    """Sockets are in another program's sockhash: they are left alone."""
    place = os.path.join(_cgroup2(), f"weft-e2e-{os.getpid()}")
    os.mkdir(place)
    try:
        other = t.spawn([apps.c_program("sockhash", "-lbpf"), "cgroup", place], log="other.log",
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if other.stdout.readline() != b"ready\n":
            raise Skip(f"sockhash: {open(t.path('other.log'), encoding='utf-8').read().strip()}")
        enter = f"echo $$ >{place}/cgroup.procs && exec \"$@\""
        weft = t.weft(prefix=["sh", "-c", enter, "sh", *netns.outside(t.runner_pid)])
        told = _refused(t, weft, "could not be enrolled", "another program")
        t.expect("TCP option", True, told["tcp_option"])
        other.stdin.close()
        other.wait(5)
    finally:
        weft_module.until(lambda: _removed(place), 5)


def _removed(place):
    try:
        os.rmdir(place)
    except OSError:
        return False
    return True


assert set(propagation.TOLD) == set(GIVEN)
