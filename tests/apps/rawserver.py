#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
An HTTP/1 server that answers as the path says: /<behaviour>/<number>/<number of the request>. It
writes and reads sockets itself, so that tests decide which bytes travel in which call.

  rawserver.py [--recv BYTES] [--peek] [--vector] HOST PORT | unix PATH
"""

import argparse
import os
import socket
import struct
import sys
import threading
import time


VECTOR = (1, 5, 40, 9, 300, 1, 90)  # lengths of buffers that one call reads or writes, in turn


def scattered(data):
    """The data in pieces of VECTOR's lengths."""
    pieces, at = [], 0
    while at < len(data):
        size = VECTOR[len(pieces) % len(VECTOR)]
        pieces.append(data[at:at + size])
        at += size
    return pieces


class Connection:
    def __init__(self, sock, options):
        self.sock, self.size, self.peek = sock, options.recv, options.peek
        self.vector, self.buffer = options.vector, b""

    def receive(self):
        if not self.vector:
            return self.sock.recv(self.size)
        buffers = [bytearray(size) for size in VECTOR] + [bytearray(self.size)]
        received = self.sock.recvmsg_into(buffers)[0]
        return b"".join(buffers)[:received]

    def fill(self):
        if self.peek:
            self.sock.recv(self.size, socket.MSG_PEEK)
        piece = self.receive()
        if not piece:
            raise EOFError
        self.buffer += piece

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def send(self, data):
        while self.vector and data:
            data = data[self.sock.sendmsg(scattered(data)):]
        if data:
            self.sock.sendall(data)

    def body(self, fields):
        """Reads the request's body; its size."""
        if "chunked" not in fields.get("transfer-encoding", ""):
            return len(self.take(int(fields.get("content-length", 0))))
        total = 0
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            self.take(size + 2)
            total += size
        while self.until(b"\r\n"):
            pass
        return total

    def reset(self):
        """Ends the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def whole(body, status=200, *fields):
    lines = [f"HTTP/1.1 {status} Text", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def chunks(*pieces, trailer=b""):
    framed = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
    return framed + b"0\r\n" + trailer + b"\r\n"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


def plain(conn, arg, n):
    conn.send(whole(b"%d" % n))


def status(conn, arg, n):
    conn.send(f"HTTP/1.1 {arg} Text\r\nETag: x\r\n\r\n".encode() if arg in (204, 304)
              else whole(b"%d" % n, arg))


def size(conn, arg, n):
    conn.send(whole(b"x" * arg))


def fake(conn, arg, n):
    """A body that looks like HTTP itself."""
    conn.send(whole(b"GET /fake/0/1 HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" * arg))


def head_only(conn, arg, n):
    """The answer to HEAD: a length, and no body."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % arg)


def slow(conn, arg, n):
    time.sleep(arg / 1000)
    plain(conn, arg, n)


def slow_body(conn, arg, n):
    """The answer begins at once, its last byte comes after `arg` ms."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
    time.sleep(arg / 1000)
    conn.send(b"2")


def chunked(conn, arg, n):
    conn.send(CHUNKED + b"\r\n" + chunks(*[b"c" * 10] * arg))


def chunked_slow(conn, arg, n):
    """Every chunk in a call of its own, sizes and data apart."""
    conn.send(CHUNKED + b"\r\n")
    for _ in range(arg):
        conn.send(b"a\r\n")
        conn.send(b"0123456789")
        conn.send(b"\r\n")
    conn.send(b"0\r\n\r\n")


def trailers(conn, arg, n):
    conn.send(CHUNKED + b"Trailer: X-Sum\r\n\r\n")
    conn.send(chunks(*[b"t" * 10] * arg, trailer=b"X-Sum: 12\r\nX-More: yes\r\n"))


def until_close(conn, arg, n):
    conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"u" * arg)
    conn.sock.shutdown(socket.SHUT_WR)
    raise EOFError


def split(conn, arg, n):
    """The answer in two calls, cut before byte `arg`."""
    data = whole(b"%04d" % n, 200, "X-Pad: 12345")
    conn.send(data[:arg])
    time.sleep(0.0015)
    conn.send(data[arg:])


def drip(conn, arg, n):
    for byte in whole(b"%d" % n):
        conn.send(bytes([byte]))
        time.sleep(arg / 1000)


def interim(conn, arg, n):
    conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    time.sleep(arg / 1000)
    plain(conn, arg, n)


def half_reset(conn, arg, n):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"h" * arg)
    time.sleep(0.02)
    conn.reset()
    raise EOFError


def half_close(conn, arg, n):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"h" * arg)
    raise EOFError


def no_answer(conn, arg, n):
    raise EOFError


def upgrade(conn, arg, n):
    conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
    echo(conn)


def echo(conn):
    data, conn.buffer = conn.buffer, b""
    while True:
        if data:
            conn.send(data)
        data = conn.sock.recv(conn.size)
        if not data:
            raise EOFError


BEHAVIOURS = {f.__name__.replace("_", "-"): f for f in (
    plain, status, size, fake, head_only, slow, slow_body, chunked, chunked_slow, trailers,
    until_close, split, drip, interim, half_reset, half_close, no_answer, upgrade)}


def numbers(path):
    """Behaviour, argument and request number of a path or an absolute URL."""
    if "://" in path:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    parts = path.split("?")[0].strip("/").split("/")
    digits = [int(p) if p.isdigit() else 0 for p in parts[1:3]] + [0, 0]
    return parts[0], digits[0], digits[1]


def serve_one(conn):
    lines = conn.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    method, path, version = lines[0].split(" ", 2)
    fields = {k.strip().lower(): v.strip() for k, _, v in
              (line.partition(":") for line in lines[1:])}
    if method == "CONNECT":
        conn.send(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        echo(conn)
    if fields.get("expect", "").lower() == "100-continue":
        time.sleep(0.02)
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = conn.body(fields)
    name, arg, n = numbers(path)
    BEHAVIOURS.get(name, plain)(conn, arg, body if name == "body" else n)
    wanted = fields.get("connection", "").lower()
    if wanted == "close" or (version == "HTTP/1.0" and wanted != "keep-alive"):
        raise EOFError


def handle(sock, options):
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = Connection(sock, options)
    try:
        while True:
            serve_one(conn)
    except (EOFError, OSError, ValueError):
        pass
    finally:
        sock.close()


def listen(host, port):
    if host == "unix":
        if os.path.exists(port):
            os.unlink(port)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(port)
    elif ":" in host:
        sock = socket.socket(socket.AF_INET6)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
    else:
        sock = socket.create_server((host, int(port)))
    sock.listen(256)
    return sock


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--recv", type=int, default=65536)
    parser.add_argument("--peek", action="store_true")
    parser.add_argument("--vector", action="store_true")
    parser.add_argument("host")
    parser.add_argument("port")
    options = parser.parse_args()
    sock = listen(options.host, options.port)
    while True:
        peer, _ = sock.accept()
        threading.Thread(target=handle, args=(peer, options), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
