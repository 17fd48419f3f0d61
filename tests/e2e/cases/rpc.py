# SPDX-License-Identifier: Apache-2.0
"""gRPC: every call is one span at each end, named by its method, with the status that it had."""

import json
import subprocess
from collections import Counter

import apps
import common
from case import Skip, case

COUNT = 100
STATUS = {"Unary": "OK", "ServerStream": "OK", "ClientStream": "OK", "Both": "OK",
          "NotFound": "NOT_FOUND", "Internal": "INTERNAL", "Denied": "PERMISSION_DENIED",
          "Unknown": "UNIMPLEMENTED"}
SERVER_ERRORS = {"INTERNAL", "UNIMPLEMENTED"}


def _kind(span):
    return span["rpc.method"].split("/")[1].split("_")[0]


def _counts(spans, kind):
    return dict(Counter(f"{_kind(s)} {s['rpc.response.status_code']}" for s in spans
                        if s.kind == kind and _kind(s) != "Slow"))


def _outcome(span):
    status = STATUS[_kind(span)]
    bad = status in SERVER_ERRORS if span.kind == common.SERVER else status != "OK"
    return (common.ERROR, status) if bad else (common.UNSET, None)


@case(timeout=120)
def grpc_python(t):
    """The four kinds of calls and those that fail, 16 threads on one connection."""
    if not apps.python_has("grpc"):
        raise Skip("Python has no grpc (python3-grpcio)")
    app = apps.grpc_python(t)
    weft = t.weft("--port", app.port)
    done = subprocess.run([*apps.GRPC_PYTHON, "call", str(app.port), str(COUNT), "16"],
                          capture_output=True, text=True, timeout=90)
    told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr
    wanted = {f"{kind} {status}": COUNT for kind, status in STATUS.items()}
    t.expect("what the client has met", {**wanted, "Slow DEADLINE_EXCEEDED": 3}, told)
    spans = t.stop(weft)
    t.expect("client spans", wanted, _counts(spans, common.CLIENT))
    t.expect("server spans", wanted, _counts(spans, common.SERVER))
    common.all_equal(t, "name", lambda s: s["rpc.method"], spans, lambda s: s.name)
    common.all_equal(t, "rpc.system.name", "grpc", spans, lambda s: s["rpc.system.name"])
    common.all_equal(t, "server.port", app.port, spans, lambda s: s["server.port"])
    usual = [s for s in spans if _kind(s) != "Slow"]
    common.all_equal(t, "status and error.type", _outcome, usual,
                     lambda s: (s.status, s["error.type"]))
    wrong = [s for s in spans if s.kind == common.SERVER and
             (not (above := spans.parent(s)) or above["rpc.method"] != s["rpc.method"])]
    t.expect("server spans whose client span is not directly above", [], [str(s) for s in wrong][:3])
    slow = Counter(s.kind for s in spans if _kind(s) == "Slow")
    t.expect("spans of calls that were given up", {common.SERVER: 3, common.CLIENT: 3}, dict(slow))
    t.note(f"{len(spans)} spans of {COUNT * len(STATUS) + 3} calls")
