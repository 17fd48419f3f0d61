# SPDX-License-Identifier: Apache-2.0
"""
Requests made by hand: what they consist of, how they are noted for the judge, how their answers are
awaited.
"""

import json
from dataclasses import dataclass

import client_main
import shapes
import traffic
from propagation import MUST


@dataclass
class Request:
    number: int
    method: str
    head: bytes
    body: bytes   # with the chunked coding, where there is one
    answer: int

    @property
    def data(self):
        return self.head + self.body


def chunked(data, size, trailers=b""):
    """The chunked coding, with an extension at every chunk."""
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    coded = [b"%x;part=%d\r\n%s\r\n" % (len(piece), i, piece) for i, piece in enumerate(pieces)]
    return b"".join(coded) + b"0\r\n" + trailers + b"\r\n"


class Run:
    """One group of requests: its numbers, its notes, its report."""

    def __init__(self, port, echo_port, first, manifest):
        self.address, self.echo_address = ("127.0.0.1", port), ("127.0.0.1", echo_port)
        self.next, self.manifest = first, manifest
        self.report = client_main.Report()

    def number(self):
        self.next += 1
        return self.next - 1

    def connect(self, kind=traffic.Client):
        return kind(self.address, client_main.TIMEOUT_S)

    # Requests. `fields` are whole lines.

    def request(self, *fields, method="GET", kind="p", body=0, answer=8, **more):
        """
        `more`: version ("1.1"), end (b"\\r\\n"), and size: a field X-Fill makes the head so large.
        """
        number = self.number()
        data = shapes.body_bytes(kind, number, body)
        lines = [f"{method} {shapes.target(kind, body, answer, number)} "
                 f"HTTP/{more.get('version', '1.1')}", *more.get("host", ["Host: wire"]), *fields]
        if body:
            lines.append(f"Content-Length: {body}")
        return Request(number, method, head_bytes(lines, **more), data, answer)

    def chunked_request(self, *fields, kind="p", body=1000, chunk=100, trailers=b""):
        request = self.request("Transfer-Encoding: chunked", *fields, method="POST", kind=kind)
        data = shapes.body_bytes(kind, request.number, body)
        request.head = request.head.replace(f"/wire/{kind}/0/".encode(),
                                            f"/wire/{kind}/{body}/".encode())
        request.body = chunked(data, chunk, trailers)
        return request

    # Exchanges.

    def note(self, request, want):
        """For the judge: what is about to be sent, and whether it may get a header."""
        self.manifest.write(json.dumps([request.number, want, request.head.decode("latin-1")]))
        self.manifest.write("\n")

    def answer(self, client, request):
        answer = client.answer(request.method)
        self.report.expect_answer(request.number, answer.status, answer.body,
                                  0 if request.method == "HEAD" else request.answer)

    def timed(self, number, action):
        """Does it; what goes wrong is told, and how long it took."""
        begin = self.report.begin()
        try:
            action()
        except (OSError, traffic.Broken, ValueError) as error:
            self.report.error(number, f"{type(error).__name__}: {error}")
        self.report.done(begin)

    def exchange(self, client, request, want=MUST, send=None):
        """Sends a request, by `send(client, request)` or in one call, and awaits its answer."""
        def both():
            if send:
                send(client, request)
            else:
                client.send(request.data)
            self.answer(client, request)
        self.note(request, want)
        self.timed(request.number, both)

    def exchange_alone(self, request, want=MUST, send=None):
        """On a connection of its own."""
        client = self.connect()
        self.exchange(client, request, want, send)
        client.close()

    def echo(self, client, pieces):
        """Sends each piece to what sends all back, and compares."""
        def all_pieces():
            for piece in pieces:
                client.send(piece)
                back = client.take(len(piece))
                if back != piece:
                    raise ValueError(f"{piece[:60]!r} came back as {back[:120]!r}")
        self.timed("of an opaque stream", all_pieces)


def head_bytes(lines, end=b"\r\n", size=0, **_):
    """Lines, latin-1, with an empty one behind them, filled up to `size` bytes."""
    head = end.join(line.encode("latin-1") for line in lines) + end
    fill = size - len(head) - len(b"X-Fill: ") - 2 * len(end)
    if fill >= 0:
        head += b"X-Fill: " + b"f" * fill + end
    return head + end
