# SPDX-License-Identifier: Apache-2.0
"""The kernel side's maps and rings have no room: what that costs is counted, and nothing else breaks."""

import os
import signal
import subprocess
import time

import apps
import common
import traffic
from case import case
from faults_common import Belongings, ended_well, kernel_counter, losses, map_keys, maps, odd
from weft import find_key, until

REQUESTS = 40
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


class Full:
    """A map that is full, within a `with`."""

    def __init__(self, number):
        self.process = subprocess.Popen([apps.c_program("fillmap"), number], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.said = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


def _ask(app, first):
    """Requests of new connections, so of new threads of the server, and of a new process."""
    numbers = [f"/chain/{n}" for n in range(first, first + REQUESTS)]
    wrong = [row for row in traffic.one_by_one(app.address, numbers) if row[1] != 200]
    return wrong


@case(timeout=120, needs=["bpftool"])
def every_map_full(t):
    """One after the other. Spans are complete; what cannot be kept is counted, and no parent wrong."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port, env=FAST)
    _ask(app, 0)
    held, first, all_maps = Belongings(weft), REQUESTS, maps(weft)
    told = {"units": "no_state", "processes": "no_state", "wire_socks": "not_enrolled"}
    for name in ("units", "processes", "ended", "wire_socks", "options", "notices", "conns_by_sk"):
        if not t.expect_true(f"there is a map {name}: {sorted(all_maps)}", name in all_maps):
            continue
        before = kernel_counter(weft, told[name]) if name in told else 0
        with Full(all_maps[name]) as full:
            t.expect_true(f"{name} is full: {full.said!r}", full.said)
            t.expect(f"wrong answers while {name} is full", [], _ask(app, first))
            process = odd(t, "get", app.port, first + REQUESTS, REQUESTS)
            ended_well(t, process, f"a client while {name} is full")
            until(lambda: not find_key(weft.ps(), "open"), 5)
        first += 2 * REQUESTS
        if name in told and (name != "wire_socks" or _enrols(weft)):
            until(lambda b=before, n=name: kernel_counter(weft, told[n]) > b, 3)
            t.expect_true(f"{told[name]} counts while {name} is full",
                          kernel_counter(weft, told[name]) > before)
    t.expect("wrong answers afterwards", [], _ask(app, first))
    held.unchanged(t)
    t.expect("dropped", {}, losses(weft))
    common.exchanges(t, t.stop(weft), range(first + REQUESTS), app.port)
    held.gone(t)


def _enrols(weft):
    """Are messages seen before they leave, on this kernel?"""
    return find_key(weft.ps(), "propagation")["mode"] != "off"
