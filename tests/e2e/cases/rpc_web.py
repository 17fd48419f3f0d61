# SPDX-License-Identifier: Apache-2.0
"""
Connect and gRPC-Web, over both versions of HTTP: every call is one span at each end, with the status
that it had where heads tell it.
"""

import json
import subprocess
from collections import Counter

import common
import grpc_peers
from case import case
from rpc import GIVEN_UP, STATUS, STREAMS, calls_of, kind_of, right_parents

COUNT, THREADS = 40, 8

# (error.type of the client's span, of the server's) where the call has no status that is known
BY_HTTP = {"Internal": ("500", "500")}


def _status(kind, protocol):
    """What the client's span says of such a call: heads tell it, or a reset does; None: the body had it."""
    status = {**STATUS, **GIVEN_UP}[kind]
    if protocol == "grpc":
        return status
    if kind in ("Slow", "Unknown", "Cancel"):  # no answer, or none of the protocol's own
        return status if protocol == "grpc-web" else status.lower().replace("cancelled", "canceled")
    if protocol == "grpc-web" or kind in STREAMS or kind in BY_HTTP or status == "OK":
        return None
    return status.lower()


def _client_outcome(kind, version, protocol):
    """(status, error.type, span's status)."""
    status = _status(kind, protocol)
    if kind == "Cancel" and version == "1":  # there it ends the connection
        return None, "connection_closed", common.ERROR
    error = status if status != "OK" else None
    if protocol.startswith("connect") and kind in BY_HTTP:
        error = BY_HTTP[kind][0]
    return status, error, common.ERROR if error else common.UNSET


def _protocol(version, protocol):
    @case(name=f"{protocol.replace('-', '_')}_http{version}", timeout=120)
    def _(t):
        program = grpc_peers.connect(t)
        app = grpc_peers.serve(t, program, version)
        weft = t.weft("--port", app.port)
        wanted = calls_of(COUNT, lambda kind: not (kind == "Both" and version == "1") and
                          not (protocol == "connect-get" and kind in STREAMS))
        done = subprocess.run([*program, "call", str(app.port), str(COUNT), str(THREADS), version, protocol],
                              capture_output=True, text=True, timeout=60)
        t.expect("what the client has met", wanted,
                 json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr[-300:])
        spans = t.stop(weft)
        counts = {k.split()[0]: n for k, n in wanted.items()}
        for kind in (common.CLIENT, common.SERVER):
            t.expect(f"{common.kind_name(kind)} spans", counts,
                     dict(Counter(kind_of(s) for s in spans if s.kind == kind)))
        clients = [s for s in spans if s.kind == common.CLIENT]
        common.all_equal(t, "rpc.response.status_code, error.type, status",
                         lambda s: _client_outcome(kind_of(s), version, protocol), clients,
                         lambda s: (s["rpc.response.status_code"], s["error.type"], s.status))
        common.all_equal(t, "rpc.system.name", "connectrpc" if protocol.startswith("connect") else "grpc",
                         spans, lambda s: s["rpc.system.name"])
        common.all_equal(t, "network.protocol.version", "1.1" if version == "1" else "2", spans,
                         lambda s: s["network.protocol.version"])
        right_parents(t, spans)
        t.note(f"{len(spans)} spans of {sum(wanted.values())} calls")


for _version, _name in (("2", "connect"), ("2", "connect-get"), ("2", "grpc"), ("2", "grpc-web"),
                        ("1", "connect"), ("1", "connect-get"), ("1", "grpc-web")):
    _protocol(_version, _name)
