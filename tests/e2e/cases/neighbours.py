# SPDX-License-Identifier: Apache-2.0
"""
Processes with OpenTelemetry's SDK: no request is shown twice, nothing that only weft sees is
missing, and every parent is there. What is carried on the wire to and from them: wire_sdk.py.
"""

import json
import os
import subprocess
import time

import apps
import common
import traffic
from case import case
from collector import FAST, Receiver
from spans import Spans, spans_of_request

INSTALL_S = 300  # the first of these cases installs the SDK
NOTICED_S = 10   # until weft has seen an SDK export: it does so every 0.2 s
COUNT = 40
# Nothing is added on the wire, so that it is the test that says who hears of whom.
APART = ("--inject", "off", "--tcp-option", "off")


def noticed(t, weft, pids, warm_up):
    """Requests until weft leaves the spans of these processes to their SDK, which it says."""
    deadline = time.monotonic() + NOTICED_S
    while time.monotonic() < deadline:
        found = {p["pid"]: p for p in weft.ps()["processes"] if p["sdk_spans"]}
        if pids <= set(found):
            return found
        warm_up()
        time.sleep(0.1)
    t.fail(f"weft knows the processes with an SDK, {pids}: not so after {NOTICED_S} s")
    return {}


class Neighbour:
    """An application with the SDK before a plain backend, and weft for both."""

    def __init__(self, t, *options, agent=False):
        self.t = t
        apps.sdk_python(t)
        self.receiver = Receiver(t, outside=False)
        self.backend = apps.backend(t)
        self.app = apps.sdk(t, self.receiver.url, f"127.0.0.1:{self.backend.port}", agent)
        self.pid = self.app.process.pid
        self._warm_up()
        self.weft = t.weft("--pid", self.pid, "--pid", self.backend.process.pid, *options)
        self.process = noticed(t, self.weft, {self.pid}, self._warm_up).get(self.pid, {})

    def _warm_up(self):
        self.t.expect("wrong answers while warming up", [],
                      traffic.load(self.app.address, 5, 1, "/warm/{}"))

    def ask(self, kind, *fields):
        traffic.keep_alive(self.app.address, [f"/{kind}/{n}" for n in range(COUNT)], *fields)

    def end(self, kind):
        """Spans of weft's and of the SDK's, and all of them together."""
        self.account = self.weft.ps()["counters"]
        own = self.t.stop(self.weft, settle=0.6).under(f"/{kind}/")
        self.app.process.terminate()
        self.app.process.wait(10)
        theirs = self.receiver.spans.under(f"/{kind}/")
        together = Spans([*own, *theirs])
        return own, theirs, together

    def of_app(self, spans, kind):
        """{number: span}: the application's own of one kind, one for each request."""
        mine = spans.where(lambda s: s.resource.get("process.pid") == self.pid)
        return common.once(self.t, mine, range(COUNT), kind, "the application's ")

    def of_sdk(self, spans, kind):
        return common.once(self.t, spans, range(COUNT), kind, "the SDK's ")

    def of_backend(self, spans):
        behind = spans.servers(self.backend.port)
        return common.once(self.t, behind, range(COUNT), common.SERVER, "the backend's ")


def _nothing_of(t, spans, pid):
    t.expect("spans of weft that the SDK makes", [],
             [str(s) for s in spans if s.resource.get("process.pid") == pid][:3])


@case(timeout=INSTALL_S)
def sdk_agent_is_known_at_once(t):
    """Its exports are never seen; the agent in its environment tells."""
    it = Neighbour(t, *APART, agent=True)
    t.expect("what weft ps says", ("Python agent in PYTHONPATH", "left"),
             (it.process.get("sdk"), it.process.get("sdk_spans")))
    it.ask("chain")
    own, theirs, together = it.end("chain")
    _nothing_of(t, own, it.pid)
    clients = it.of_sdk(theirs, common.CLIENT)
    common.joined(t, together, it.of_backend(own), clients)
    t.expect("exports that weft saw", 0, it.account["dropped"]["sdk_export"])


@case(timeout=INSTALL_S)
def sdk_exports_are_seen(t):
    """No agent: from its first export on. What is left out is counted, and told to people."""
    it = Neighbour(t, *APART)
    # what the environment says counts, too, once the SDK is seen to send its own context
    t.expect_true("what weft ps says", it.process.get("sdk") in
                  ("sends spans over OTLP", "OTEL_EXPORTER_OTLP_ENDPOINT"))
    time.sleep(0.6)  # what was under way while warming up
    before = it.weft.ps()["counters"]["dropped"]["sdk_instrumented"]
    it.ask("chain")
    time.sleep(0.6)
    text = t.weft_command("ps", "--socket", it.weft.socket).stdout
    t.expect_true("SDK-instrumented, in the table of weft ps",
                  [line for line in text.splitlines() if line.startswith(f"{it.pid} ")
                   and "SDK-instrumented" in line and "left to it" in line])
    own, theirs, together = it.end("chain")
    t.expect("spans left to the SDK", 2 * COUNT, it.account["dropped"]["sdk_instrumented"] - before)
    t.expect_true("exports that weft saw", it.account["dropped"]["sdk_export"])
    _nothing_of(t, own, it.pid)
    clients = it.of_sdk(theirs, common.CLIENT)
    common.joined(t, together, it.of_backend(own), clients)
    common.all_equal(t, "parent of the SDK's client span", "server",
                     list(clients.values()), lambda s: common.kind_name(together.parent(s).kind))


@case(timeout=INSTALL_S)
def sdk_spans_are_kept(t):
    """--sdk-spans keep: weft makes its own all the same."""
    it = Neighbour(t, "--sdk-spans", "keep", *APART)
    t.expect("what weft ps says", "kept", it.process.get("sdk_spans"))
    it.ask("chain")
    own, _, _ = it.end("chain")
    it.of_app(own, common.SERVER)
    it.of_app(own, common.CLIENT)
    t.expect("left to the SDK", 0, it.account["dropped"]["sdk_instrumented"])


@case(timeout=INSTALL_S)
def sdk_does_not_know_the_library(t):
    """
    A caller's header, and a call by a library that is not instrumented: the SDK's server span is
    the only one, and weft's client span hangs under the caller, which both know.
    """
    it = Neighbour(t, *APART)
    trace, caller = os.urandom(16).hex(), os.urandom(8).hex()
    it.ask("bare", f"traceparent: 00-{trace}-{caller}-01")
    own, theirs, together = it.end("bare")
    t.expect("server spans of weft's at the application", [],
             [str(s) for s in own.servers(it.app.port)][:3])
    calls = it.of_app(own, common.CLIENT)
    common.all_equal(t, "trace and parent of weft's client span", (trace, caller),
                     list(calls.values()), lambda s: (s.trace, s.parent))
    servers = it.of_sdk(theirs, common.SERVER)
    common.all_equal(t, "trace and parent of the SDK's server span", (trace, caller),
                     list(servers.values()), lambda s: (s.trace, s.parent))
    common.joined(t, together, it.of_backend(own), calls)


@case(timeout=INSTALL_S)
def sdk_root_of_what_it_does_not_know(t):
    """Nobody calls: weft's server span stays, for its client span has nothing else to hang on."""
    it = Neighbour(t, *APART)
    it.ask("bare")
    own, _, together = it.end("bare")
    servers, calls = it.of_app(own, common.SERVER), it.of_app(own, common.CLIENT)
    common.joined(t, together, it.of_backend(own), calls)
    common.all_equal(t, "parent of weft's client span", lambda s: servers[s.number].id,
                     list(calls.values()), lambda s: s.parent)


@case(timeout=INSTALL_S, needs=["nginx"])
def sdk_called_by_what_only_weft_knows(t):
    """
    nginx calls and hands on nothing: weft's server span joins the two, and points to the trace that
    the SDK has begun.
    """
    it = Neighbour(t, *APART)
    entry = apps.nginx(t, f"127.0.0.1:{it.app.port}")
    t.stop(it.weft)
    weft = it.weft = t.weft("--pid", it.pid, *[word for pid in entry.pids
                                               for word in ("--pid", pid)], *APART)
    noticed(t, weft, {it.pid}, lambda: traffic.load(entry.address, 5, 1, "/warm/{}"))
    traffic.keep_alive(entry.address, [f"/chain/{n}" for n in range(COUNT)])
    own, theirs, together = it.end("chain")
    servers = it.of_app(own, common.SERVER)
    common.joined(t, together, servers, common.once(
        t, own.clients(it.app.port), range(COUNT), common.CLIENT, "nginx's "))
    sdk_clients = it.of_sdk(theirs, common.CLIENT)
    common.all_equal(t, "link of weft's server span",
                     lambda s: [(sdk_clients[s.number].trace, sdk_clients[s.number].id)],
                     list(servers.values()), lambda s: s.links)


@case()
def untrusted_sender_is_linked(t):
    """
    --propagate-trust none: a trace of its own, with a link; else a child, with the tracestate.
    """
    app = apps.raw(t)
    trace, caller = os.urandom(16).hex(), os.urandom(8).hex()
    fields = [f"traceparent: 00-{trace}-{caller}-01", "tracestate: a=1", "Tracestate: b=2"]
    for trust in ("none", "loopback"):
        weft = t.weft("--pid", app.process.pid, "--propagate-trust", trust)
        traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(5)], *fields)
        spans = list(common.once(t, t.stop(weft), range(5), common.SERVER).values())
        foreign = trust == "none"
        common.all_equal(t, f"{trust}: in the sender's trace", not foreign, spans,
                         lambda s: (s.trace, s.parent) == (trace, caller))
        common.all_equal(t, f"{trust}: links", [(trace, caller)] if foreign else [], spans,
                         lambda s: s.links)
        common.all_equal(t, f"{trust}: their trace states", ["a=1,b=2"] if foreign else [], spans,
                         lambda s: s.link_states)
        common.all_equal(t, f"{trust}: trace state", "" if foreign else "a=1,b=2", spans,
                         lambda s: s.state)


DECODE = """
import json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

def ids(text):
    import base64
    return base64.b64decode(text).hex()

for line in sys.stdin:
    request = MessageToDict(ExportTraceServiceRequest.FromString(bytes.fromhex(line)))
    for group in request["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for one in [span, *span.get("links", [])]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in one:
                            one[key] = ids(one[key])
                span["kind"] = ["", "INTERNAL", "SERVER", "CLIENT"].index(span["kind"][10:])
    print(json.dumps(request))
"""


def _all_of(span):
    return (span.trace, span.id, span.parent, span.name, span.start, span.end, span.state,
            span.links, span.link_states, span.flags, sorted(span.attributes))


@case(timeout=INSTALL_S)
def otlp_is_read_by_others(t):
    """What weft sends, links and trace state too, is what OpenTelemetry's own decoder reads."""
    python = apps.sdk_python(t)
    app, receiver = apps.raw(t), Receiver(t, bodies=True)
    trace, caller = os.urandom(16).hex(), os.urandom(8).hex()
    for trust in ("none", "loopback"):
        weft = t.weft("--pid", app.process.pid, "--propagate-trust", trust,
                      exports=[receiver.url], env=FAST)
        traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(5)],
                           f"traceparent: 00-{trace}-{caller}-01", "tracestate: a=1")
        t.expect("exit status of weft", 0, weft.stop())
    mine = receiver.spans
    t.expect("spans", 10, len(mine))
    t.expect("links", 5, sum(len(s.links) for s in mine))
    bodies = "".join(note["body"] + "\n" for note in receiver.requests)
    done = subprocess.run([python, "-c", DECODE], input=bodies, capture_output=True, text=True,
                          timeout=30)
    t.expect("errors of the decoder", "", done.stderr)
    others = [span for line in done.stdout.splitlines()
              for span in spans_of_request(json.loads(line))]
    t.expect("the spans, as the decoder reads them", sorted(map(_all_of, mine)),
             sorted(map(_all_of, others)))
