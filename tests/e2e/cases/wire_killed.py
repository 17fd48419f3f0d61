# SPDX-License-Identifier: Apache-2.0
"""Each process of weft is killed again and again under load: no request notices."""

import json
import os
import signal
import subprocess
import sys
import time

import apps
import judge
import propagation
import weft as weft_module
from wire_clients import Run, SHAPES, python_client
from wire_common import sized, start_weft, wire_case

FOR_EVER = 90_000_000
WORKERS = 4
MEANWHILE_S = 0.2  # requests go on between one thing and the next


def _pipeline_killed(t, weft):
    old = weft.pipeline()
    os.kill(old, signal.SIGKILL)
    t.expect_true("another pipeline runs within 5 s",
                  weft_module.until(lambda: weft.pipeline() not in (None, old), 5))


def _watcher_killed(t, weft):
    pipeline = weft.pipeline()
    weft.send(signal.SIGKILL)
    t.expect_true("the pipeline is gone within 5 s",
                  weft_module.until(lambda: not weft_module.alive(pipeline), 5))
    weft.process.wait(5)


class Diary:
    """When what was done, by the clock that clients tell of stalls by."""

    def __init__(self):
        self.entries = []

    def note(self, what, function, *arguments):
        begin = time.monotonic()
        result = function(*arguments)
        self.entries.append((what, round(begin, 2), round(time.monotonic(), 2)))
        return result

    def around(self, begin, end):
        return [entry for entry in self.entries if entry[1] <= end + 1 and entry[2] >= begin - 1]


def retransmissions():
    """TCP's, in this namespace so far: a stall that these make is no lost message."""
    with open("/proc/net/snmp", encoding="ascii") as handle:
        names, values = (line.split() for line in handle if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def killed(t, rounds, proxy=None, pipelines=1):
    """
    Requests go on while the pipeline is killed, `pipelines` times, and then the watcher; all of that
    `rounds` times. What the server got.
    """
    run = Run(t, python_client("plain")(t), SHAPES, proxy)
    sent_of = run.reference(-1)  # any request may have a header, or may not
    program = run.program(0, FOR_EVER, WORKERS)
    diary, resent = Diary(), retransmissions()
    program.begin()
    for _ in range(rounds):
        weft = diary.note("weft starts", start_weft, t,
                          run.proxy.pids if run.proxy else {program.pid})
        for kill in [_pipeline_killed] * pipelines + [_watcher_killed]:
            time.sleep(MEANWHILE_S)
            diary.note(kill.__name__.strip("_"), kill, t, weft)
    report = program.stop_early()
    for begin, end in report["stalled_at"]:
        t.fail(f"a request stalled from {begin} to {end}, meanwhile: {diary.around(begin, end)}; "
               f"segments that were sent again in all: {retransmissions() - resent}")
    mode = propagation.mode(t)
    verdict = judge.judge(run.recorder.stop(), sent_of, (), mode)
    judge.expect(t, verdict, mode)
    t.expect("requests that arrived, against those that were answered", report["requests"],
             verdict.requests)
    t.note(f"processes killed {rounds * (pipelines + 1)} times")
    return verdict


def unwatched(t, seconds, proxy=None):
    """The control: the same requests for so long while no weft is there."""
    run = Run(t, python_client("plain")(t), SHAPES, proxy)
    program, resent = run.program(0, FOR_EVER, WORKERS), retransmissions()
    program.begin()
    time.sleep(seconds)
    report = program.stop_early()
    run.recorder.stop()
    t.note(f"{report['requests']} requests in {seconds:.0f} s, the slowest took {report['slowest_ms']} ms, "
           f"threads waited for a processor for up to {report.get('late_ms', '?')} ms, "
           f"{retransmissions() - resent} segments were sent again")


@wire_case()
def wire_killed(t):
    """The client is traced."""
    killed(t, sized(2, 20))


@wire_case(needs=["nginx"])
def wire_killed_nginx(t):
    """A proxy is traced, which keeps its connections and asks FIONREAD."""
    killed(t, sized(2, 20), lambda t, port: apps.nginx(t, f"127.0.0.1:{port}", workers=2))


def fresh(t, end, connections=250):
    """
    Connections that were opened under weft's eyes make their first request as weft ends: where a
    kernel breaks FIONREAD for sockets that are looked at, none may be looked at by then.
    """
    app = apps.raw(t)
    program = t.spawn([sys.executable, os.path.join(apps.APPS, "fresh.py"), app.port, connections, 300],
                      log="fresh.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    weft = start_weft(t, {program.pid})
    program.stdin.write(b"open\n")
    program.stdin.flush()
    t.expect("the program's first line", b"open\n", program.stdout.readline())
    end(weft)
    out, _ = program.communicate(b"go\n", timeout=60)
    report = json.loads(out)
    t.expect(f"answers: {report['silent']}", connections, report["answered"])
    t.expect(f"answers that FIONREAD did not tell of: {report}", 0, report["fionread_wrong"])
    return weft


@wire_case()
def wire_fresh_watcher_killed(t):
    fresh(t, lambda weft: weft.send(signal.SIGKILL))


@wire_case()
def wire_fresh_stopped(t):
    fresh(t, lambda weft: weft.send(signal.SIGTERM))


@wire_case()
def wire_fresh_guard_killed(t):
    """It is started again, and does its work when weft ends."""
    def end(weft):
        old = weft.guard()
        if t.expect_true("there is a guard where the kernel asks for one",
                         (old is not None) == (propagation.mode(t) == "first")) and old:
            os.kill(old, signal.SIGKILL)
            t.expect_true("another guard is there within 5 s",
                          weft_module.until(lambda: weft.guard() not in (None, old), 5))
        weft.send(signal.SIGKILL)

    fresh(t, end)
