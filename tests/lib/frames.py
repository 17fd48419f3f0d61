# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frame by frame: what is sent, what arrives, and what weft may have added to it."""

import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
HEADER_LEN = 9

# A literal that is never indexed, at a head's end. What tests send themselves is written otherwise.
ADDED = re.compile(rb"\x10\x0btraceparent\x3700-([0-9a-f]{32})-([0-9a-f]{16})-0[0-3]\Z")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def split(data):
    """(kind, flags, stream, payload) of each whole frame, and the bytes behind the last."""
    found, at = [], 0
    while at + HEADER_LEN <= len(data):
        end = at + HEADER_LEN + int.from_bytes(data[at:at + 3], "big")
        if end > len(data):
            break
        stream = int.from_bytes(data[at + 5:at + 9], "big")
        found.append((data[at + 3], data[at + 4], stream, data[at + HEADER_LEN:end]))
        at = end
    return found, data[at:]


def without_added(data):
    """What was sent before weft added to it, and what it added: {stream: (trace id, span id)}."""
    added, out = {}, []
    start = len(PREFACE) if data.startswith(PREFACE) else 0
    frames, rest = split(data[start:])
    for kind, flags, stream, payload in frames:
        told = ADDED.search(payload) if kind == HEADERS else None
        if told:
            added[stream] = tuple(part.decode() for part in told.groups())
            payload = payload[:told.start()]
        out.append(frame(kind, flags, stream, payload))
    return data[:start] + b"".join(out) + rest, added


@dataclass
class Connection:
    """A connection as the server has it."""
    data: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)


class Server:
    """
    Keeps each connection's bytes, and answers 204 to each stream that has ended. It says nothing before the
    first request, so that who asks it speaks first; `greets`: it sends its SETTINGS at once; `last`: the last
    stream that it answers, and tells so; `slow`: it takes little at a time.
    """

    def __init__(self, greets=False, last=0, slow=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        if slow:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port, self.greets, self.last = self.listener.getsockname()[1], greets, last
        self.at_once = 2048 if slow else 65536
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(Connection())
            threading.Thread(target=self._serve, args=(sock, self.connections[-1]), daemon=True).start()

    def _serve(self, sock, connection):
        at, open_block = len(PREFACE), None
        with sock:
            sock.settimeout(30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            greeting = b"" if self.greets else frame(SETTINGS, 0, 0)
            if self.greets:
                sock.sendall(frame(SETTINGS, 0, 0))
            while True:
                try:
                    more = sock.recv(self.at_once)
                    time.sleep(0.001 if self.at_once < 65536 else 0)
                except OSError:
                    break
                if not more:
                    break
                connection.data += more
                found, _ = split(bytes(connection.data[at:]))
                answers = b""
                for kind, flags, stream, payload in found:
                    at += HEADER_LEN + len(payload)
                    if kind == SETTINGS and not flags & ACK and self.greets:
                        answers += frame(SETTINGS, ACK, 0)
                    if kind == PING and not flags & ACK:
                        answers += frame(PING, ACK, 0, payload)
                    ends = kind in (DATA, HEADERS) and flags & END_STREAM
                    if kind == HEADERS and not flags & END_HEADERS:
                        open_block, ends = (stream if ends else None), False
                    if kind == CONTINUATION and flags & END_HEADERS and open_block:
                        ends, open_block = True, None
                    if ends and self.last and stream > self.last:
                        answers += frame(GOAWAY, 0, 0, struct.pack(">II", self.last, 0))
                    elif ends:
                        answers += frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x89")
                if answers:
                    sock.sendall(greeting + answers)
                    greeting = b""
        connection.ended.set()

    def close(self, count, seconds=20):
        """The bytes of `count` connections, each of which has ended."""
        self.listener.close()
        for connection in self.connections:
            connection.ended.wait(seconds)
        if len(self.connections) != count:
            raise RuntimeError(f"{len(self.connections)} connections, expected {count}")
        return [bytes(connection.data) for connection in self.connections]


class Plan:
    """
    What tests/apps/frames_client.py is to do: connections, each of steps: send these bytes in one call, or wait
    until that many streams have been answered.
    """

    def __init__(self):
        self.connections = []

    def add(self, *steps):
        """bytes: sent; numbers: answers that there must be by then."""
        self.connections.append(steps)

    def sent(self):
        return [b"".join(step for step in steps if isinstance(step, bytes)) for steps in self.connections]

    def write(self, t):
        return t.write("plan.json", json.dumps([[s if isinstance(s, int) else s.hex() for s in steps]
                                                for steps in self.connections]))
