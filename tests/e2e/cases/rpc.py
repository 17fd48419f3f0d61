# SPDX-License-Identifier: Apache-2.0
"""gRPC: every call is one span at each end, named by its method, with the status that it had."""

import json
import subprocess
from collections import Counter

import common
import grpc_peers
import propagation
from case import case

COUNT, THREADS = 100, 16
STATUS = {"Unary": "OK", "ServerStream": "OK", "ClientStream": "OK", "Both": "OK",
          "NotFound": "NOT_FOUND", "Internal": "INTERNAL", "Denied": "PERMISSION_DENIED",
          "Unknown": "UNIMPLEMENTED"}
GIVEN_UP = {"Slow": "DEADLINE_EXCEEDED", "Cancel": "CANCELLED"}
STREAMS = {"ServerStream", "ClientStream", "Both", "Cancel"}
MESSAGES = {"Unary": (1, 1), "ServerStream": (1, 5), "ClientStream": (5, 1), "Both": (5, 5)}
SERVER_ERRORS = {"INTERNAL", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"}


def kind_of(span):
    return span["rpc.method"].split("/")[1].split("_")[0]


def calls_of(count, has=lambda kind: True):
    """{"KIND STATUS": calls} of a client that makes `count` of each kind of calls."""
    return {f"{kind} {status}": n for known, n in ((STATUS, count), (GIVEN_UP, 3))
            for kind, status in known.items() if has(kind)}


def right_parents(t, spans, least=1.0):
    """`least`: the part of server spans that has a parent; none has another call's."""
    above = [(s, spans.parent(s)) for s in spans if s.kind == common.SERVER]
    wrong = [s for s, parent in above if parent and parent["rpc.method"] != s["rpc.method"]]
    t.expect("server spans below another method's span", [], [str(s) for s in wrong][:3])
    t.expect_range(f"server spans with a client span directly above, of {len(above)}", least * len(above), len(above),
                   sum(parent is not None for _, parent in above))


def _told(spans, kind):
    return dict(Counter(f"{kind_of(s)} {s['rpc.response.status_code']}" for s in spans if s.kind == kind))


def _outcome(span):
    status = span["rpc.response.status_code"]
    bad = status in SERVER_ERRORS if span.kind == common.SERVER else status != "OK"
    return (common.ERROR, status) if bad else (common.UNSET, None)


def call(t, words, port, *more, threads=THREADS):
    """The client's calls, so many at a time; {"KIND STATUS": calls} as it has met them."""
    done = subprocess.run([*words, "call", str(port), str(COUNT), str(threads), *more],
                          capture_output=True, text=True, timeout=90)
    if not t.expect_true(f"the client has ended well: {done.stderr[-300:]}", done.stdout):
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def check(t, spans, port, wanted, least=1.0):
    t.expect("client spans", wanted, _told(spans, common.CLIENT))
    # who gives a call up first is the two ends' own affair, and what its server says of it, too
    servers = Counter(kind_of(s) for s in spans if s.kind == common.SERVER)
    t.expect("server spans", {k.split()[0]: n for k, n in wanted.items()}, dict(servers))
    t.expect("server spans of calls that were not given up",
             {k: n for k, n in wanted.items() if k.split()[0] in STATUS},
             _told([s for s in spans if kind_of(s) in STATUS], common.SERVER))
    common.all_equal(t, "name", lambda s: s["rpc.method"], spans, lambda s: s.name)
    common.all_equal(t, "rpc.system.name", "grpc", spans, lambda s: s["rpc.system.name"])
    common.all_equal(t, "server.port", port, spans, lambda s: s["server.port"])
    counted = [s for s in spans if kind_of(s) in MESSAGES]
    common.all_equal(t, "response messages", lambda s: MESSAGES[kind_of(s)][1], counted,
                     lambda s: s["weft.rpc.response.messages"])
    # a server may answer before it has heard that the client has said all: then it is not told
    heard = [s for s in counted if s["weft.rpc.request.messages"] is not None]
    common.all_equal(t, "request messages", lambda s: MESSAGES[kind_of(s)][0], heard,
                     lambda s: s["weft.rpc.request.messages"])
    t.expect_range("spans with request messages", 0.95 * len(counted), len(counted), len(heard))
    common.all_equal(t, "status and error.type", _outcome, spans, lambda s: (s.status, s["error.type"]))
    right_parents(t, spans, least)


def _peer(name, words, long=False):
    """Every kind of call, between two of one language."""
    @case(name=f"grpc_{name}", timeout=900 if long else 240, long=long)
    def _(t):
        program = words(t)
        app = grpc_peers.serve(t, program)
        weft = t.weft("--port", app.port)
        wanted = calls_of(COUNT)
        t.expect("what the client has met", wanted, call(t, program, app.port))
        spans = t.stop(weft)
        check(t, spans, app.port, wanted)
        given_up = [(s.kind, kind_of(s), s["rpc.response.status_code"]) for s in spans if kind_of(s) in GIVEN_UP]
        t.note(f"{len(spans)} spans of {sum(wanted.values())} calls; servers of those given up: "
               f"{dict(Counter(g[1:] for g in given_up if g[0] == common.SERVER))}")


_peer("python", grpc_peers.python)
_peer("go", grpc_peers.go)
_peer("node", grpc_peers.node)
_peer("java", grpc_peers.java, long=True)  # its Maven plugins, and half a minute of them
_peer("rust", grpc_peers.rust, long=True)  # a minute of compiling
_peer("cpp", grpc_peers.cpp, long=True)  # a package of 60 MB with its like


def _proxy(name, proxy):
    """A proxy between the two, 100 calls at a time: four spans for each, each below the one before."""
    @case(name=f"grpc_proxy_{name}", timeout=240)
    def _(t):
        program = grpc_peers.go(t)
        app = grpc_peers.serve(t, program)
        entry = proxy(t, app.port)
        weft = t.weft("--port", f"{entry.port},{app.port}", "--inject", "auto")
        wanted = calls_of(COUNT)
        # at a call's deadline the proxy may be faster than the client to say so, in its own words
        told = {k: n for k, n in call(t, program, entry.port, threads=100).items() if not k.startswith("Slow")}
        t.expect("what the client has met", {k: n for k, n in wanted.items() if not k.startswith("Slow")}, told)
        spans = t.stop(weft)
        counts = {k.split()[0]: n for k, n in wanted.items()}
        through = entry.pids

        def of(kind, inside):
            return spans.where(lambda s: s.kind == kind and (s.resource.get("process.pid") in through) == inside)

        for what, some in (("clients", of(common.CLIENT, False)), ("the proxy as server", of(common.SERVER, True)),
                           ("the proxy as client", of(common.CLIENT, True)), ("servers", of(common.SERVER, False))):
            t.expect(f"spans of {what}", counts, dict(Counter(kind_of(s) for s in some)))
        t.expect("client spans", told, _told([s for s in of(common.CLIENT, False) if kind_of(s) != "Slow"],
                                             common.CLIENT))
        right_parents(t, spans)
        inner = of(common.CLIENT, True)
        wrong = [s for s in inner if (above := spans.parent(s)) and above["rpc.method"] != s["rpc.method"]]
        t.expect("the proxy's client spans below another call's", 0, len(wrong))
        chains = sum(1 for s in inner if spans.parent(s))
        # where each head has a header, the proxy hands on what tells them apart
        if propagation.mode(t) == "every":
            t.expect_range("whole chains, %", 99.5, 100.0, 100 * chains / len(inner))
        t.note(f"{len(spans)} spans of {sum(wanted.values())} calls, {chains} whole chains")


_proxy("nginx", grpc_peers.nginx)
_proxy("haproxy", grpc_peers.haproxy)


@case(timeout=120)
def grpc_older_names(t):
    """OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup: the names of before the stable ones, too."""
    program = grpc_peers.python(t)
    app = grpc_peers.serve(t, program)
    weft = t.weft("--port", app.port, env={"OTEL_SEMCONV_STABILITY_OPT_IN": "http,rpc/dup"})
    wanted = calls_of(COUNT)
    t.expect("what the client has met", wanted, call(t, program, app.port))
    spans = t.stop(weft)
    check(t, spans, app.port, wanted)
    numbers = {"OK": 0, "CANCELLED": 1, "DEADLINE_EXCEEDED": 4, "NOT_FOUND": 5, "PERMISSION_DENIED": 7,
               "UNIMPLEMENTED": 12, "INTERNAL": 13}
    common.all_equal(t, "rpc.system", "grpc", spans, lambda s: s["rpc.system"])
    common.all_equal(t, "rpc.service", "weft.Test", spans, lambda s: s["rpc.service"])
    common.all_equal(t, "rpc.grpc.status_code", lambda s: numbers.get(s["rpc.response.status_code"]), spans,
                     lambda s: s["rpc.grpc.status_code"])
