# SPDX-License-Identifier: Apache-2.0
"""How exchanges end, and what is no exchange at all."""

import os
import socket
import struct
import subprocess
import threading
import time

import apps
import common
import traffic
from case import case
from traffic import Broken, Client


def _started(t):
    app = apps.raw(t)
    return app, t.weft("--port", app.port)


def _expect_broken(t, client):
    try:
        answer = client.answer()
        t.fail(f"the connection ought to break, an answer of {answer.status} came")
    except (Broken, ConnectionError):
        pass
    client.close()


@case()
def upgrade(t):
    """The span ends at 101; what follows is opaque, even where it looks like HTTP."""
    app, weft = _started(t)
    client = Client(app.address)
    answer = client.get("/upgrade/0/1", "Connection: Upgrade", "Upgrade: echo")
    t.expect("status", 101, answer.status)
    opaque = traffic.head("GET", "/plain/0/2") + os.urandom(3000)
    time.sleep(0.1)
    for _ in range(5):
        client.send(opaque)
        t.expect("bytes that come back are the same", True, client.take(len(opaque)) == opaque)
    client.close()
    spans = t.stop(weft)
    common.exchanges(t, spans, [1], app.port, status=101)
    common.all_equal(t, "the span ends at 101, not when the connection does", True, spans,
                     lambda s: s.milliseconds < 90)


@case()
def connect(t):
    app, weft = _started(t)
    client = Client(app.address)
    client.send(traffic.head("CONNECT", "db.example:443", host="db.example:443"))
    t.expect("status", 200, client.answer("CONNECT").status)
    opaque = traffic.head("GET", "/plain/0/2")
    for _ in range(5):
        client.send(opaque)
        t.expect("bytes that come back are the same", opaque, client.take(len(opaque)))
    client.close()
    spans = t.stop(weft)
    t.expect("methods of all spans", ["CONNECT", "CONNECT"],
             [s["http.request.method"] for s in spans])
    common.all_equal(t, "status code", 200, spans, lambda s: s["http.response.status_code"])
    t.expect("spans of each kind", [1, 1], [len(spans.servers()), len(spans.clients())])


@case()
def close_delimited(t):
    """The end of the connection is the end of the body, and no error."""
    app, weft = _started(t)
    sizes = [0, 1, 5000, 200000]
    for n, size in enumerate(sizes):
        client = Client(app.address)
        body = client.get(f"/until-close/{size}/{n}").body
        t.expect("size of the body that came", size, len(body))
        client.close()
    spans = t.stop(weft)
    common.exchanges(t, spans, range(len(sizes)), app.port)
    common.all_equal(t, "http.response.body.size", lambda s: sizes[s.number], spans,
                     lambda s: s["http.response.body.size"] or 0)


@case()
def head_larger_than_the_capture(t):
    """The span is kept and marked; the connection goes on."""
    app, weft = _started(t)
    client = Client(app.address)
    for n, size in enumerate((8192, 12000, 40000)):
        client.get(f"/plain/0/{n}", "X-Big: " + "g" * size)
        client.get(f"/plain/0/{n + 100}")
    spans = t.stop(weft)
    servers, clients = common.exchanges(t, spans, [0, 1, 2, 100, 101, 102], app.port)
    for span in [*servers.values(), *clients.values()]:
        t.expect(f"weft.truncated of {span}", True if span.number < 100 else None,
                 span["weft.truncated"])


@case()
def large_head_with_a_body(t):
    """A body behind a head that is larger than the capture: its length stands before the cut."""
    app, weft = _started(t)
    client = Client(app.address)
    for n in range(5):
        client.send(traffic.head("POST", f"/plain/0/{n}", "Content-Length: 300",
                                 "X-Big: " + "g" * 12000) + b"b" * 300)
        client.answer()
        client.get(f"/plain/0/{n + 100}")
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number < 100), range(5), app.port, method="POST")
    common.exchanges(t, spans.where(lambda s: s.number >= 100), range(100, 105), app.port)


@case()
def reset_in_the_answer(t):
    app, weft = _started(t)
    for n in range(5):
        client = Client(app.address)
        client.send(traffic.head("GET", f"/half-reset/{n * 10}/{n}"))
        _expect_broken(t, client)
    spans = t.stop(weft)
    common.once(t, spans, range(5), common.SERVER)
    common.once(t, spans, range(5), common.CLIENT)
    common.failed(t, "reset by the server", spans)


@case()
def close_in_the_answer(t):
    app, weft = _started(t)
    for n in range(5):
        client = Client(app.address)
        client.send(traffic.head("GET", f"/half-close/{n * 10}/{n}"))
        _expect_broken(t, client)
    spans = t.stop(weft)
    common.once(t, spans, range(5), common.SERVER)
    common.once(t, spans, range(5), common.CLIENT)
    common.failed(t, "closed in the body", spans)


@case()
def close_without_an_answer(t):
    app, weft = _started(t)
    for n in range(5):
        client = Client(app.address)
        client.send(traffic.head("GET", f"/no-answer/0/{n}"))
        _expect_broken(t, client)
    spans = t.stop(weft)
    common.once(t, spans, range(5), common.SERVER)
    common.once(t, spans, range(5), common.CLIENT)
    common.failed(t, "closed without an answer", spans)


@case()
def client_gives_up(t):
    """The client closes, or resets, while it waits."""
    app, weft = _started(t)
    for n in range(6):
        client = Client(app.address)
        client.send(traffic.head("GET", f"/slow/150/{n}"))
        time.sleep(0.05)
        if n % 2:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    time.sleep(0.3)
    spans = t.stop(weft)
    common.once(t, spans, range(6), common.SERVER)
    clients = common.once(t, spans, range(6), common.CLIENT)
    common.failed(t, "given up by the client", list(clients.values()))
    resets = [s for s in spans.servers() if s.number % 2]
    common.failed(t, "reset by the client", resets)


@case()
def peer_vanishes(t):
    """The network goes away: the kernel's timeout ends the exchange."""
    app, weft = _started(t)
    client = Client(app.address, 8)
    client.get("/plain/0/1")
    tcp = [(socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 1),
           (socket.TCP_USER_TIMEOUT, 1500)]
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in tcp:
        client.sock.setsockopt(socket.IPPROTO_TCP, option, value)
    client.send(traffic.head("GET", "/slow/20000/2"))
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    try:
        client.answer()
        t.fail("an answer came over a link that is down")
    except OSError as error:
        t.note(f"the client got {type(error).__name__}")
    except Broken:
        t.note("the client saw an orderly end")
    client.close()
    spans = t.stop(weft)
    common.failed(t, "timed out", spans.clients().numbered(2))


def _garbage():
    """First bytes that begin like HTTP, or not at all, and never become a request."""
    yield b"GET "
    yield b"GET /half HTTP/1.1\r\nHost: a\r\n"
    yield b"GET /nul\0byte HTTP/1.1\r\n\r\n"
    yield b"GETX\0\x01\x02\x03" * 20
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    yield b"GET /no-version\r\n\r\n"
    yield b"GET /bad-version HTTP/9.9\r\n\r\n"
    yield b"\r\n\r\n\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40)
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    yield b"POST " + b"A" * 70000
    yield os.urandom(5000)


@case()
def garbage(t):
    """No span, nothing broken: the server goes on, good requests are seen."""
    app, weft = _started(t)
    for n, data in enumerate(_garbage()):
        with traffic.connect(app.address) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            except (ConnectionError, BrokenPipeError):
                pass
        traffic.keep_alive(app.address, [f"/plain/0/{n}"])
    spans = t.stop(weft)
    common.exchanges(t, spans.under("/plain/"), range(12), app.port)
    t.expect("spans of what was no request", [],
             [str(s) for s in spans if not s.path.startswith("/plain/")])


def _echo_exactly(listener):
    """Accepts one connection and sends back everything."""
    sock, _ = listener.accept()
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)


@case()
def other_protocols(t):
    """Redis-like and binary traffic makes no span, and its bytes are exact."""
    port, http = t.port(), apps.raw(t)
    weft = t.weft("--port", f"{port},{http.port}")
    listener = socket.create_server(("127.0.0.1", port))
    lines = [b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", b"+PONG\r\n", bytes(range(256)),
             b"\x00\x00\x00\x10" + os.urandom(16), b"$-1\r\n", b"GET key\r\n", b"QUIT\r\n"]
    for _ in range(20):
        thread = threading.Thread(target=_echo_exactly, args=(listener,))
        thread.start()
        client = Client(("127.0.0.1", port))
        for line in lines:
            client.send(line)
            t.expect("the bytes that come back", line, client.take(len(line)))
        big = os.urandom(100000)
        client.send(big[:50000])
        t.expect("many bytes come back the same", True, client.take(50000) == big[:50000])
        client.close()
        thread.join()
    traffic.keep_alive(http.address, ["/plain/0/1"])
    spans = t.stop(weft)
    t.expect("spans", [], [str(s) for s in spans if s["server.port"] != http.port])
    common.exchanges(t, spans, [1], http.port)


@case(needs=["nginx"])
def large_download_is_exact(t):
    """Bytes are untouched under weft, also when it starts and dies in the middle."""
    app = apps.nginx(t)
    data = os.urandom(20_000_000)
    with open(t.path("www", "hello.txt"), "wb") as handle:
        handle.write(data)
    results = []
    threads = [threading.Thread(target=lambda: results.append(
        Client(app.address, 30).get("/file/1").body == data)) for _ in range(12)]
    weft = None
    for i, thread in enumerate(threads):
        thread.start()
        if i == 4:
            weft = t.weft("--port", app.port)
        if i == 8:
            weft.kill()
    for thread in threads:
        thread.join()
    t.expect("downloads that came whole and the same", [True] * len(threads), results)
