# SPDX-License-Identifier: Apache-2.0
"""No room on the disk, no memory, no backend to speak of, a clock that jumps."""

import contextlib
import json
import os
import subprocess
import time

import apps
import common
import netns
import traffic
from case import Skip, case
from collector import FAST, Receiver
from faults_common import Belongings, Load, ended_well, losses, odd
from weft import find_key, until

DAY_S = 86400


def _account(t, weft):
    """After the end: the last line adds up. Gives its counters."""
    counters = weft.counters()
    if not t.expect_true(f"the account is in the log: {weft.log[-300:]!r}", counters):
        return None
    t.expect("captured = exported + dropped, at the end", counters["captured"],
             counters["exported"] + counters["dropped"])
    t.expect("still open, at the end", 0, counters["open"])
    return counters


def _lines(path):
    """(whole lines of JSON, others) of the file."""
    good, bad = [], []
    with open(path, encoding="utf-8", errors="replace") as handle:
        for line in handle:
            try:
                good.append(json.loads(line))
            except ValueError:
                bad.append(line[:80])
    return good, bad


def _spans(lines):
    return sum(len(scope["spans"]) for line in lines for group in line["resourceSpans"]
               for scope in group["scopeSpans"])


def _on_small_disk(t, size, *words):
    """Words that run a command where t.path("disk") is a file system of that size."""
    os.makedirs(t.path("disk"), exist_ok=True)
    script = f"mount -t tmpfs -o size={size} none {t.path('disk')} && {' '.join(words)} exec \"$@\""
    return [*netns.outside(t.runner_pid), "unshare", "--mount", "sh", "-c", script, "sh"]


@case(timeout=90)
def disk_full(t):
    """Spans that find no room are counted; when there is room again, lines are whole."""
    app = apps.backend(t)
    path = t.path("disk", "spans.jsonl")
    weft = t.weft("--port", app.port, exports=[f"file:{path}"], prefix=_on_small_disk(t, "128k"),
                  env={**FAST, "OTEL_BSP_MAX_QUEUE_SIZE": "300",
                       "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100"})
    held = Belongings(weft)
    t.expect("wrong answers", [], traffic.load(app.address, 600, 8))
    until(lambda: weft.counters()["captured"] == 1200, 5)
    lost = losses(weft)
    t.expect_true(f"spans that found no room: {lost}",
                  lost.get("queue_full", 0) + lost.get("rejected", 0))
    subprocess.run(["nsenter", f"--mount=/proc/{weft.pid}/ns/mnt", "mount", "-o",
                    "remount,size=32m", t.path("disk")], check=True)
    until(lambda: not weft.counters()["open"], 5)
    exported = weft.counters()["exported"]
    t.expect("wrong answers", [], traffic.load(app.address, 200, 8, first=600))
    t.expect_true("spans are written again",
                  until(lambda: weft.counters()["exported"] >= exported + 400, 5))
    held.unchanged(t)
    path = f"/proc/{weft.pid}/root{path}"
    time.sleep(0.3)
    good, bad = _lines(path)
    told = weft.counters()["exported"]
    t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    t.expect("lines that are not whole", [], bad)
    t.expect("spans in the file", told, _spans(good))
    _account(t, weft)
    t.expect_true("the log says what is wrong", "No space left" in weft.log)
    held.gone(t)


@case(timeout=60)
def starts_on_a_full_disk(t):
    """Behind half a line, on a disk without room: weft runs, and the half line stays alone."""
    app = apps.backend(t)
    path = t.path("disk", "spans.jsonl")
    fill = f"head -c 200000 /dev/zero | tr '\\0' x >{path}; "
    weft = t.weft("--port", app.port, exports=[f"file:{path}"], env=FAST,
                  prefix=_on_small_disk(t, "64k", fill))
    t.expect("wrong answers", [], traffic.load(app.address, 50, 4))
    subprocess.run(["nsenter", f"--mount=/proc/{weft.pid}/ns/mnt", "mount", "-o",
                    "remount,size=32m", t.path("disk")], check=True)
    t.expect("wrong answers", [], traffic.load(app.address, 50, 4, first=50))
    until(lambda: weft.counters()["exported"] >= 100, 5)
    time.sleep(0.3)
    good, bad = _lines(f"/proc/{weft.pid}/root{path}")
    told = weft.counters()["exported"]
    t.expect("lines that are not whole", 1, len(bad))
    t.expect("spans in the file", told, _spans(good))
    t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    _account(t, weft)


@case(timeout=90)
def no_memory(t):
    """The pipeline gets no memory for a while: counted, and over when it gets some again."""
    app, mark = apps.backend(t), t.path("no-memory")
    weft = t.weft("--port", app.port, env={
        **FAST, "LD_PRELOAD": apps.c_program("faults", "-shared", "-fPIC", "-ldl"),
        "WEFT_FAULT": "memory", "WEFT_FAULT_FILE": mark})
    t.expect("wrong answers", [], traffic.load(app.address, 10, 8))
    held = Belongings(weft)
    with open(mark, "w", encoding="ascii"):
        t.expect("wrong answers", [], traffic.load(app.address, 1000, 8, first=10))
    time.sleep(0.8)
    os.unlink(mark)
    t.expect("wrong answers", [], traffic.load(app.address, 100, 8, first=5000))
    until(lambda: weft.counters()["captured"] >= 2220, 5)
    t.expect("captured", 2220, weft.counters()["captured"])
    t.expect_range(f"spans that were not made: {losses(weft)}", 1, 2020,
                   losses(weft).get("no_memory"))
    held.unchanged(t)
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number >= 5000), range(5000, 5100), app.port)
    held.gone(t)


@case(timeout=60)
def collector_drips(t):
    """It answers a byte a second: given up at the time-out, asked again, and weft ends in time."""
    app, receiver = apps.backend(t), Receiver(t, "drip:100")
    weft = t.weft("--port", app.port, exports=[receiver.url],
                  env={**FAST, "OTEL_EXPORTER_OTLP_TIMEOUT": "500"})
    held = Belongings(weft)
    load = Load(app)
    asked = until(lambda: len(receiver.requests) >= 2, 15)
    load.done(t)
    t.expect_true(f"it is asked again: {len(receiver.requests)} requests", asked)
    t.expect("exported", 0, weft.counters()["exported"])
    t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    t.expect_range("seconds that weft needed to end", 0, 2, weft.stop_s)
    _account(t, weft)
    held.gone(t)


@case(timeout=60)
def names_are_not_resolved(t):
    """The name server never answers: nobody waits for it, not at the end either."""
    app, host = apps.backend(t), f"{t.namespace_name}-dns"
    netns.create(host)
    silent = [apps.PYTHON, "-c", "import socket,time; s=socket.socket(type=socket.SOCK_DGRAM); "
              "s.bind(('127.0.0.1', 53)); print('bound', flush=True); time.sleep(60)"]
    t.spawn(silent, log="dns.log", namespace=netns.path(host))
    t.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
    until(lambda: os.path.getsize(t.path("dns.log")), 5)
    script = f"mount --bind {t.path('resolv.conf')} /etc/resolv.conf && exec \"$@\""
    weft = t.weft("--port", app.port, exports=["http://collector.example:4318"], env=FAST,
                  prefix=[*netns.inside(netns.path(host)), "unshare", "--mount", "sh", "-c", script,
                          "sh"])
    held = Belongings(weft)
    t.expect("wrong answers", [], traffic.load(app.address, 500, 8))
    time.sleep(1)
    t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    t.expect_range("seconds that weft needed to end", 0, 1.5, weft.stop_s)
    counters = _account(t, weft)
    t.expect("captured", 1000, counters and counters["captured"])
    held.gone(t)


@case(timeout=60)
def clock_jumps(t):
    """The host's clock is set forward by a day: spans follow it, none is longer or out of order."""
    app, mark = apps.backend(t), t.path("jumped")
    weft = t.weft("--port", app.port, env={
        **FAST, "LD_PRELOAD": apps.c_program("faults", "-shared", "-fPIC", "-ldl"),
        "WEFT_FAULT": "clock", "WEFT_FAULT_FILE": mark})
    begin = time.time()
    load = Load(app, first=0)
    time.sleep(0.5)
    with open(mark, "w", encoding="ascii"):
        pass
    time.sleep(0.5)
    sent = load.done(t)
    traffic.keep_alive(app.address, [f"/chain/{sent + n}" for n in range(10)])
    spans = t.stop(weft)
    common.exchanges(t, spans, range(sent + 10), app.port)
    common.all_equal(t, "a span lasts less than 10 s", True, list(spans),
                     lambda s: 0 <= s.end - s.start < 10e9)
    last = [s for s in spans if s.number >= sent]
    common.all_equal(t, "the last ones are a day ahead", True, last,
                     lambda s: 0 <= s.start / 1e9 - begin - DAY_S < 60)
    first = [s for s in spans if s.number < 10]
    common.all_equal(t, "the first ones are not", True, first,
                     lambda s: 0 <= s.start / 1e9 - begin < 60)


@case(timeout=60)
def time_namespace(t):
    """In a namespace where the monotonic clock runs ahead, spans have the right times."""
    app = apps.backend(t)
    words = ["unshare", "--time", "--monotonic", "5000000", "--fork", "--kill-child"]
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        raise Skip("this kernel has no time namespaces")
    weft = t.weft("--port", app.port, prefix=[*netns.outside(t.runner_pid), *words], env=FAST)
    weft.pid = apps.descendants(weft.pid)[1]  # unshare waits for it, and hands its status on
    begin = time.time()
    traffic.keep_alive(app.address, [f"/chain/{n}" for n in range(50)])
    told = weft.ps()
    t.expect_range("uptime", 0, 60, told["uptime_s"])
    if told["propagation"]["mode"] != "off":
        t.expect_true("requests were given headers",
                      until(lambda: find_key(weft.ps(), "kernel")["injected"] > 0, 3))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(50), app.port)
    common.all_equal(t, "a span is of this minute", True, list(spans),
                     lambda s: -1 <= s.start / 1e9 - begin < 60)


@contextlib.contextmanager
def _memory_group():
    """(path, the file that holds the limit, the one that holds what is used) of a new control group."""
    name, places = f"weft-{os.getpid()}", []
    with open("/proc/self/mounts", encoding="ascii") as handle:
        for row in map(str.split, handle):
            if row[2] == "cgroup" and "memory" in row[3].split(","):
                places.append((row[1], "memory.limit_in_bytes", "memory.usage_in_bytes"))
            elif row[2] == "cgroup2":
                places.append((row[1], "memory.max", "memory.current"))
    for place, limit, used in places:
        path = os.path.join(place, name)
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            if os.path.exists(os.path.join(path, limit)):
                yield path, os.path.join(path, limit), os.path.join(path, used)
                return
        finally:
            until(lambda p=path: _rmdir(p), 5)
    raise Skip("no control group with a limit of memory can be made here")


def _rmdir(path):
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _write(path, value):
    with open(path, "w", encoding="ascii") as handle:
        handle.write(str(value))


@case(timeout=120, long=True)
def memory_cap(t):
    """Weft in a group that has used all its memory: it fails, perhaps; applications do not."""
    app = apps.backend(t)
    with _memory_group() as (path, limit, used):
        script = f"echo 0 >{path}/cgroup.procs && exec \"$@\""
        weft = t.weft("--port", app.port, env=FAST,
                      prefix=[*netns.outside(t.runner_pid), "sh", "-c", script, "sh"])
        held = Belongings(weft)
        with open(used, encoding="ascii") as handle:
            now = int(handle.read())
        _write(limit, now + (256 << 10))
        t.expect("wrong answers", [], traffic.load(app.address, 4000, 16, reuse=False))
        ended_well(t, odd(t, "storm", app.port, 4000, 1000, 16), "a storm of processes")
        _write(limit, now + (256 << 20))
        time.sleep(1)
        if weft.process.poll() is not None:
            t.note(f"weft did not survive: {weft.process.returncode}")
        else:
            t.note(f"{find_key(weft.ps(), 'pipeline_restarts')} restarts, {losses(weft)}")
            t.expect("wrong answers", [], traffic.load(app.address, 100, 8, first=6000))
            spans = t.stop(weft, crashed=True)
            common.exchanges(t, spans.where(lambda s: s.number >= 6000), range(6000, 6100),
                             app.port)
        held.gone(t)
        weft.kill()
