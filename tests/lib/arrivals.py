# SPDX-License-Identifier: Apache-2.0
"""What a server is sent: requests over one connection, and their heads as they arrive."""

import socket
import threading

import traffic


def _record(listener, count, taken):
    with listener, listener.accept()[0] as sock, sock.makefile("rb") as stream:
        sock.settimeout(20)
        for _ in range(count):
            taken.append(b"".join(iter(stream.readline, b"\r\n")))
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _record_each(listener, count, taken):
    with listener:
        for _ in range(count):
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as stream:
                sock.settimeout(20)
                taken.append(b"".join(iter(stream.readline, b"\r\n")))
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def server(count):
    """
    A server of `count` requests, a connection each: its port, the list that their heads come into, and the
    thread that ends with the last of them.
    """
    listener, taken = socket.create_server(("127.0.0.1", 0)), []
    listener.settimeout(20)
    thread = threading.Thread(target=_record_each, args=(listener, count, taken), daemon=True)
    thread.start()
    return listener.getsockname()[1], taken, thread


def heads(count, first=0, path="/plain/0/{}"):
    """The heads of `count` requests of one connection of this process."""
    listener, taken = socket.create_server(("127.0.0.1", 0)), []
    server = threading.Thread(target=_record, args=(listener, count, taken), daemon=True)
    server.start()
    client = traffic.Client(listener.getsockname())
    for n in range(first, first + count):
        client.get(path.format(n))
    client.close()
    server.join(20)
    return taken


def traceparents(taken):
    """How many each of them has."""
    return [head.lower().count(b"\r\ntraceparent: 00-") for head in taken]
