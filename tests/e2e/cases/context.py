# SPDX-License-Identifier: Apache-2.0
"""Trace context: what comes in a header is honoured, what does not is not invented."""

import os

import apps
import common
import traffic
from case import case


def _traceparent(flags="01"):
    trace, parent = os.urandom(16).hex(), os.urandom(8).hex()
    return trace, parent, f"traceparent: 00-{trace}-{parent}-{flags}"


@case()
def traceparent_is_honoured(t):
    """Only the server is traced: its span is in the caller's trace, under the caller's span."""
    app = apps.raw(t)
    weft = t.weft("--pid", app.process.pid)
    client, sent = traffic.Client(app.address), {}
    for n in range(20):
        trace, parent, field = _traceparent()
        # In turns: first field, behind 6 KiB of others, another letter case.
        fields = {0: [field], 1: ["X-Pad: " + "p" * 6000, field], 2: [field.title()]}[n % 3]
        fields = [f.replace(f.split(": ")[1], f.split(": ")[1].lower()) for f in fields]
        sent[n] = (trace, parent)
        client.get(f"/plain/0/{n}", *fields)
    spans = t.stop(weft)
    servers = common.once(t, spans, range(20), common.SERVER)
    common.all_equal(t, "trace and parent", lambda s: sent[s.number], list(servers.values()),
                     lambda s: (s.trace, s.parent))
    common.all_equal(t, "weft.parent.evidence", "header", list(servers.values()),
                     lambda s: s["weft.parent.evidence"])
    t.expect("client spans, with only the server selected", 0, len(spans.clients()))


@case()
def caller_says_not_sampled(t):
    """Sampled flag 0: no span, counted as such; the next request is not concerned."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    client = traffic.Client(app.address)
    for n in range(10):
        client.get(f"/plain/0/{n}", _traceparent("00")[2])
    client.get("/plain/0/50")
    spans = t.stop(weft)
    common.exchanges(t, spans, [50], app.port)
    t.expect("dropped: both ends of ten requests", 20, (weft.counters() or {}).get("dropped"))


@case()
def traceparent_at_both_ends(t):
    """Both ends are traced, the caller's SDK has put its own header: one trace, spans agree."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    client, sent = traffic.Client(app.address), {}
    for n in range(10):
        trace, parent, field = _traceparent()
        sent[n] = (trace, parent)
        client.get(f"/plain/0/{n}", field)
    spans = t.stop(weft)
    servers, clients = common.exchanges(t, spans, range(10), app.port)
    common.all_equal(t, "trace", lambda s: sent[s.number][0], spans, lambda s: s.trace)
    common.all_equal(t, "the server's parent is the header's", lambda s: sent[s.number][1],
                     list(servers.values()), lambda s: s.parent)
    common.all_equal(t, "the client span is the header's", lambda s: sent[s.number][1],
                     list(clients.values()), lambda s: s.id)


@case()
def bad_traceparents_are_ignored(t):
    app = apps.raw(t)
    weft = t.weft("--pid", app.process.pid)
    trace, parent = os.urandom(16).hex(), os.urandom(8).hex()
    bad = [f"00-{'0' * 32}-{parent}-01", f"00-{trace}-{'0' * 16}-01", f"ff-{trace}-{parent}-01",
           f"00-{'ABCDEF01' * 4}-{parent}-01", f"00-{trace}-{parent}",
           f"00-{trace[:-1]}-{parent}-01",
           f"00-{trace}-{parent}-zz", "", "00-", f"00-{trace}-{parent}-01-more", "x" * 3000]
    client = traffic.Client(app.address)
    for n, value in enumerate(bad):
        client.get(f"/plain/0/{n}", f"traceparent: {value}")
    spans = t.stop(weft)
    servers = common.once(t, spans, range(len(bad)), common.SERVER)
    common.all_equal(t, "a trace of its own", True, list(servers.values()),
                     lambda s: s.trace != trace and s.parent == "")
    t.expect("different traces", len(bad), len({s.trace for s in servers.values()}))


@case()
def roots_are_apart(t):
    """Requests of one client without a request of its own are traces of their own."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    traffic.load(app.address, 500, 16, "/plain/0/{}")
    spans = t.stop(weft)
    _, clients = common.exchanges(t, spans, range(500), app.port)
    common.all_equal(t, "parent of the client span", "", list(clients.values()), lambda s: s.parent)
    t.expect("different traces", 500, len({s.trace for s in spans}))


@case()
def selected_by_pid(t):
    """--pid: that process and no other."""
    chosen, other = apps.raw(t), apps.raw(t)
    weft = t.weft("--pid", chosen.process.pid)
    for app in (chosen, other):
        traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    spans = t.stop(weft)
    t.expect("pids of all spans", {chosen.process.pid},
             {s.resource.get("process.pid") for s in spans})
    common.once(t, spans, range(10), common.SERVER)


@case(needs=["nginx"])
def selected_by_executable(t):
    """--exe: those whose executable matches."""
    app = apps.nginx(t)
    other = apps.raw(t)
    weft = t.weft("--exe", "*/nginx")
    for one in (app, other):
        traffic.keep_alive(one.address, [f"/exe-plain/0/{n}" for n in range(10)])
    spans = t.stop(weft).under("/exe-plain/")
    common.once(t, spans, range(10), common.SERVER)
    t.expect("kinds and ports of all spans", {(common.SERVER, app.port)},
             {(s.kind, s["server.port"]) for s in spans})
