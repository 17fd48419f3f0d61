# SPDX-License-Identifier: Apache-2.0
"""
In the virtual machine: the runs. Each puts the kernel or weft into a state of its own, then lets the
sections of cases.py do their work; or kills weft, again and again.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

import apps
import cases
import common
import cost
import traffic
import wire_killed
from case import Skip
from weft import find_key, until

LOCKDOWN = "/sys/kernel/security/lockdown"
PREEMPTION = "/sys/kernel/debug/sched/preempt"
FEW = ("http.server, curl", "chain of threads", "unix stream", "headers")
KILLS = 6
UNUSED_OFF = "3:0,4:0,4:1"  # spliced reads and io_uring: a start takes long here
UNWATCHED_S = 1  # of load without weft, for each time that weft is killed
BUSY_S = 40  # until requests pass: as long as there is time to spare none do
LOOK_S = 3  # until programs that run already have been looked at
MEANWHILE_S = 0.6  # everything takes longer here


def _write(path, text, why):
    try:
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    except OSError as error:
        raise Skip(f"{why}: {path}: {error.strerror}") from None


def _lock_down():
    """What Secure Boot brings; there is no way back."""
    _write(LOCKDOWN, "integrity", "this kernel has no lockdown")
    return lambda: None


def _preempt():
    """Programs may be preempted from now on; what undoes it."""
    _write(PREEMPTION, "full", "this kernel's preemption cannot be changed while it runs")
    return lambda: _write(PREEMPTION, "lazy", "")


@dataclass(frozen=True)
class Run:
    """`off`: hooks that are turned off, as hooks_off.c reads it. `sections`: all of them if it is None."""
    off: str = ""
    before: object = lambda: lambda: None
    sections: tuple = None


RUNS = {
    "all": Run(),
    "perf": Run("0:0"),
    "fexit": Run("0:0,0:1"),
    "kprobes": Run("0:0,0:1,0:2"),
    "preempted": Run(before=_preempt),
    "lockdown": Run(before=_lock_down, sections=FEW),
}


def _section(t, told, name, function):
    t.failures, t.notes = [], []
    skipped = []
    try:
        function()
    except Skip as reason:
        skipped = [str(reason)]
    except Exception as error:  # pylint: disable=broad-except
        t.fail(f"{type(error).__name__}: {error}")
    for weft in t.wefts:  # none is left to be in the next one's way
        weft.kill()
    logs = [line for weft in t.wefts[-1:] for line in weft.log.splitlines()[-6:]]
    t.wefts.clear()
    if t.failures:
        told(name, "FAILED", [*t.failures, *logs])
    else:
        told(name, "skipped" if skipped else "ok", skipped or t.notes)


def _kill(t, told, kills):
    """Half of the kills with a client that is traced, half with nginx, which asks FIONREAD."""
    wire_killed.MEANWHILE_S = MEANWHILE_S
    os.environ["HOOKS_OFF"] = UNUSED_OFF
    pipelines = 2 if kills <= KILLS else 4  # for each watcher, which takes long to start
    rounds = -(-kills // (2 * (pipelines + 1)))

    def load(proxy):
        verdict = wire_killed.killed(t, rounds, proxy, pipelines)
        if not verdict.inserted and not t.failures and all(cases.BUSY in weft.log for weft in t.wefts):
            raise Skip(f"no header was inserted: {cases.BUSY}")
        t.expect_true("requests that got a header", verdict.inserted > 0)

    def nginx(t, port):
        return apps.nginx(t, f"127.0.0.1:{port}", workers=2)

    # what goes wrong here is the machine's doing, not weft's
    _section(t, told, "not killed, without weft, nginx",
             lambda: wire_killed.unwatched(t, kills * UNWATCHED_S, nginx))
    _section(t, told, "killed under load, client", lambda: load(None))
    _section(t, told, "killed under load, nginx", lambda: load(nginx))
    _section(t, told, "killed, fresh connections",
             lambda: wire_killed.fresh(t, lambda weft: weft.send(signal.SIGKILL)))


def _busy(t):
    """More than the processors can bear, and weft may take little of them: what passes is counted."""
    server = apps.raw(t)
    traffic.load(server.address, 20, 4, "/plain/0/{}")
    weft = t.weft("--port", server.port, budget=1)
    asked, passed, end = 0, 0, time.monotonic() + BUSY_S
    while time.monotonic() < end and not passed:
        t.expect("wrong answers", [], traffic.load(server.address, 400, 4, "/plain/0/{}", first=asked))
        asked += 400
        until(lambda: weft.counters()["captured"] >= 2 * asked, 10)
        passed = find_key(weft.ps(), "requests_passed")
    counters = weft.counters()
    t.stop(weft)
    t.note(f"of {asked} requests {passed} ends passed")
    t.expect_true("some passed", passed)
    lossy = cases.preempted(weft)
    if lossy and (counters["captured"] < 2 * asked or counters["dropped"] > passed) and not t.failures:
        raise Skip(lossy)
    t.expect("dropped", passed, counters["dropped"])
    t.expect("requests at both ends", 2 * asked, counters["captured"])


def _inside(t, first, asked, app, ask):
    """Requests of a client, and what checks that both ends were seen inside TLS."""
    ask(first)

    def check(spans):
        numbers = range(first, first + asked)
        mine = spans.where(lambda s: s.number in numbers)
        common.joined(t, mine, common.once(t, mine, numbers, common.SERVER),
                      common.once(t, mine, numbers, common.CLIENT))
        common.all_equal(t, "server.port", app.port, mine, lambda s: s["server.port"])
        common.all_equal(t, "url.scheme", "https", mine, lambda s: s["url.scheme"])

    return check


def _curl(t, app):
    def ask(first):
        url = f"https://127.0.0.1:{app.port}/item/[{first}-{first + 15}]"
        done = subprocess.run(["curl", "-sk", "-o", os.devnull, "-w", "%{http_code} ", url], capture_output=True,
                              text=True, timeout=60)
        t.expect("answers to curl", ["200"] * 16, done.stdout.split())
    return ask


def _gotls(t, app, program, *options):
    def ask(first):
        done = subprocess.run([program, "ask", str(app.port), str(first), str(first + 15), "4", *options],
                              capture_output=True, text=True, timeout=60)
        t.expect("answers to Go", "16", done.stdout.strip())
    return ask


def _tls(t):
    """What OpenSSL and Go's own TLS carry, at both ends."""
    program = os.path.join(apps.BUILT, "gotls")
    for name in ("certificate.pem", "key.pem"):
        shutil.copy(os.path.join(apps.BUILT, name), t.path(name))
    app = apps.backend(t, tls=True)
    asked = [(app, _curl(t, app))]
    if os.path.exists(program):
        port = t.port()
        go = apps.App(t, [program, "serve", port, t.path("certificate.pem"), t.path("key.pem")], port)
        asked += [(go, _gotls(t, go, program, "h1")), (go, _gotls(t, go, program)), (go, _curl(t, go))]
    else:
        t.note("Go was not there to build a program for this machine")
    weft = t.weft("--tls", "on")
    hooks = weft.ps()["hooks"]
    if "off" in (hooks["TLS libraries"], hooks["TLS of Go, Rust"]):
        t.fail(f"TLS libraries: {hooks['TLS libraries']}, Go, Rust: {hooks['TLS of Go, Rust']}")
    time.sleep(LOOK_S)
    checks = [_inside(t, 1000 * n, 16, *one) for n, one in enumerate(asked, 1)]
    spans = t.stop(weft, settle=1)
    lossy = cases.preempted(weft)
    before = len(t.failures)
    for check in checks:
        check(spans)
    if lossy and not before and t.failures:
        t.failures.clear()
        raise Skip(lossy)


def perform(name, t, told):
    kind, _, count = name.partition(":")
    os.environ["HOOKS_OFF"] = ""
    if kind == "cost":
        cost.measure(t, told)
        return
    if kind == "tls":
        _section(t, told, "inside TLS", lambda: _tls(t))
        return
    if kind == "busy":
        _section(t, told, "requests that pass", lambda: _busy(t))
        return
    if kind == "killed":
        _kill(t, told, int(count or KILLS))
        return
    run = RUNS[kind]
    os.environ["HOOKS_OFF"] = run.off
    undo = run.before()
    try:
        cases.run(t, told, run.sections)
    finally:
        undo()
