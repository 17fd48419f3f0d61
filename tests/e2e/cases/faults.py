# SPDX-License-Identifier: Apache-2.0
"""weft dies, its parts die, its buffers are full, the host lacks something: nothing else breaks."""

import os
import signal
import subprocess
import time

import apps
import common
import netns
import traffic
import weft as weft_module
from case import case
from faults_common import Load
from weft import alive, bpf_objects, bpf_objects_left, find_key, until


@case()
def pipeline_killed(t):
    """It is restarted and counted; requests go on, and are traced again."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    old, load = weft.pipeline(), Load(app)
    time.sleep(0.3)
    os.kill(old, signal.SIGKILL)
    another = until(lambda: weft.pipeline() not in (None, old), 5)
    load.done(t)
    t.expect_true("another pipeline runs within 5 s", another)
    time.sleep(0.5)
    traffic.keep_alive(app.address, [f"/again/{n}" for n in range(20)])
    restarts = find_key(weft.ps(), "pipeline_restarts")
    t.expect("restarts that weft ps --json tells", 1, restarts)
    t.expect_true(f"the log tells it: {weft.log[-300:]!r}", "pipeline" in weft.log)
    spans = t.stop(weft, crashed=True).under("/again/")
    common.exchanges(t, spans, range(20), app.port)


@case(timeout=90)
def pipeline_killed_again_and_again(t):
    """It comes back a few times; then weft says that it gives up and ends with an error."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    load, kills = Load(app), 0
    while weft.process.poll() is None and kills < 20:
        pid = weft.pipeline()
        if pid:
            os.kill(pid, signal.SIGKILL)
            kills += 1
        until(lambda pid=pid: weft.process.poll() is not None
              or weft.pipeline() not in (None, pid), 5)
    t.expect_range("times that it came back", 3, 10, kills - 1)
    t.expect("exit status when it gives up", 1, weft.process.poll())
    t.expect_true(f"it says so: {weft.log[-200:]!r}", "giving up" in weft.log)
    load.done(t)


@case()
def watcher_killed(t):
    """The pipeline drains and goes away; what was captured is in the file."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, [f"/before/{n}" for n in range(20)])
    pipeline, load = weft.pipeline(), Load(app)
    time.sleep(0.2)
    weft.send(signal.SIGKILL)
    gone = until(lambda: not alive(pipeline), 3)
    load.done(t)
    t.expect_true("the pipeline is gone within 3 s", gone)
    spans = t.spans(weft).under("/before/")
    common.exchanges(t, spans, range(20), app.port)


@case()
def both_killed_under_load(t):
    """SIGKILL of everything, three times over: no request fails, no byte changes."""
    app = apps.backend(t)
    load = Load(app)
    for _ in range(3):
        weft = t.weft("--port", app.port)
        time.sleep(0.3)
        weft.kill()
    load.done(t)
    left = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True)
    t.note(f"{left.stdout.count('weft')} programs named weft are left")


@case()
def attached_and_detached_under_load(t):
    app = apps.backend(t)
    load = Load(app)
    for _ in range(4):
        weft = t.weft("--port", app.port)
        time.sleep(0.15)
        t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    load.done(t)


@case(needs=["bpftool"])
def nothing_is_left_behind(t):
    """Links, programs and maps go with weft, however it ends, and however often it was restarted."""
    app = apps.backend(t)
    for end in ("told", "told", "restarted, then told", "killed"):
        weft = t.weft("--port", app.port)
        objects = bpf_objects(weft.pid)
        t.expect_range("BPF objects that it holds", 20, 200, len(objects))
        if end.startswith("restarted"):
            old = weft.pipeline()
            os.kill(old, signal.SIGKILL)
            until(lambda w=weft, o=old: w.pipeline() not in (None, o), 5)
            time.sleep(0.2)
            t.expect("objects of the pipeline besides its two maps", 2,
                     len(bpf_objects(weft.pipeline())))
        if end == "killed":
            weft.kill()
        else:
            t.expect("exit status of weft at SIGTERM", 0, weft.stop())
            t.expect_range("seconds that weft needed to end", 0, 1.0, weft.stop_s)
        t.expect(f"left of one that was {end}", set(), bpf_objects_left(objects, 5))


@case(timeout=120)
def ring_buffer_full(t):
    """A reader that stands still: what the ring cannot take is counted, no request waits."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    pipeline, count = weft.pipeline(), 12000
    os.kill(pipeline, signal.SIGSTOP)
    begin = time.monotonic()
    field = ("X-Fill: " + "f" * 7000,)
    client = traffic.Client(app.address)
    requests = 0
    try:
        for requests in range(1, count + 1):
            client.get(f"/plain/0/{requests}", *field)
            if time.monotonic() - begin > 40:
                break
    finally:
        os.kill(pipeline, signal.SIGCONT)
    t.note(f"{requests} requests of 7 KiB")
    time.sleep(1)
    traffic.keep_alive(app.address, [f"/after/0/{n}" for n in range(10)])
    told = weft.ps()
    spans = t.stop(weft)
    counters = weft.counters() or {}
    t.expect_true(f"something was dropped and counted: {counters}", counters.get("dropped"))
    t.expect_true("weft ps --json names the dropped ones", find_key(told, "dropped") is not None)
    common.exchanges(t, spans.under("/after/"), range(10), app.port)


@case()
def counters_agree_while_running(t):
    """Once the traffic rests nothing is open, and both ends of every request were captured."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    t.expect("wrong answers", [], traffic.load(app.address, 1000, 8))
    wanted = {"captured": 2000, "exported": 2000, "dropped": 0, "open": 0}
    until(lambda: weft.counters() == wanted, 7)
    t.expect("counters within 7 s", wanted, weft.counters())
    common.exchanges(t, t.stop(weft), range(1000), app.port)


@case(timeout=90)
def many_connections(t):
    """Two thousand connections opened and left: memory stays bounded, spans are right."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    for n in range(2000):
        with traffic.connect(app.address) as sock:
            sock.sendall(b"GET /half HTTP/1.1\r\n" if n % 2 else traffic.head("GET", "/plain/0/1"))
    traffic.keep_alive(app.address, [f"/after/0/{n}" for n in range(10)])
    time.sleep(0.5)
    with open(f"/proc/{weft.pipeline()}/status", encoding="utf-8") as handle:
        rss = int([line for line in handle if line.startswith("VmRSS")][0].split()[1])
    t.expect_range("RSS of the pipeline, KiB", 0, 40000, rss)
    spans = t.stop(weft)
    common.exchanges(t, spans.under("/after/"), range(10), app.port)


def _without(t, what, hide):
    """`weft run` in a mount namespace where `hide` was run first: exit status and log."""
    log, socket = t.path(f"{what}.log"), t.path(f"{what}.sock")
    script = (f"{hide} && exec {weft_module.BINARY} run --socket {socket} --duration 2 "
              f"--export file:{t.path(what)}.jsonl "
              f"{' '.join(weft_module.own(f'{what}-{os.getpid()}', os.getpid()))}")
    with open(log, "wb") as out:
        words = [*netns.outside(t.runner_pid), "unshare", "--mount", "sh", "-c", script]
        done = subprocess.run(words, stdout=out, stderr=out, timeout=20)
    with open(log, encoding="utf-8", errors="replace") as handle:
        return done.returncode, handle.read()


@case()
def without_btf(t):
    """No BTF: that is named, whether weft goes on or not."""
    os.makedirs(t.path("empty"))
    code, log = _without(t, "btf", f"mount --bind {t.path('empty')} /sys/kernel/btf")
    t.expect_true(f"BTF is named: {log.strip()[-300:]!r}", "BTF" in log)
    t.expect_true("it runs on, or ends with an error and no crash", 0 <= code < 128)


@case()
def without_bpffs_and_cgroup2(t):
    """Neither is needed for what there is yet: it gets ready, and traces."""
    hide = "for m in /sys/fs/bpf /sys/fs/cgroup/unified /sys/fs/cgroup; do umount -l $m; done; true"
    code, log = _without(t, "mounts", hide)
    t.expect(f"exit status {log.strip()[-300:]!r}", 0, code)
    t.expect_true("it was ready", "ready" in log)
