# SPDX-License-Identifier: Apache-2.0
"""What may be sent, to whom, and for which traces: sampling and the two lists of peers."""

import os
import re
import time

import apps
import common
import propagation
import traffic
from case import case
from recorder import Recorder
from weft import find_key

REQUESTS = 600
RATIO = 0.25
HEADER = re.compile(rb"\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\r\n")


def _headers(records):
    """(trace, span, flags) of every header that arrived."""
    found = [HEADER.search(record.head) for record in records]
    return [(m[1].decode(), m[2].decode(), int(m[3], 16)) for m in found if m]


def _closing(address, numbers):
    """A connection for each request: so that each carries a header, on every kernel."""
    for n in numbers:
        traffic.Client(address).get(f"/wire/p/0/8/{n:08}", "Connection: close")


def _sampled(t, sampler, argument=""):
    """The headers of roots under that sampler, and the client spans that were exported."""
    server = Recorder(t)
    weft = t.weft("--pid", os.getpid(), "--inject", "auto",
                  env={"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    _closing(("127.0.0.1", server.port), range(REQUESTS))
    spans = t.stop(weft)
    headers = _headers(server.stop())
    if propagation.mode(t) != "none":
        t.expect("requests with a header", REQUESTS, len(headers))
    on_wire = {(trace, span) for trace, span, flags in headers if flags & 1}
    exported = {(s.trace, s.id) for s in spans.clients()}
    t.expect("sampled on the wire, and not exported", 0, len(on_wire - exported))
    if headers:
        t.expect("exported, and not sampled on the wire", 0, len(exported - on_wire))
    return headers, exported


@case()
def wire_sampled_by_ratio(t):
    """The flag on the wire and what is exported agree, and follow from the trace id."""
    headers, exported = _sampled(t, "parentbased_traceidratio", str(RATIO))
    threshold = round((1 - RATIO) * 2**56)
    t.expect("headers whose flag is not what the trace id says", [],
             [h for h in headers if (int(h[0][-14:], 16) >= threshold) != bool(h[2] & 1)])
    t.expect_range("spans exported", REQUESTS * (RATIO - 0.1), REQUESTS * (RATIO + 0.1),
                   len(exported))


@case()
def wire_sampled_never(t):
    headers, exported = _sampled(t, "always_off")
    t.expect("spans exported", 0, len(exported))
    t.expect("headers that say sampled", 0, len([h for h in headers if h[2] & 1]))


@case()
def wire_sampled_as_the_caller_says(t):
    """parentbased obeys the caller, whatever the sampler says of new traces; always_on does not."""
    for sampler, flag, kept in (("parentbased_always_off", "01", 20),
                                ("parentbased_always_on", "00", 0),
                                ("always_on", "00", 20), ("always_off", "01", 0)):
        app = apps.raw(t)
        weft = t.weft("--pid", app.process.pid, env={"OTEL_TRACES_SAMPLER": sampler})
        client = traffic.Client(app.address)
        for n in range(20):
            client.get(f"/plain/0/{n}",
                       f"traceparent: 00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-{flag}")
        t.expect(f"{sampler}, caller's flag {flag}: spans", kept, len(t.stop(weft)))


@case()
def wire_not_to_strangers(t):
    """--propagate-to none: neither a header nor an option leaves, and nothing else changes."""
    server = Recorder(t)
    weft = t.weft("--pid", os.getpid(), "--inject", "auto", "--propagate-to", "none")
    client = traffic.Client(("127.0.0.1", server.port))
    for n in range(50):
        client.get(f"/wire/p/0/8/{n:08}")
    time.sleep(1.2)  # the kernel's counters are told once a second
    sent = [find_key(weft.ps(), name) for name in ("injected", "option_sent")]
    t.stop(weft)
    t.expect("requests that carried context", [0, 0], sent)
    t.expect("headers that arrived", 0, len(_headers(server.stop())))


@case()
def wire_strangers_are_not_trusted(t):
    """--propagate-trust none: a new trace, with a link to the sender's."""
    app = apps.raw(t)
    weft = t.weft("--pid", app.process.pid, "--propagate-trust", "none")
    trace, parent = os.urandom(16).hex(), os.urandom(8).hex()
    client = traffic.Client(app.address)
    for n in range(10):
        client.get(f"/plain/0/{n}", f"traceparent: 00-{trace}-{parent}-01")
    servers = common.once(t, t.stop(weft), range(10), common.SERVER)
    common.all_equal(t, "a trace of its own, no parent", True, list(servers.values()),
                     lambda s: s.trace != trace and s.parent == "")
    common.all_equal(t, "link to the sender's span", [(trace, parent)], list(servers.values()),
                     lambda s: s.links)


@case(needs=["nginx"])
def wire_follows_the_host(t):
    """
    What leaves the host is in the trace that is exported, also where a hop within the host carried
    no header: client -> nginx over one kept connection -> elsewhere, a connection for each.
    """
    server = Recorder(t)
    proxy = apps.nginx(t, f"127.0.0.1:{server.port}", keepalive=False)
    pids = [os.getpid(), *sorted(proxy.pids)]
    weft = t.weft(*[word for pid in pids for word in ("--pid", pid)], "--inject", "auto")
    client = traffic.Client(proxy.address)
    for n in range(200):
        client.get(f"/wire/p/0/8/{n:08}")
    spans = t.stop(weft)
    headers = _headers(server.stop())
    mine = {s.trace for s in spans.clients() if s.resource["process.pid"] == os.getpid()}
    t.expect("traces", 200, len(mine))
    if propagation.mode(t) != "none":
        t.expect("headers that left", 200, len(headers))
    t.expect("headers of other traces than those exported", 0,
             len([h for h in headers if h[0] not in mine]))
