# SPDX-License-Identifier: Apache-2.0
"""
In the virtual machine: what weft costs there, in the arrangement in which another tracer (OBI, July 2026)
was measured once: Linux 6.1 with one emulated CPU, 8 kept connections. Emulation makes all of it many times
slower than a machine is; counts and ratios mean something, times only beside one another.
"""

import os
import re
import statistics
import subprocess
import sys
import threading
import time

import apps
import traffic

sys.path.append(os.path.join(apps.ROOT, "tests", "bench"))

import observe  # pylint: disable=wrong-import-position

CONNECTIONS, LOAD_S, TURNS = 8, 8, 3
FIRST_SPAN_S = 240
POLL_S = 0.1

# row: (OBI's figure for nginx, for Python's http.server)
OTHER = {
    "throughput with / without": ("0.46", "0.56"),
    "agent CPU per 1,000 requests (guest ms)": ("263-279", "283-392"),
    "BPF program runs per request": ("18.4", "-"),
    "start to first span (s)": ("37", "40"),
    "agent CPU by then (s)": ("18", "19"),
    "RSS (MiB)": ("104", "100"),
    "BPF maps (MiB)": ("99", "99"),
    "spans / requests (%)": ("100", "100"),
}
MIB = 1 << 20


def _wrk(port, seconds):
    """Requests and requests a second."""
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/item/7"],
                          capture_output=True, text=True, timeout=seconds + 60)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    count = re.search(r"(\d+) requests in", done.stdout)
    if not rate or not count or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout[-300:]}")
    return int(count[1]), float(rate[1])


def _agent(weft):
    """CPU seconds of all its processes."""
    return sum(map(observe.cpu_seconds, apps.descendants(weft.pid)))


def _until_first_span(t, app):
    """A weft that is started while requests come, the seconds to its first span and its CPU by then."""
    stop = threading.Event()

    def ask():
        while not stop.wait(POLL_S):
            traffic.one_by_one(app.address, ["/item/1"])

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        begin = time.monotonic()
        selected = [word for pid in sorted(app.pids) for word in ("--pid", pid)]
        weft = t.weft(*selected, ready=False)
        while not (os.path.exists(weft.spans_path) and os.path.getsize(weft.spans_path)):
            if time.monotonic() - begin > FIRST_SPAN_S:
                raise RuntimeError(f"no span after {FIRST_SPAN_S} s")
            time.sleep(POLL_S)
        return weft, time.monotonic() - begin, _agent(weft)
    finally:
        stop.set()
        thread.join()


def _runs(weft, port):
    """Program runs a request."""
    objects = observe.Objects(apps.descendants(weft.pid))
    with observe.Statistics():
        before = objects.programs()
        requests, _ = _wrk(port, LOAD_S // 2)
        costs = observe.program_costs(before, objects.programs(), requests)
    return sum(cost["runs_per_request"] for cost in costs.values())


def _traced(t, app, figures):
    """One turn with weft; its requests a second."""
    weft, first_s, first_cpu = _until_first_span(t, app)
    captured, before = weft.counters()["captured"], _agent(weft)
    requests, rate = _wrk(app.port, LOAD_S)
    time.sleep(1)
    figures["cpu"].append((_agent(weft) - before) / requests * 1e6)
    figures["spans"].append((weft.counters()["captured"] - captured) / requests * 100)
    figures["first"].append(first_s)
    figures["first_cpu"].append(first_cpu)
    figures["rss"].append(sum(observe.memory(pid)["rss"] for pid in apps.descendants(weft.pid)) / MIB)
    figures["maps"].append(sum(observe.Objects(apps.descendants(weft.pid)).map_bytes().values()) / MIB)
    figures["runs"].append(_runs(weft, app.port))
    t.stop(weft)
    return rate


def _measure(t, app):
    figures = {key: [] for key in ("ratio", "cpu", "runs", "first", "first_cpu", "rss", "maps", "spans")}
    _wrk(app.port, 2)
    for _ in range(TURNS):
        _, without = _wrk(app.port, LOAD_S)
        figures["ratio"].append(_traced(t, app, figures) / without)
    return {key: statistics.median(values) for key, values in figures.items()}


def measure(t, told):
    told("cost", "told", {"nginx": _measure(t, apps.nginx(t)), "http.server": _measure(t, apps.backend(t))})


def table(cost):
    """weft's figures beside the other's, as lines."""
    forms = dict(zip(OTHER, (("ratio", ".2f"), ("cpu", ".0f"), ("runs", ".1f"), ("first", ".1f"),
                             ("first_cpu", ".1f"), ("rss", ".0f"), ("maps", ".0f"), ("spans", ".1f"))))
    lines = ["| | nginx static: weft | OBI | Python http.server: weft | OBI |", "|---|---|---|---|---|"]
    for row, (key, form) in forms.items():
        own = [format(cost[name][key], form) for name in ("nginx", "http.server")]
        lines.append(f"| {row} | {own[0]} | {OTHER[row][0]} | {own[1]} | {OTHER[row][1]} |")
    return lines
