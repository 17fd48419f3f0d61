# SPDX-License-Identifier: Apache-2.0
"""
Neighbours with OpenTelemetry's SDK, which read and write traceparent themselves and export spans of
their own: in front of what weft traces, behind it, and in the middle of it.
"""

import apps
import propagation
import traffic
from collector import Receiver
from spans import CLIENT, SERVER, Spans
from weft import find_key, until
from wire_common import sized, start_weft, wire_case

AT_ONCE = 8
INSTALL_S = 300  # the first of these cases installs the SDK
SEEN_S = 10
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

    def _pids(self, *kinds):
        return set().union(*[app.pids for app, who in self.servers if who in kinds])

    def _warm_up(self, weft):
        """Until weft has seen the SDK export: before that it cannot know."""
        t = self.t
        t.expect("wrong answers while warming up", [],
                 traffic.load(self.servers[0][0].address, 20, 4, "/warm/{}", reuse=False))
        known = until(lambda: self._pids(SDK) <= {p["pid"] for p in find_key(
            weft.ps(), "processes") if p.get("sdk")}, SEEN_S)
        t.expect_true(f"weft knows the SDK within {SEEN_S} s", known)

    def run(self, count):
        t, entry, theirs = self.t, self.servers[0][0], self._pids(SDK)
        weft = start_weft(t, self._pids(SDK, WEFT))
        self._warm_up(weft)
        t.expect("wrong answers", [], traffic.load(entry.address, count, AT_ONCE, reuse=False))
        self.own = t.stop(weft, settle=0.5).under("/chain/")
        self.beside = self.own.where(lambda s: s.resource.get("process.pid") in theirs)
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

    def _judge_beside(self, lonely, count):
        """
        weft leaves spans to an SDK that makes them itself. `lonely`: the server that does not learn
        who calls it; there the SDK begins a trace of its own, and weft's span ends the caller's.
        """
        t = self.t
        if lonely:
            clients = self._one(self.own, CLIENT, lonely.port, count)
            servers = self._one(self.beside, SERVER, lonely.port, count)
            t.expect("weft's spans beside an SDK that learns no caller, under the caller's", count,
                     sum(self.spans.parent(servers[n]) is clients[n] for n in servers))
        t.expect("spans of weft that double an SDK's", [],
                 [str(s) for s in self.beside if not lonely or s.kind != SERVER][:3])

    def judge(self, count):
        """
        Every server's span hangs under its caller's, and that under the caller's server span. On
        one host only an SDK that is called by what weft traces depends on what is carried.
        """
        carried, lonely, above = propagation.mode(self.t) != "none", None, None
        for place, (app, who) in enumerate(self.servers):
            servers = self._one(self._side(place, SERVER), SERVER, app.port, count)
            if place:
                caller = self.servers[place - 1][1]
                clients = self._one(self._side(place, CLIENT), CLIENT, app.port, count)
                joined = carried or (caller, who) != (WEFT, SDK)
                lonely = lonely if joined else app
                self._parents(f"{caller} calls {who}", servers, clients, joined)
                self._parents(f"calls within {caller}", clients, above, True)
            above = servers
        traces = {n: {s.trace for s in self.spans.numbered(n)} for n in range(count)}
        self._judge_beside(lonely, count)
        if not lonely:
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
