# SPDX-License-Identifier: Apache-2.0
"""Every way to hand bytes to a socket, and every way in which a body follows its head."""

import fcntl
import os
import select
import socket
import struct
import time

import client_main
import shapes
from propagation import MAY, MUST, NEVER

MSG_ZEROCOPY, SO_ZEROCOPY, MSG_ERRQUEUE = 0x4000000, 60, 0x2000
MSG_FASTOPEN = 0x20000000
SIOCOUTQ = 0x5411
TCP_CORK = 3


def _more(client, request):
    client.sock.send(request.head, socket.MSG_MORE)
    client.send(request.body)


def _more_in_the_head(client, request):
    half = len(request.head) // 2
    client.sock.send(request.head[:half], socket.MSG_MORE)
    client.send(request.data[half:])


def _gather(size):
    """One call, pieces of `size` bytes and empty ones."""
    def send(client, request):
        data, at = request.data, 0
        while at < len(data):
            pieces = [data[i:i + size] for i in range(at, len(data), size)][:500]
            at += client.sock.sendmsg([b"", *pieces, b""])
    return send


def _writable(sock):
    if not select.select([], [sock], [], client_main.STALL_S)[1]:
        raise TimeoutError("no room to send for too long")


def _sendfile(data_of):
    """`data_of(request)`: what goes by sendfile; what stands before it goes by send."""
    def send(client, request):
        data, at = data_of(request), 0
        file = os.memfd_create("body")
        os.write(file, data)
        client.send(request.data[:len(request.data) - len(data)])
        while at < len(data):
            _writable(client.sock)
            at += os.sendfile(client.sock.fileno(), file, at, len(data) - at)
        os.close(file)
    return send


def _splice(client, request):
    """All of it, through a pipe."""
    reader, writer = os.pipe()
    data = request.data
    while data:
        written = os.write(writer, data[:60000])
        data = data[written:]
        while written:
            _writable(client.sock)
            written -= os.splice(reader, client.sock.fileno(), written)
    os.close(reader)
    os.close(writer)


def _corked(*places):
    """In pieces, held back until the last."""
    def send(client, request):
        client.sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
        data, begin = request.data, 0
        for place in [*places, len(data)]:
            client.send(data[begin:place])
            begin = place
        client.sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 0)
    return send


def _nonblocking(client, request):
    """With room for a few KiB: most calls take a part."""
    sock, data = client.sock, memoryview(request.data)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    while data:
        _writable(sock)
        data = data[sock.send(data, socket.MSG_DONTWAIT):]


def _zerocopy(client, request):
    """Waits until the kernel says that it needs the memory no more."""
    client.sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    if client.sock.send(request.data, MSG_ZEROCOPY) != len(request.data):
        raise ValueError("not all of it was taken")
    poll = select.poll()
    poll.register(client.sock, select.POLLERR)
    if not poll.poll(client_main.STALL_S * 1000):
        raise TimeoutError("no notification of MSG_ZEROCOPY")
    client.sock.recvmsg(1, 200, MSG_ERRQUEUE)


def _urgent(client, request):
    client.sock.send(b"!", socket.MSG_OOB)
    client.send(request.data)


def _drained(client, request):
    """Asks how many bytes are not acknowledged until there are none."""
    client.send(request.data)
    limit = time.monotonic() + client_main.STALL_S
    while struct.unpack("i", fcntl.ioctl(client.sock, SIOCOUTQ, b"\0" * 4))[0]:
        if time.monotonic() > limit:
            raise TimeoutError("bytes that are never acknowledged")


def calls(run):
    """(call, want, body sizes)"""
    small = (0, 1, 300, 5000)
    large = (70_000, 1 << 20)
    table = [(_more, MUST, (1, 300, 70_000)), (_more_in_the_head, NEVER, small),
             (_gather(1), MUST, (0, 1, 300)), (_gather(7), MUST, (*small, 70_000)),
             (_gather(1000), MUST, (*small, *large)),
             (_sendfile(lambda request: request.body), MUST, (1, 300, *large)),
             (_sendfile(lambda request: request.data), MAY, (0, 300, *large)),
             (_splice, MAY, (0, 300, *large)), (_corked(), MUST, (*small, *large)),
             (_corked(20), NEVER, small), (_corked(20, 40), NEVER, small),
             (_nonblocking, MUST, (*small, *large)), (_zerocopy, MAY, (300, 40_000)),
             (_drained, MUST, (*small, 70_000))]
    for send, want, bodies in table:
        for body in bodies:
            for kind in ("p", "r"):
                request = run.request(method="POST", kind=kind, body=body)
                run.exchange_alone(request, want, send)
        kept = run.connect()
        for body in bodies * 2:
            run.exchange(kept, run.request(method="POST", kind="r", body=body), want, send)
        kept.close()


def urgent(run):
    """A byte of urgent data before a request, the first of a connection or a later one."""
    for _ in range(5):
        client = run.connect()
        run.exchange(client, run.request("X-Urgent: 1"), MAY, _urgent)
        run.exchange(client, run.request())
        run.exchange(client, run.request("X-Urgent: 1"), MAY, _urgent)
        client.close()


def _fast_open(client, request):
    client.sock.close()
    client.sock = socket.socket()  # blocking: another kind would only begin to connect
    client.sock.sendto(request.data, MSG_FASTOPEN, client.address)
    client.sock.settimeout(client_main.TIMEOUT_S)


def fast_open(run):
    """connect() and the request in one call."""
    for _ in range(5):
        run.exchange_alone(run.request(), MAY, _fast_open)


def _pieces(*sizes):
    """The head, then the body in pieces of these sizes, the last of them repeated."""
    def send(client, request):
        client.send(request.head)
        at, left = 0, list(sizes)
        while at < len(request.body):
            size = left.pop(0) if len(left) > 1 else left[0]
            client.send(request.body[at:at + size])
            at += size
    return send


def _with_head(extra):
    """The head and the first bytes of the body in one call, then the rest."""
    def send(client, request):
        place = len(request.head) + extra
        client.send(request.data[:place])
        if request.data[place:]:
            client.send(request.data[place:])
    return send


def bodies(run):
    """Requests inside bodies, at the beginning of a call too; and chunks that hold one each."""
    inner = len(shapes.INNER_REQUEST)
    sends = (None, _pieces(1 << 20), _pieces(inner), _pieces(1, inner - 1, inner), _with_head(1),
             _with_head(inner))
    for body, ways in ((inner, sends), (3 * inner, sends), (1000, sends), (70 * inner, sends),
                       (300_000, (None, _pieces(60 * inner), _with_head(inner)))):
        for send in ways:
            run.exchange_alone(run.request(method="POST", kind="r", body=body), MUST, send)
    for chunk in (1, 7, inner, 1000):
        for send in (None, _pieces(1 << 20), _pieces(inner), _pieces(4, inner, 2)):
            request = run.chunked_request(kind="r", body=20 * inner, chunk=chunk)
            run.exchange_alone(request, MUST, send)
    run.exchange_alone(run.chunked_request(trailers=b"X-Sum: 1\r\nX-More: 2\r\n"))


def _expecting(client, request):
    client.send(request.head)
    interim = client.until(b"\r\n\r\n")
    if not interim.startswith(b"HTTP/1.1 100 "):
        raise ValueError(f"expected 100 Continue, got {interim[:60]!r}")
    client.send(request.body)


def expectations(run):
    kept = run.connect()
    for body in (1, 500, 5000, 200_000):
        for kind in ("p", "r"):
            request = run.request("Expect: 100-continue", method="POST", kind=kind, body=body)
            run.exchange_alone(request, MUST, _expecting)
            request = run.request("Expect: 100-continue", method="POST", kind=kind, body=body)
            run.exchange(kept, request, MUST, _expecting)
    kept.close()


def large_bodies(run):
    """Megabytes of requests inside one."""
    for body in (4 << 20, 32 << 20):
        run.exchange_alone(run.request(method="POST", kind="r", body=body))
        run.exchange_alone(run.request(method="POST", body=body), MUST, _pieces(60_000))
