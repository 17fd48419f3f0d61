# SPDX-License-Identifier: Apache-2.0
"""Processors are busy, and weft may take little of them: what it lets pass is counted, and nothing is wrong."""

import os
import re
import subprocess

import apps
import common
import grpc_peers
import traffic
from case import case
from faults_common import kernel_counter
from spans import by_port, chain
from weft import until

SECONDS = 3


def _wrk(app, seconds, connections=16):
    """Requests that were answered, and how many of them wrongly."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                           f"http://{app.authority}/hello.txt"], capture_output=True, text=True,
                          timeout=seconds + 10, check=True)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return int(re.search(r"(\d+) requests in", done.stdout)[1]), int(bad[1]) if bad else 0


def _one_processor():
    """This process and its children are to share one: it is busy whatever the machine."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@case(timeout=60, needs=["nginx", "wrk"])
def budget_counts_what_passes(t):
    """nginx under more than it can bear: each end of each request is followed or counted."""
    _one_processor()
    app = apps.nginx(t)
    weft = t.weft("--port", app.port, budget=1)
    done, bad = _wrk(app, SECONDS)
    t.expect("wrong answers", 0, bad)
    until(lambda: weft.counters()["captured"] >= 2 * done, 5)
    passed = kernel_counter(weft, "requests_passed")
    counters = weft.counters()
    t.note(f"{done} requests, {passed} of {counters['captured']} passed")
    # wrk leaves with requests under way, at most one on each connection
    t.expect_range("requests at both ends", 2 * done, 2 * (done + 16), counters["captured"])
    t.expect_range("% of them that passed", 20, 99, 100 * passed / counters["captured"])
    t.expect("dropped", counters["dropped"], passed)
    # with time to spare all are followed again, soon
    t.expect_true("nothing passes any more", until(lambda: not _passes(weft, app), 20))
    t.stop(weft)


def _passes(weft, app):
    before = kernel_counter(weft, "requests_passed")
    captured = weft.counters()["captured"]
    traffic.load(app.address, 20, 2, "/hello.txt")
    until(lambda: weft.counters()["captured"] >= captured + 40, 3)
    return kernel_counter(weft, "requests_passed") - before


@case(timeout=120, needs=["nginx", "gunicorn"])
def budget_leaves_no_wrong_parent(t):
    """A chain whose requests pass or not at each hop: none of its spans has a parent of another request."""
    _one_processor()
    inner = apps.backend(t)
    middle = apps.flask(t, inner.port)
    entry = apps.nginx(t, f"127.0.0.1:{middle.port}", workers=2)
    ports = ",".join(str(app.port) for app in (entry, middle, inner))
    t.expect("wrong answers while warming up", [], traffic.load(entry.address, 100, 16, "/warm/{}"))
    weft = t.weft("--port", ports, budget=1)
    t.expect("wrong answers", [], traffic.load(entry.address, 4000, 32))
    until(lambda: kernel_counter(weft, "requests_passed"), 3)
    passed = kernel_counter(weft, "requests_passed")
    spans = t.stop(weft, settle=0.5).under("/chain/")
    hops = chain(spans, [("nginx", by_port(entry.port)), ("flask", by_port(middle.port)),
                         ("python", by_port(inner.port))], range(4000))
    t.expect_true("requests passed", passed)
    for hop in hops:
        t.note(f"{hop.name}: seen {hop.seen:.1f} %")
        t.expect(f"{hop.name}: requests with several server spans", 0, hop.several)
        t.expect_range(f"{hop.name}: seen, %", 1, 99.9, hop.seen)
    for hop in hops[1:]:
        t.note(f"{hop.name}: precision {hop.precision:.2f} %, recall {hop.recall:.2f} %")
        t.expect(f"{hop.name}: precision of parents, % {hop.examples}", 100.0, hop.precision)
    t.expect("precision under the entry, %", 100.0, hops[-1].entry_precision)


@case(timeout=120, needs=["nginx", "h2load"])
def budget_http2(t):
    """Streams pass one by one: header compression goes on, and what is followed is told rightly."""
    count = 30000
    _one_processor()
    app = apps.nginx(t, http2=True)
    weft = t.weft("--port", app.port, budget=1)
    common.h2load(t, app, count, "-c", "4", "-m", "20")
    until(lambda: weft.counters()["captured"] >= 2 * count, 5)
    passed, counters = kernel_counter(weft, "requests_passed"), weft.counters()
    spans = t.stop(weft)
    t.note(f"{passed} of {counters['captured']} passed")
    t.expect("requests at both ends", 2 * count, counters["captured"])
    t.expect_range("% of them that passed", 20, 99, 100 * passed / counters["captured"])
    t.expect("dropped", counters["dropped"], passed)
    t.expect("spans", 2 * count - passed, len(spans))
    common.all_equal(t, "path", True, spans, lambda s: s.path.startswith("/load/"))
    common.all_equal(t, "status", 200, spans, lambda s: s["http.response.status_code"])
    common.all_equal(t, "all fields known", None, spans, lambda s: s["weft.partial"])
    wrong = [s for s in spans if (above := spans.parent(s)) and above.path != s.path]
    t.expect("server spans below the client span of another request", [], [str(s) for s in wrong][:3])


@case(timeout=120)
def budget_grpc(t):
    """Calls of gRPC that are followed have their own method, status and messages, whatever passes beside them."""
    _one_processor()
    program = grpc_peers.go(t)
    app = grpc_peers.serve(t, program)
    weft = t.weft("--port", app.port, budget=1)
    done = subprocess.run([*program, "call", str(app.port), "3000", "32"], capture_output=True, text=True,
                          timeout=90)
    t.expect_true(f"the client has ended well: {done.stderr[-300:]}", done.stdout)
    # counters are told once a second
    until(lambda: kernel_counter(weft, "requests_passed"), 3)
    passed = kernel_counter(weft, "requests_passed")
    spans = t.stop(weft)
    t.note(f"{len(spans)} spans, {passed} passed")
    t.expect_true("requests passed", passed)
    told = {"Unary": ("OK", 1), "ServerStream": ("OK", 5), "ClientStream": ("OK", 1), "Both": ("OK", 5),
            "NotFound": ("NOT_FOUND", 0), "Internal": ("INTERNAL", 0), "Denied": ("PERMISSION_DENIED", 0),
            "Unknown": ("UNIMPLEMENTED", 0)}
    kind = {s.id: (s["rpc.method"] or "").split("/")[-1].split("_")[0] for s in spans}
    known = spans.where(lambda s: kind[s.id] in told)
    common.all_equal(t, "status and messages of the answer", lambda s: told[kind[s.id]], known,
                     lambda s: (s["rpc.response.status_code"], s["weft.rpc.response.messages"]))
    t.expect("spans of no call", [], [str(s) for s in spans if kind[s.id] not in {*told, "Slow", "Cancel"}][:3])
    wrong = [s for s in spans if (above := spans.parent(s)) and above["rpc.method"] != s["rpc.method"]]
    t.expect("spans below another call's", [], [str(s) for s in wrong][:3])


@case(timeout=120, needs=["nginx", "h2load"])
def budget_leaves_no_wrong_parent_http2(t):
    """A proxy with an event loop, whose streams pass or not: no span has a parent of another request."""
    count = 6000
    _one_processor()
    inner = apps.backend(t)
    entry = apps.nginx(t, f"127.0.0.1:{inner.port}", http2=True)
    weft = t.weft("--port", f"{entry.port},{inner.port}", budget=1)
    common.h2load(t, entry, count, "-c", "1", "-m", "3")
    until(lambda: kernel_counter(weft, "requests_passed"), 3)
    passed = kernel_counter(weft, "requests_passed")
    hops = chain(t.stop(weft), [("nginx", by_port(entry.port)), ("python", by_port(inner.port))], range(count))
    t.expect_true("requests passed", passed)
    for hop in hops:
        t.note(f"{hop.name}: seen {hop.seen:.1f} %")
        t.expect(f"{hop.name}: requests with several server spans", 0, hop.several)
        t.expect_range(f"{hop.name}: seen, %", 1, 99.9, hop.seen)
    t.note(f"precision {hops[1].precision:.2f} %, recall {hops[1].recall:.2f} %")
    t.expect(f"precision of parents, % {hops[1].examples}", 100.0, hops[1].precision)
