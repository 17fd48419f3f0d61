#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC's own library for Python at both ends: README.md."""
import collections
import concurrent.futures
import json
import sys
import threading
import time

import grpc

KINDS = ("Unary", "ServerStream", "ClientStream", "Both")
FAILING = {"NotFound": grpc.StatusCode.NOT_FOUND, "Internal": grpc.StatusCode.INTERNAL,
           "Denied": grpc.StatusCode.PERMISSION_DENIED}


def unary(request, context):
    return request


def refuse(status):
    return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(status, "as asked"))


def stream(request, _):
    for _ in range(5):
        yield request


def collect(requests, _):
    return b"".join(requests)


def both(requests, _):
    yield from requests


def slow(request, context):
    time.sleep(1)
    return request


def endless(request, context):
    yield request
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(30)


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(collect),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "Cancel": grpc.unary_stream_rpc_method_handler(endless),
    **{name: refuse(status) for name, status in FAILING.items()},
}


class Handler(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        return HANDLERS.get(handler_call_details.method.split("/")[-1].split("_")[0])


def read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(port, certificate=None, key=None):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
    server.add_generic_rpc_handlers((Handler(),))
    if certificate:
        server.add_secure_port(f"127.0.0.1:{port}",
                               grpc.ssl_server_credentials([(read(key), read(certificate))]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def one(channel, kind, number):
    path = f"/weft.Test/{kind}_{number}"
    parts = [b"x" * 100] * 5
    try:
        if kind == "ServerStream":
            list(channel.unary_stream(path)(parts[0], timeout=30))
        elif kind == "ClientStream":
            channel.stream_unary(path)(iter(parts), timeout=30)
        elif kind == "Both":
            list(channel.stream_stream(path)(iter(parts), timeout=30))
        elif kind == "Cancel":
            stream = channel.unary_stream(path)(parts[0], timeout=30)
            for _ in stream:
                stream.cancel()
        elif kind == "Slow":
            channel.unary_unary(path)(parts[0], timeout=0.3)
        else:
            channel.unary_unary(path)(parts[0], timeout=30)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def connect(port, certificate):
    if not certificate:
        return grpc.insecure_channel(f"127.0.0.1:{port}")
    return grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(read(certificate)),
                               [("grpc.ssl_target_name_override", "wire")])


def call(port, count, threads, certificate=None):
    kinds = [*KINDS, *FAILING, "Unknown"]
    counts = collections.Counter()
    with connect(port, certificate) as channel:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            work = [(kind, n) for n in range(count) for kind in kinds]
            counts.update(pool.map(lambda w: f"{w[0]} {one(channel, *w)}", work))
        counts.update(f"{kind} {one(channel, kind, n)}" for kind in ("Slow", "Cancel") for n in range(3))
        time.sleep(1.2)  # until the slow ones are over at the server, too
    print(json.dumps(counts))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), *sys.argv[3:5])
    else:
        call(*(int(word) for word in sys.argv[2:5]), *sys.argv[5:6])
