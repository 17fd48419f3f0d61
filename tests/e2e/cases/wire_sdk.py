# SPDX-License-Identifier: Apache-2.0
"""
Neighbours with OpenTelemetry's SDK, which read and write traceparent themselves and export spans of
their own: in front of what weft traces, behind it, and in the middle of it.
"""

import apps
import propagation
import traffic
from collector import Receiver
from neighbours import noticed
from spans import CLIENT, SERVER, Spans
from wire_common import sized, start_weft, wire_case

AT_ONCE = 8
INSTALL_S = 300  # the first of these cases installs the SDK
SDK, WEFT = "sdk", "weft"


class Chain:
    """Servers from the entry inwards, some of them with an SDK, and the spans of all of them."""

    def __init__(self, t):
        self.t, self.servers = t, []  # (app, SDK or WEFT)
        apps.sdk_python(t)
        self.receiver = Receiver(t, outside=False)

    def add(self, app, who):
        """The next one outwards."""
        self.servers.insert(0, (app, who))
        return app

    def add_sdk(self, behind=None):
        return self.add(apps.sdk(self.t, self.receiver.url, behind and behind.authority), SDK)

    def _selected(self):
        """Where weft would double an SDK's spans it is told not to look."""
        return set().union(*[app.pids for app, who in self.servers
                             if who == WEFT or propagation.SPARES_SDK])

    def _warm_up(self):
        self.t.expect("wrong answers while warming up", [],
                      traffic.load(self.servers[0][0].address, 20, 4, "/warm/{}", reuse=False))

    def _doubles(self, pids):
        """
        Spans of weft's that stand for one of an SDK's. Where nothing is carried to an SDK, it starts
        a trace, and only weft's server span says that its caller called it.
        """
        kinds = [CLIENT, SERVER] if propagation.mode(self.t) != "none" else [CLIENT]
        return [str(s) for s in self.own
                if s.resource.get("process.pid") in pids and s.kind in kinds]

    def run(self, count):
        t, entry = self.t, self.servers[0][0]
        theirs = set().union(*[app.pids for app, who in self.servers if who == SDK])
        self._warm_up()
        weft = start_weft(t, self._selected())
        if propagation.SPARES_SDK:
            noticed(t, weft, theirs, self._warm_up)
        t.expect("wrong answers", [], traffic.load(entry.address, count, AT_ONCE, reuse=False))
        self.own = t.stop(weft, settle=0.5).under("/chain/")
        t.expect("spans of weft that double an SDK's", [], self._doubles(theirs)[:3])
        for app, who in self.servers:
            if who == SDK:
                app.process.terminate()
                app.process.wait(10)
        self.theirs = self.receiver.spans.under("/chain/")
        self.spans = Spans([*self.own, *self.theirs])
        return self

    # Judgements. A server is told by its place from the entry inwards.

    def _one(self, spans, kind, port, count):
        """{request: its span} of one kind at one port; there is just one for each request."""
        found = spans.where(lambda s: s.kind == kind and s["server.port"] == port)
        self.t.expect(f"spans of kind {kind} at port {port}, for {count} requests",
                      sorted(range(count)), sorted(s.number for s in found))
        return {s.number: s for s in found}

    def _side(self, place, kind):
        """Whose spans of this kind at a server's port count: the server's, or its caller's."""
        who = self.servers[place if kind == SERVER else place - 1][1]
        return self.theirs if who == SDK else self.own

    def _parents(self, what, children, parents, expected):
        """How many of the children have just the parent that they ought to have."""
        right = sum(self.spans.parent(child) is parents.get(n) for n, child in children.items())
        roots = sum(not child.parent for child in children.values())
        self.t.note(f"{what}: {right} of {len(children)}")
        self.t.expect(f"{what}: right parents", len(children) if expected else 0, right)
        if not expected:
            self.t.expect(f"{what}: no parent at all", len(children), roots)

    def judge(self, count):
        """
        Every server's span hangs under its caller's, and that under the caller's server span. On
        one host only an SDK that is called by what weft traces depends on what is carried.
        """
        carried, whole = propagation.mode(self.t) != "none", True
        above = None
        for place, (app, who) in enumerate(self.servers):
            servers = self._one(self._side(place, SERVER), SERVER, app.port, count)
            if place:
                caller = self.servers[place - 1][1]
                clients = self._one(self._side(place, CLIENT), CLIENT, app.port, count)
                joined = carried or (caller, who) != (WEFT, SDK)
                whole &= joined
                self._parents(f"{caller} calls {who}", servers, clients, joined)
                self._parents(f"calls within {caller}", clients, above, True)
            above = servers
        traces = {n: {s.trace for s in self.spans.numbered(n)} for n in range(count)}
        if whole:
            self.t.expect("requests with several traces", [],
                          [n for n, ids in traces.items() if len(ids) > 1][:5])


@wire_case(timeout=INSTALL_S)
def wire_sdk_in_front(t):
    """SDK -> Python."""
    chain, count = Chain(t), sized(50, 500)
    inner = chain.add(apps.backend(t, delay=2), WEFT)
    chain.add_sdk(inner)
    chain.run(count).judge(count)


@wire_case(needs=["nginx"], timeout=INSTALL_S)
def wire_sdk_behind(t):
    """nginx -> SDK. A new connection for every call: the first request of each has a header."""
    chain, count = Chain(t), sized(50, 500)
    inner = chain.add_sdk()
    chain.add(apps.nginx(t, inner.authority, keepalive=False), WEFT)
    chain.run(count).judge(count)


@wire_case(needs=["nginx"], timeout=INSTALL_S)
def wire_sdk_in_the_middle(t):
    """nginx -> SDK -> Python."""
    chain, count = Chain(t), sized(50, 500)
    inner = chain.add(apps.backend(t, delay=2), WEFT)
    middle = chain.add_sdk(inner)
    chain.add(apps.nginx(t, middle.authority, keepalive=False), WEFT)
    chain.run(count).judge(count)


@wire_case(needs=["nginx"], timeout=INSTALL_S)
def wire_sdk_passed_on(t):
    """SDK -> nginx, which passes the SDK's header on as it came -> Python."""
    chain, count = Chain(t), sized(50, 500)
    inner = chain.add(apps.backend(t, delay=2), WEFT)
    middle = chain.add(apps.nginx(t, inner.authority), WEFT)
    chain.add_sdk(middle)
    chain.run(count).judge(count)
