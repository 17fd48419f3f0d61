# SPDX-License-Identifier: Apache-2.0
"""Processes of weft stand still, for a while or until the end: nobody else notices, nothing is lost untold."""

import os
import shutil
import signal
import time

import apps
import common
import traffic
from case import case
from faults_common import Belongings, Load, ended_well, kernel_counter, losses, odd
from weft import find_key, until

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
# Longer than the kernel side believes in a reader that does not show itself.
STILL_S = 3


class Stopped:
    """Processes that stand still, within a `with`."""

    def __init__(self, *pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


@case(timeout=90)
def pipeline_stands_still(t):
    """The ring holds what comes meanwhile; then all of it is told, and rightly."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port, env=FAST)
    traffic.keep_alive(app.address, ["/chain/0"])
    held = Belongings(weft)
    with Stopped(weft.pipeline()):
        t.expect("wrong answers", [], traffic.load(app.address, 1500, 8, first=1))
        ended_well(t, odd(t, "storm", app.port, 1501, 100, 8), "a storm of processes")
        time.sleep(STILL_S)
        t.expect("wrong answers", [], traffic.load(app.address, 399, 8, first=1601, reuse=False))
    t.expect("wrong answers", [], traffic.load(app.address, 500, 8, first=2000))
    held.unchanged(t, 16 << 10)
    t.expect("dropped", {}, losses(weft))
    common.exchanges(t, t.stop(weft), range(2500), app.port)
    held.gone(t)


@case(timeout=90)
def watcher_stands_still(t):
    """Nobody describes processes meanwhile; requests are traced all the same."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port, env=FAST)
    traffic.keep_alive(app.address, ["/chain/0"])
    held = Belongings(weft)
    with Stopped(weft.pid):
        # more than its ring has room for: each makes several records
        ended_well(t, odd(t, "storm", app.port, 1, 1200, 16), "a storm of processes")
        t.expect_true("weft ps answers", find_key(weft.ps(), "captured"))
    until(lambda: weft.counters()["captured"] >= 2402, 5)
    t.expect_true("records found no room on their way to the watcher",
                  kernel_counter(weft, "process_record_lost"))
    server = [p for p in weft.ps()["processes"] if p["pid"] == app.process.pid]
    t.expect("what weft ps tells of the server", ["python"], [p["runtime"] for p in server])
    held.unchanged(t)
    t.expect("dropped", {}, losses(weft))
    common.exchanges(t, t.stop(weft), range(1201), app.port)
    held.gone(t)


@case(timeout=90)
def started_while_the_watcher_stands_still(t):
    """A chosen program of whose start the watcher was not told, for want of room, is found later."""
    backend, port = apps.backend(t), t.port()
    program = t.path("shop-server")
    shutil.copy(apps.go_binary(), program)
    weft = t.weft("--port", f"{backend.port},{port}", "--exe", "shop-server",
                  env=FAST)
    with Stopped(weft.pid):
        ended_well(t, odd(t, "storm", backend.port, 1000, 2400, 16), "a storm of processes")
        server = apps.App(t, [program, port], port)
    lost = until(lambda: kernel_counter(weft, "process_record_lost"), 5)
    t.expect_true("records found no room on their way to the watcher", lost)
    time.sleep(1.5)  # it looks again every second
    t.expect("wrong answers", [], traffic.load(server.address, 50, 4))
    spans = t.stop(weft)
    servers = common.once(t, spans.where(lambda s: s["server.port"] == port), range(50),
                          common.SERVER)
    common.all_equal(t, "process.runtime.name", "go", list(servers.values()),
                     lambda s: s.resource.get("process.runtime.name"))


@case(timeout=120, long=True)
def described_when_there_is_room(t):
    """More processes than the way to a pipeline that stands still has room for: told of afterwards."""
    app, port = apps.backend(t), t.port()
    weft = t.weft("--port", f"{app.port},{port}", "--ring-size", 64, env=FAST)
    with Stopped(weft.pipeline()):
        ended_well(t, odd(t, "storm", app.port, 0, 6000, 16), "a storm of processes", 90)
        other = apps.App(t, [apps.PYTHON, os.path.join(apps.APPS, "backend.py"), port], port)
        t.expect("wrong answers", [], traffic.load(other.address, 20, 2, first=7000))
        time.sleep(1)

    def runtime():
        return [p["runtime"] for p in weft.ps()["processes"] if p["pid"] == other.process.pid]

    until(lambda: runtime() == ["python"], 8)
    t.expect("what weft ps tells of the last one", ["python"], runtime())
    t.expect("dropped", {}, losses(weft))
    common.exchanges(t, t.stop(weft, settle=2), [*range(6000), *range(7000, 7020)])


@case(timeout=60)
def ends_while_the_pipeline_stands_still(t):
    """It is killed after its time; the account is told by the other process."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, [f"/chain/{n}" for n in range(20)])
    until(lambda: weft.counters()["captured"] == 40, 5)
    held = Belongings(weft)
    os.kill(weft.pipeline(), signal.SIGSTOP)
    traffic.keep_alive(app.address, [f"/chain/{n}" for n in range(20, 40)])
    t.expect("exit status", 1, weft.stop())
    t.expect_range("seconds that weft needed to end", 0, 2, weft.stop_s)
    counters = weft.counters()
    if t.expect_true(f"the account is in the log: {weft.log[-300:]!r}", counters):
        t.expect("captured, with what nobody has read", 80, counters["captured"])
        t.expect("captured = exported + dropped, at the end", counters["captured"],
                 counters["exported"] + counters["dropped"])
        t.expect("still open, at the end", 0, counters["open"])
    held.gone(t)


@case(timeout=60)
def killed_while_it_stands_still(t):
    """All of weft stopped in the middle of everything, then killed: connections go on."""
    app = apps.backend(t)
    load = Load(app)
    for _ in range(2):
        weft = t.weft("--port", app.port)
        held = Belongings(weft)
        time.sleep(0.3)
        for pid in held.pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)
        for pid in held.pids:
            os.kill(pid, signal.SIGKILL)
        weft.kill()
        held.gone(t)
    load.done(t)
