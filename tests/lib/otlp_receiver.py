#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small OTLP/HTTP receiver for tests: takes spans as protobuf, writes them down as JSON lines.

    otlp_receiver.py --out spans.jsonl [--port N] [--requests requests.jsonl] [--answer SPEC]...

It prints "listening on 127.0.0.1:PORT" when it is ready and ends with 0 on SIGTERM or SIGINT.
With --tls CERTIFICATE KEY it speaks TLS, and with --clients AUTHORITY it asks who connects for a
certificate of that authority; --requests tells its common name under "client".

--out gets one line of OTLP JSON for each request whose spans were accepted, as weft's own `file:`
exporter writes it (see spans.py). --requests gets one line for each request, whatever the answer;
with --bodies there is the body in it, in hexadecimal.

Each --answer is for the next COUNT requests (1 when not given), in order; later ones get 200:

    503:2                  an HTTP status (429, 400, ...), twice
    429,retry-after=1      with a Retry-After header, in seconds or as a date
    partial,rejected=3     200 with a partial success; the spans are written to --out all the same
    hang                   never
    close                  the connection is closed without an answer
    drip                   200, a byte a second

Strict where a real backend is lenient: unknown fields, ids of a wrong length and text that is not
UTF-8 are answered with 400 and noted in --requests under "error".
"""

import argparse
import gzip
import json
import math
import signal
import ssl
import struct
import sys
import threading
import time
import zlib
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUEST_MAX = 64 << 20


class Malformed(Exception):
    """Not what opentelemetry-proto says."""


# --- protobuf's wire format ---------------------------------------------------------------------

def _varint(data, at):
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Malformed("a number is cut off")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value & (1 << 64) - 1, at
    raise Malformed("a number is longer than ten bytes")


def fields(data):
    """(number, wire type, value) of each field; value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > len(data):
                raise Malformed(f"field {number} is cut off")
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise Malformed(f"field {number} is cut off")
            value, at = data[at:at + size], at + size
        else:
            raise Malformed(f"field {number} has wire type {wire}")
        yield number, wire, value


def _text(value):
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"text is not UTF-8: {value!r}") from error


def _hex(size):
    def read(value):
        if len(value) != size:
            raise Malformed(f"an id has {len(value)} bytes instead of {size}")
        return value.hex()
    return read


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _double(value):
    number = struct.unpack("<d", struct.pack("<Q", value))[0]
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def _message(name):
    return lambda value: read_message(name, value)


VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# message -> field number -> (JSON key, wire type, reader, repeated)
MESSAGES = {
    "ExportTraceServiceRequest": {1: ("resourceSpans", BYTES, _message("ResourceSpans"), True)},
    "ResourceSpans": {1: ("resource", BYTES, _message("Resource"), False),
                      2: ("scopeSpans", BYTES, _message("ScopeSpans"), True),
                      3: ("schemaUrl", BYTES, _text, False)},
    "Resource": {1: ("attributes", BYTES, _message("KeyValue"), True)},
    "ScopeSpans": {1: ("scope", BYTES, _message("InstrumentationScope"), False),
                   2: ("spans", BYTES, _message("Span"), True),
                   3: ("schemaUrl", BYTES, _text, False)},
    "InstrumentationScope": {1: ("name", BYTES, _text, False), 2: ("version", BYTES, _text, False)},
    "Span": {1: ("traceId", BYTES, _hex(16), False),
             2: ("spanId", BYTES, _hex(8), False),
             3: ("traceState", BYTES, _text, False),
             4: ("parentSpanId", BYTES, _hex(8), False),
             5: ("name", BYTES, _text, False),
             6: ("kind", VARINT, int, False),
             7: ("startTimeUnixNano", FIXED64, str, False),
             8: ("endTimeUnixNano", FIXED64, str, False),
             9: ("attributes", BYTES, _message("KeyValue"), True),
             10: ("droppedAttributesCount", VARINT, int, False),
             13: ("links", BYTES, _message("Link"), True),
             15: ("status", BYTES, _message("Status"), False),
             16: ("flags", FIXED32, int, False)},
    "Link": {1: ("traceId", BYTES, _hex(16), False),
             2: ("spanId", BYTES, _hex(8), False),
             3: ("traceState", BYTES, _text, False),
             6: ("flags", FIXED32, int, False)},
    "Status": {2: ("message", BYTES, _text, False), 3: ("code", VARINT, int, False)},
    "KeyValue": {1: ("key", BYTES, _text, False), 2: ("value", BYTES, _message("AnyValue"), False)},
    "AnyValue": {1: ("stringValue", BYTES, _text, False),
                 2: ("boolValue", VARINT, bool, False),
                 3: ("intValue", VARINT, lambda value: str(_signed(value)), False),
                 4: ("doubleValue", FIXED64, _double, False)},
}


def read_message(name, data):
    """The message as a dict in OTLP's JSON form."""
    result = {}
    for number, wire, value in fields(data):
        if number not in MESSAGES[name]:
            raise Malformed(f"{name} has no field {number}")
        key, expected, read, repeated = MESSAGES[name][number]
        if wire != expected:
            raise Malformed(f"{name}.{key} has wire type {wire} instead of {expected}")
        if repeated:
            result.setdefault(key, []).append(read(value))
        elif key in result:
            raise Malformed(f"{name}.{key} is given twice")
        else:
            result[key] = read(value)
    return result


def _field(number, value):
    """An encoded field of an int or of bytes."""
    wire = 0 if isinstance(value, int) else 2
    out, rest = bytes([number << 3 | wire]), value if wire == 0 else len(value)
    while rest > 0x7F:
        out, rest = out + bytes([rest & 0x7F | 0x80]), rest >> 7
    return out + bytes([rest]) + (b"" if wire == 0 else value)


def count_spans(request):
    return sum(len(scope.get("spans", ())) for group in request.get("resourceSpans", ())
               for scope in group.get("scopeSpans", ()))


# --- answers --------------------------------------------------------------------------------------

class Answer:
    """What --answer says about one request."""

    def __init__(self, kind="200", retry_after=None, rejected=0):
        self.kind, self.retry_after, self.rejected = kind, retry_after, rejected

    @property
    def status(self):
        return 200 if self.kind == "partial" else int(self.kind) if self.kind.isdigit() else None

    @property
    def accepts(self):
        return self.status is not None and 200 <= self.status < 300


def parse_answer(spec):
    """The answers that one --answer stands for."""
    head, *options = spec.split(",")
    kind, _, count = head.partition(":")
    values = dict(option.partition("=")[::2] for option in options)
    unknown = set(values) - {"retry-after", "rejected"}
    if unknown or not (kind.isdigit() and len(kind) == 3 or kind in ("partial", "hang", "close", "drip")):
        raise argparse.ArgumentTypeError(
            f"{spec!r}: expected STATUS, partial, hang, close or drip, then [:COUNT]"
            "[,retry-after=SECONDS][,rejected=SPANS]")
    answer = Answer(kind, values.get("retry-after"), int(values.get("rejected", 1)))
    return [answer] * int(count or 1)


class Receiver(ThreadingHTTPServer):
    """The server with what it writes and what it will answer."""

    daemon_threads = True

    def __init__(self, port, answers=(), out=None, requests=None, bodies=False):
        super().__init__(("127.0.0.1", port), Handler)
        self.answers = deque(answers)
        self.out, self.requests, self.bodies = out, requests, bodies
        self.lock = threading.Lock()
        self.tls = None
        self.stopped = threading.Event()

    def speak_tls(self, certificate, key, clients=None):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        if clients:
            self.tls.load_verify_locations(clients)
            self.tls.verify_mode = ssl.CERT_REQUIRED

    def get_request(self):
        """The handshake is for the connection's own thread."""
        sock, address = super().get_request()
        if self.tls:
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, request, client_address):
        print(f"{client_address}: {sys.exc_info()[1]}", flush=True)

    def next_answer(self):
        with self.lock:
            return self.answers.popleft() if self.answers else Answer()

    def write(self, file, content):
        if file is None:
            return
        with self.lock:
            file.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
            file.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def read_body(self):
        """The body, decompressed, and its size as it was sent."""
        size = int(self.headers.get("Content-Length", "0"))
        if size > REQUEST_MAX:
            raise Malformed(f"the body has {size} bytes")
        raw = self.rfile.read(size)
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding == "identity":
            return raw, size
        if encoding != "gzip":
            raise Malformed(f"unknown Content-Encoding {encoding}")
        try:
            return gzip.decompress(raw), size
        except (OSError, EOFError, zlib.error) as error:
            raise Malformed(f"not gzip: {error}") from error

    def read_request(self, note):
        if self.path != "/v1/traces":
            raise Malformed(f"no such path: {self.path}")
        if self.headers.get("Content-Type") != "application/x-protobuf":
            raise Malformed(f"unknown Content-Type {self.headers.get('Content-Type')}")
        body, note["bytes_sent"] = self.read_body()
        note["bytes"] = len(body)
        if self.server.bodies:
            note["body"] = body.hex()
        request = read_message("ExportTraceServiceRequest", body)
        note["spans"] = count_spans(request)
        return request

    def reply(self, status, body, retry_after=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def answer(self, answer, request):
        if answer.kind == "hang":
            self.server.stopped.wait()
        if answer.kind == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                self.wfile.write(bytes([byte]))
                if self.server.stopped.wait(1):
                    break
        if answer.status is None:
            self.close_connection = True
            return
        body = b""
        if answer.kind == "partial":
            body = _field(1, _field(1, answer.rejected) + _field(2, b"some spans were rejected"))
        elif not answer.accepts:
            body = _field(1, 14) + _field(2, b"the test asked for this")
        # First written, then answered: a sender that was answered finds its spans in the file.
        if answer.accepts:
            self.server.write(self.server.out, request)
        self.reply(answer.status, body, answer.retry_after)

    def client(self):
        """The common name of who has shown a certificate."""
        shown = self.connection.getpeercert() if self.server.tls else None
        return dict(pair for pairs in (shown or {}).get("subject", ()) for pair in pairs).get("commonName")

    def do_POST(self):  # pylint: disable=invalid-name
        note = {"time": time.time(), "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "client": self.client()}
        try:
            request = self.read_request(note)
        except Malformed as error:
            note.update(answer="400", error=str(error))
            self.server.write(self.server.requests, note)
            self.close_connection = True
            self.reply(400, _field(1, 3) + _field(2, str(error).encode()))
            return
        answer = self.server.next_answer()
        note["answer"] = answer.kind
        self.server.write(self.server.requests, note)
        self.answer(answer, request)


def _stop(signum, frame):
    raise SystemExit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--out", type=argparse.FileType("a"), help="file for the spans")
    parser.add_argument("--requests", type=argparse.FileType("a"), help="file for the requests")
    parser.add_argument("--bodies", action="store_true", help="write bodies to --requests, too")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files")
    parser.add_argument("--clients", metavar="AUTHORITY", help="PEM file")
    parser.add_argument("--answer", type=parse_answer, action="append", default=[])
    options = parser.parse_args()
    answers = [answer for group in options.answer for answer in group]
    receiver = Receiver(options.port, answers, options.out, options.requests, options.bodies)
    if options.tls:
        receiver.speak_tls(*options.tls, options.clients)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    print(f"listening on 127.0.0.1:{receiver.server_port}", flush=True)
    try:
        receiver.serve_forever()
    finally:
        receiver.stopped.set()
        receiver.server_close()


if __name__ == "__main__":
    sys.exit(main())
