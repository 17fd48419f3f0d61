# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 byte by byte: a client that sends just what a test wants, and loads of requests."""

import socket
import subprocess
import threading
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes
    fields: dict = field(default_factory=dict)


class Broken(Exception):
    """The connection ended before the answer did."""


def connect(address, timeout=10):
    """A connected stream socket: (host, port) of either family, or a path (unix)."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(address)
        return sock
    sock = socket.create_connection(address, timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def head(method, path, *fields, version="1.1", host="localhost"):
    """A request's head; `fields` are whole lines."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Client:
    """One connection and the bytes read from it and not yet used."""

    def __init__(self, address, timeout=10):
        self.address = address
        self.sock = connect(address, timeout)
        self.buffer = bytearray()

    @property
    def local_port(self):
        """None for a unix socket."""
        name = self.sock.getsockname()
        return name[1] if isinstance(name, tuple) else None

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def fill(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise Broken("closed by the server")
        self.buffer += piece

    def take(self, size):
        """Just `size` bytes."""
        while len(self.buffer) < size:
            self.fill()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def until(self, mark):
        """The bytes before `mark`, which is passed over."""
        while mark not in self.buffer:
            self.fill()
        data = self.take(self.buffer.index(mark))
        self.take(len(mark))
        return data

    def rest(self):
        """Everything until the server closes."""
        try:
            while True:
                self.fill()
        except Broken:
            return self.take(len(self.buffer))

    def _chunked(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self.take(size)
            self.take(2)
        while self.until(b"\r\n"):  # trailers
            pass
        return body

    def answer(self, method="GET"):
        """Reads one final answer; passes over 1xx but 101."""
        while True:
            raw = self.until(b"\r\n\r\n")
            lines = raw.decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            if status >= 200 or status == 101:
                break
        fields = {k.strip().lower(): v.strip() for k, _, v in
                  (line.partition(":") for line in lines[1:])}
        if method == "HEAD" or status in (101, 204, 304):
            body = b""
        elif method == "CONNECT" and status < 300:
            body = b""
        elif "chunked" in fields.get("transfer-encoding", ""):
            body = self._chunked()
        elif "content-length" in fields:
            body = self.take(int(fields["content-length"]))
        else:
            body = self.rest()
        return Answer(status, raw, body, fields)

    def get(self, path, *fields, method="GET", body=b"", host="localhost"):
        """One request with a Content-Length body, and its answer."""
        if body:
            fields = (*fields, f"Content-Length: {len(body)}")
        self.send(head(method, path, *fields, host=host) + body)
        return self.answer(method)


def one_by_one(address, paths, *fields):
    """Each path on a connection of its own. [(path, status, local port)]."""
    result = []
    for path in paths:
        client = Client(address)
        answer = client.get(path, "Connection: close", *fields)
        result.append((path, answer.status, client.local_port))
        client.close()
    return result


def keep_alive(address, paths, *fields):
    """All paths on one connection; on another one when the server closes it."""
    result, client = [], Client(address)
    for path in paths:
        answer = client.get(path, *fields)
        result.append((path, answer.status, client.local_port))
        if answer.fields.get("connection", "").lower() == "close":
            client.close()
            client = Client(address)
    client.close()
    return result


def curl(address, first, last, pattern, *options):
    """curl fetches pattern.format(n) for n in first..last; the status codes in order."""
    url = f"http://{address[0]}:{address[1]}{pattern.format(f'[{first}-{last}]')}"
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", *options, url],
                          capture_output=True, text=True, timeout=60)
    return [int(code) for code in done.stdout.split()]


def _worker(address, numbers, path, lock, wrong, reuse, body):
    client = None
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        try:
            client = client or Client(address, 30)
            answer = client.get(path.format(number), method="POST" if body else "GET", body=body)
            if answer.status != 200 or answer.body.strip() != str(number).encode():
                wrong.append((number, answer.status, answer.body[:80]))
        except (OSError, Broken, ValueError) as error:
            wrong.append((number, 0, str(error)))
            client = None
            continue
        if not reuse or answer.fields.get("connection", "").lower() == "close":
            client.close()
            client = None


def load(address, count, concurrency, path="/chain/{}", first=0, reuse=True, body=b""):
    """
    Numbered requests (`count`: how many, or an iterator of the numbers), `concurrency` at once,
    each answered with its own number. With a body they are POST. Returns those that were not: (number, status, body or error).
    """
    numbers = iter(range(first, first + count)) if isinstance(count, int) else count
    lock, wrong = threading.Lock(), []
    threads = [threading.Thread(target=_worker, args=(address, numbers, path, lock, wrong, reuse, body))
               for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong
