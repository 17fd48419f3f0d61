# SPDX-License-Identifier: Apache-2.0
"""How answers are read, how connections end, and what no request is."""

import fcntl
import os
import select
import socket
import struct
import termios
import time

import client_main
import traffic
from propagation import MAY, MUST

# --- readers: each takes what is there, up to `size` bytes ----------------------------------------


def _readable(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLRDHUP)
    if not poll.poll(client_main.STALL_S * 1000):
        raise TimeoutError("poll() sees nothing to read")


def _available(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4))[0]


def _by_fionread(sock, size):
    """
    Asks how much there is, until there is something, and reads just that. Where the answer is
    always 0 a real program stalls for ever; this one says so.
    """
    _readable(sock)
    limit = time.monotonic() + client_main.STALL_S
    while not (there := _available(sock)):
        if time.monotonic() > limit:
            raise TimeoutError("FIONREAD tells 0 though poll() sees something to read")
    return sock.recv(min(there, size))


def _by_peek(sock, size):
    seen = sock.recv(size, socket.MSG_PEEK)
    got = sock.recv(len(seen)) if seen else b""
    if got != seen:
        raise ValueError("MSG_PEEK showed other bytes")
    return got


def _by_poll(sock, size):
    _readable(sock)
    return sock.recv(size, socket.MSG_DONTWAIT)


def _by_splice(sock, size):
    reader, writer = os.pipe()
    _readable(sock)
    try:
        moved = os.splice(sock.fileno(), writer, min(size, 60000))
        return os.read(reader, moved) if moved else b""
    finally:
        os.close(reader)
        os.close(writer)


def _by_scatter(sock, size):
    parts = [bytearray(n) for n in (1, 2, 3, 1000, 60000)]
    got = sock.recvmsg_into(parts)[0]
    return b"".join(parts)[:got]


def _blocking(sock, size):
    """In a call that waits: Python's own time limit makes sockets that do not."""
    sock.settimeout(None)
    limit = struct.pack("ll", int(client_main.STALL_S), 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    return sock.recv(size)


class _Reading(traffic.Client):
    """A client with a way to read of its own."""
    read = staticmethod(socket.socket.recv)

    def fill(self):
        piece = self.read(self.sock, 65536)
        if not piece:
            raise traffic.Broken("closed by the server")
        self.buffer += piece


class _EdgeTriggered(traffic.Client):
    """Waits for edges of epoll, and reads all there is at each."""

    def __init__(self, address, timeout):
        super().__init__(address, timeout)
        self.sock.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.sock, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def send(self, data):
        while data:
            try:
                data = data[self.sock.send(data):]
            except BlockingIOError:
                if not select.select([], [self.sock], [], client_main.STALL_S)[1]:
                    raise TimeoutError("no room to send for too long") from None

    def fill(self):
        limit = time.monotonic() + client_main.STALL_S
        while time.monotonic() < limit:
            try:
                piece = self.sock.recv(65536)
                if not piece:
                    raise traffic.Broken("closed by the server")
                self.buffer += piece
                return
            except BlockingIOError:
                self.epoll.poll(client_main.STALL_S)
        raise TimeoutError("no edge")


def _kinds():
    for read in (_by_fionread, _by_peek, _by_poll, _by_splice, _by_scatter, _blocking):
        yield type(read.__name__, (_Reading,), {"read": staticmethod(read)})
    yield _EdgeTriggered


def reads(run):
    """Answers of 8 bytes to 4 MiB, read in every way, on kept connections and on new ones."""
    for kind in _kinds():
        kept = run.connect(kind)
        for answer in (8, 100, 5000, 65536, 300_000, 8):
            run.exchange(kept, run.request(answer=answer))
            client = run.connect(kind)
            run.exchange(client, run.request(answer=answer))
            client.close()
        run.exchange(kept, run.request(answer=4 << 20))
        run.exchange(kept, run.request(answer=1, method="POST", body=200_000))
        kept.close()


def fionread(run):
    """A program that asks FIONREAD before every read: its speed is measured."""
    kind = type("_by_fionread", (_Reading,), {"read": staticmethod(_by_fionread)})
    for _ in range(10):
        kept = run.connect(kind)
        for _ in range(20):
            run.exchange(kept, run.request(answer=2000))
        kept.close()


# --- ends -----------------------------------------------------------------------------------------


def half_closed(run):
    """The client says that it sends no more, then reads the answer and the server's end."""
    def send(client, request):
        client.send(request.data)
        client.sock.shutdown(socket.SHUT_WR)
    for body in (0, 300, 70_000):
        for answer in (8, 300_000):
            client = run.connect()
            request = run.request(method="POST", body=body, answer=answer)
            run.exchange(client, request, MUST, send)
            if client.rest():
                run.report.error(request.number, "bytes behind the answer")
            client.close()


def left(run):
    """The client closes at once; what it sent arrives."""
    for body in (0, 300, 70_000, 1 << 20):
        request = run.request(method="POST", body=body)
        run.note(request, MUST)
        client = run.connect()
        run.timed(request.number, lambda client=client, request=request: client.send(request.data))
        client.close()
    for _ in range(20):
        run.connect().close()


def reset(run):
    """The client ends with RST once it has its answer."""
    for _ in range(10):
        client = run.connect()
        run.exchange(client, run.request())
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


# --- tunnels --------------------------------------------------------------------------------------


def _opaque_pieces():
    """What may pass through a tunnel; much of it looks like a request."""
    yield traffic.head("GET", "/wire/p/0/8/99999999")
    yield traffic.head("POST", "/wire/p/5/8/99999999", "Content-Length: 5") + b"abcde"
    yield b"\x81\x85\x00\x00\x00\x00hello"
    yield b"GET "
    yield b"/wire/p/0/8/99999999 HTTP/1.1\r\nHost: a\r\n\r\n"
    yield b"\r\n\r\n" + traffic.head("GET", "/")
    yield os.urandom(20_000)
    yield traffic.head("GET", "/wire/p/0/8/99999999") * 100


def _tunnel(run, request, status, early):
    """`early`: bytes that leave in one call with the request."""
    def begin():
        client.send(request.data + early)
        answer = client.until(b"\r\n\r\n")
        if not answer.startswith(f"HTTP/1.1 {status} ".encode()):
            raise ValueError(f"expected {status}, got {answer[:60]!r}")
        if client.take(len(early)) != early:
            raise ValueError("bytes sent along with the request came back changed")
    client = run.connect()
    run.note(request, MAY)
    run.timed(request.number, begin)
    run.echo(client, _opaque_pieces())
    client.close()


def tunnels(run):
    """Upgrade and CONNECT: what follows is nobody's business."""
    for early in (b"", traffic.head("GET", "/wire/p/0/8/99999999"), os.urandom(300)):
        _tunnel(run, run.request("Connection: Upgrade", "Upgrade: wire", kind="u"), 101, early)
        connect = run.request(method="CONNECT")
        connect.head = b"CONNECT %08d.wire:443 HTTP/1.1\r\nHost: wire:443\r\n\r\n" % connect.number
        _tunnel(run, connect, 200, early)


def upgrades_refused(run):
    """The server goes on with HTTP/1, as may weft."""
    client = run.connect()
    h2c = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    for fields in (h2c, ["Connection: Upgrade", "Upgrade: websocket"], [], []):
        run.exchange(client, run.request(*fields), MAY)
    client.close()


# --- other protocols ------------------------------------------------------------------------------

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
FIRST_BYTES = (
    HELLO, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"*1\r\n$4\r\nPING\r\n", b"PING\r\n",
    b"GET key\r\n", b"get key\r\n", b"SET key value\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"EHLO wire.example\r\n", b"GET / HTTP/2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"\0\0\0\x08\x04\xd2\x16/",
    b"OPTIONS rtsp://wire/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"GETX / HTTP/1.1",
    b"INVITE sip:a@wire SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n\r\n", b"GET / HTTP/1.1\0\r\n\r\n",
    b"\r\n", b"\n", b"G", b"", b"POST \x00\x01\x02 HTTP/1.1\r\n\r\n", bytes(300),
    b" GET / HTTP/1.1\r\n\r\n",
)


def opaque(run):
    """Streams that do not begin with a request; what comes later may well look like one."""
    for first in FIRST_BYTES:
        client = traffic.Client(run.echo_address, client_main.TIMEOUT_S)
        # What follows a first piece of one byte or none must not complete a request.
        run.echo(client, [first, b"\xff\xfe" if len(first) < 3 else b"", *_opaque_pieces()])
        client.close()
