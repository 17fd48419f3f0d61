# SPDX-License-Identifier: Apache-2.0
"""Address families, and sockets that were there before weft."""

import time

import apps
import common
import traffic
from case import case

COUNT = 20


def _family(t, host, target, peer):
    app = apps.raw(t, host=host)
    weft = t.weft("--port", app.port)
    traffic.keep_alive((target, app.port), [f"/plain/0/{n}" for n in range(COUNT)])
    spans = t.stop(weft)
    common.exchanges(t, spans, range(COUNT), app.port)
    common.all_equal(t, "network.peer.address", peer, spans, lambda s: s["network.peer.address"])
    common.all_equal(t, "client.address", peer, spans.servers(), lambda s: s["client.address"])


@case()
def ipv4(t):
    _family(t, "127.0.0.1", "127.0.0.1", "127.0.0.1")


@case()
def ipv6(t):
    _family(t, "::", "::1", "::1")


@case()
def v4_mapped(t):
    """The server's socket is IPv6, the peer's address is told as the IPv4 that it is."""
    _family(t, "::", "127.0.0.1", "127.0.0.1")


@case()
def unix_stream(t):
    app = apps.raw(t, host="unix")
    weft = t.weft()
    traffic.keep_alive(app.address, [f"/unix-plain/0/{n}" for n in range(COUNT)])
    traffic.one_by_one(app.address, [f"/unix-plain/0/{n}" for n in range(COUNT, 2 * COUNT)])
    spans = t.stop(weft).under("/unix-plain/")
    servers, _ = common.exchanges(t, spans, range(2 * COUNT))
    common.all_equal(t, "process.pid", app.process.pid, list(servers.values()),
                     lambda s: s.resource.get("process.pid"))
    common.all_equal(t, "server.port of a unix socket", None, spans, lambda s: s["server.port"])


def _opened_before(t, address, prefix, port, *options):
    """Used and unused connections from before; roles come out right on all of them."""
    used, unused = traffic.Client(address), traffic.Client(address)
    for n in range(5):
        used.get(f"{prefix}/0/{n}")
    weft = t.weft(*options)
    for n in range(10, 30):
        used.get(f"{prefix}/0/{n}")
    for n in range(30, 50):
        unused.get(f"{prefix}/0/{n}")
    spans = t.stop(weft).under(prefix + "/")
    common.exchanges(t, spans, range(10, 50), port)


@case()
def opened_before_tcp(t):
    app = apps.raw(t)
    _opened_before(t, app.address, "/plain", app.port, "--port", app.port)


@case()
def opened_before_unix(t):
    app = apps.raw(t, host="unix")
    _opened_before(t, app.address, "/before-plain", None)


@case()
def opened_before_in_a_body(t):
    """weft starts while an answer is under way: the next request on that connection is seen."""
    app = apps.raw(t)
    client = traffic.Client(app.address)
    client.send(traffic.head("GET", "/slow-body/1500/1"))
    time.sleep(0.05)
    weft = t.weft("--port", app.port)
    t.expect("body of the answer that was under way", b"12", client.answer().body)
    for n in range(10, 20):
        client.get(f"/plain/0/{n}")
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number != 1), range(10, 20), app.port)


@case()
def started_before_the_server(t):
    """The process that serves is exec'ed after weft."""
    weft = t.weft()
    app = apps.raw(t)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(COUNT)])
    spans = t.stop(weft).where(lambda s: s["server.port"] == app.port)
    servers, _ = common.exchanges(t, spans, range(COUNT), app.port)
    common.all_equal(t, "process.pid", app.process.pid, list(servers.values()),
                     lambda s: s.resource.get("process.pid"))
    common.all_equal(t, "service.name is known from the first span", True, list(servers.values()),
                     lambda s: "rawserver" in s.resource.get("service.name", ""))
