#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A client of HTTP/2 that asks for each path of its standard input, and prints a line for each answer.
Behind the path a line may have the value of a traceparent. The fields after the first request refer to
those before, as RFC 7541 lets an encoder do: paths, too, are put into the table.

  http2_client.py PORT
"""
import socket
import struct
import sys

DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def integer(value, bits, first):
    """RFC 7541 section 5.1: `first` has what stands before the prefix of so many bits."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value > 127:
        out.append(0x80 | value & 127)
        value >>= 7
    return bytes([*out, value])


def text(value):
    return integer(len(value), 7, 0) + value


class Encoder:
    """Literals with incremental indexing, and references to them."""

    def __init__(self):
        self.entries = []  # youngest first

    def field(self, name_index, name, value):
        """`name_index`: of the static table, 0: the name is not there."""
        if (name, value) in self.entries:
            return integer(62 + self.entries.index((name, value)), 7, 0x80)
        known = [n for n, _ in self.entries]
        index = name_index or (62 + known.index(name) if name in known else 0)
        self.entries.insert(0, (name, value))
        return integer(index, 6, 0x40) + (b"" if index else text(name)) + text(value)

    def request(self, path, traceparent=None):
        # twice: the second time by reference
        block = b"\x82\x86" + self.field(4, b":path", path) + self.field(1, b":authority", b"localhost")
        if traceparent:
            block += self.field(0, b"traceparent", traceparent)
        return block + self.field(58, b"user-agent", b"slow/1")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def take(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            sys.exit("the server has closed the connection")
        data += more
    return data


def answer(sock, wanted):
    while True:
        head = take(sock, 9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
        payload = take(sock, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK:
            sock.sendall(frame(PING, ACK, 0, payload))
        if stream == wanted and (kind == RST_STREAM or kind in (DATA, HEADERS) and flags & END_STREAM):
            return


def main():
    encoder, stream = Encoder(), 1
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        for line in sys.stdin:
            sock.sendall(frame(HEADERS, END_STREAM | END_HEADERS, stream,
                               encoder.request(*line.encode().split())))
            answer(sock, stream)
            stream += 2
            print("answered", flush=True)


if __name__ == "__main__":
    main()
