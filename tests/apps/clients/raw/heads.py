# SPDX-License-Identifier: Apache-2.0
"""Heads of every size and form, cut in every place, and several of them in one call."""

import os
import time

from propagation import MAY, MUST, NEVER

HEAD_SEEN = 8192  # what stands behind it is not looked at: nothing need be inserted
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SIZES = (60, 61, 62, 63, 64, 65, 80, 100, 127, 128, 129, 200, 255, 256, 257, 300, 400, 511, 512,
         513, 700, 1000, 1023, 1024, 1025, 1400, 1448, 1449, 1460, 1500, 2000, 2047, 2048, 2049,
         3000, 4000, 4095, 4096, 4097, 5000, 6000, 7000, 8000, 8190, 8191, 8192, 8193, 9000, 10000,
         12000, 14000, 16000, 16383, 16384)


def traceparent():
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def sizes(run):
    """60 B to 16 KiB: on connections of their own, and one after the other."""
    kept = run.connect()
    for size in SIZES:
        want = MUST if size <= HEAD_SEEN else MAY
        run.exchange_alone(run.request(size=size), want)
        run.exchange(kept, run.request(size=size), want)
    kept.close()


def _forms(run):
    """(request, want)"""
    for method in METHODS:
        yield run.request(method=method), MUST
    for method in ("get", "PROPFIND", "M-SEARCH", "X", "VERYLONGMETHODNAME"):
        yield run.request(method=method), MAY
    yield run.request(version="1.0"), MAY
    yield run.request("Connection: keep-alive", version="1.0"), MAY
    yield run.request(end=b"\n"), MAY
    yield run.request(host=[]), MAY
    yield run.request(*[f"X-Field-{i}: {i}" for i in range(100)]), MUST
    yield run.request("X-Bytes: \x80\xff\xfe\x01\t end"), MAY
    yield run.request("X-Nul: a\0b"), MAY
    yield run.request("X-Folded: one", "  two", "\tthree"), MAY
    yield run.request("X-Empty:", ":no name", "no colon"), MAY
    yield run.request("X-Spaces :  wide  "), MAY
    yield run.request(kind="pc"), MUST
    blank = run.request()
    blank.head = b"\r\n\r\n" + blank.head
    yield blank, MAY
    absolute = run.request()
    absolute.head = absolute.head.replace(b"/wire", b"http://wire.example:8080/wire", 1)
    yield absolute, MUST
    query = run.request()
    query.head = query.head.replace(b" HTTP/", b"?" + b"q=%20&" * 1000 + b" HTTP/", 1)
    yield query, MUST
    asterisk = run.request(method="OPTIONS", answer=0)
    asterisk.head = b"OPTIONS * HTTP/1.1\r\nHost: wire\r\nX-Number: %08d\r\n\r\n" % asterisk.number
    yield asterisk, MAY


def forms(run):
    """Methods, versions, targets, fields."""
    for request, want in _forms(run):
        run.exchange_alone(request, want)
    kept = run.connect()
    for method in METHODS * 4:
        run.exchange(kept, run.request(method=method))
    kept.close()


def _in_two(place, pause):
    def send(client, request):
        client.send(request.data[:place])
        if pause:
            time.sleep(pause)
        client.send(request.data[place:])
    return send


def splits(run):
    """Every head in two calls, cut before each byte in turn: such a one is never touched."""
    length = len(run.request("X-Pad: 1234567890").head)
    kept = run.connect()
    for place in range(1, length):
        request = run.request("X-Pad: 1234567890")
        run.exchange_alone(request, NEVER, _in_two(place, 0.0005 if place % 3 == 0 else 0))
        request = run.request("X-Pad: 1234567890")
        run.exchange(kept, request, NEVER, _in_two(place, 0.0005 if place % 3 == 1 else 0))
        run.exchange(kept, run.request(), MAY)
    kept.close()


def splits_with_body(run):
    """The second call brings the head's end and a body that looks like a request."""
    for place in range(1, len(run.request(method="POST", kind="r", body=500).head), 3):
        run.exchange_alone(run.request(method="POST", kind="r", body=500), NEVER, _in_two(place, 0))


def drip(run):
    """A byte a call."""
    def send(client, request):
        for byte in request.data:
            client.send(bytes([byte]))
    for _ in range(3):
        run.exchange_alone(run.request(method="POST", body=20), NEVER, send)


def _own():
    names = ("traceparent", "Traceparent", "TRACEPARENT", "TraceParent", "tRACEPARENT")
    others = [f"X-{i}: {'v' * 40}" for i in range(6)]
    for name in names:
        for form in ("{}: {}", "{}:{}", "{}:  \t{} "):
            yield [form.format(name, traceparent()), *others]
            yield [*others[:3], form.format(name, traceparent()), *others[3:]]
            yield [*others, form.format(name, traceparent())]
    yield [f"traceparent: {traceparent()}", "tracestate: a=1,b=2"]
    yield [f"traceparent: {traceparent()}", f"Traceparent: {traceparent()}"]
    for value in ("", "none", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff" + traceparent()[2:],
                  traceparent() + "-more"):
        yield [f"traceparent: {value}", *others]
        yield [*others, f"TraceParent: {value}"]


def own(run):
    """A head that has a traceparent, good or bad, wherever, in any letter case, stays as it is."""
    kept = run.connect()
    for fields in _own():
        run.exchange_alone(run.request(*fields), NEVER)
    for fields in _own():
        run.exchange(kept, run.request(*fields), NEVER)
    for size in (3000, 7000, 8080, 8150, 12000, 16000):
        fill = "X-Pad: " + "p" * size
        run.exchange_alone(run.request(fill, f"traceparent: {traceparent()}"), NEVER)
        run.exchange_alone(run.request(f"TRACEPARENT: {traceparent()}", fill), NEVER)
    kept.close()


def lookalikes(run):
    """What only resembles a traceparent: a header may stand beside it."""
    value = traceparent()
    for fields in ([f"X-Traceparent: {value}"], [f"traceparents: {value}"], ["tracestate: a=1"],
                   [f"X-Note: traceparent: {value}"], ["X-Folded: one", f" traceparent: {value}"],
                   [f"b3: {value[3:35]}-{value[36:52]}-1"],
                   [f"uber-trace-id: {value[3:35]}:1:0:1"]):
        run.exchange_alone(run.request(*fields), MAY)
    query = run.request()
    query.head = query.head.replace(b" HTTP/", f"?traceparent:%20{value} HTTP/".encode(), 1)
    run.exchange_alone(query, MAY)
    run.exchange_alone(run.chunked_request(trailers=f"traceparent: {value}\r\n".encode()), MAY)


def _batch(run, count):
    """Requests for one call, some of them with bodies or with a header of their own."""
    makers = (run.request, lambda: run.request(method="POST", body=300, kind="r"),
              lambda: run.request(f"traceparent: {traceparent()}"),
              lambda: run.chunked_request(body=400, chunk=90))
    return [makers[i % len(makers)]() for i in range(count)]


def _batch_want(place, request):
    """The first head of a call is reached, those behind it may be."""
    if b"\ntraceparent:" in request.head:
        return NEVER
    return MUST if place == 0 else MAY


def _pipeline(run, requests, wants, pieces):
    client = run.connect()
    for request, want in zip(requests, wants):
        run.note(request, want)

    def both():
        for piece in pieces:
            client.send(piece)
            time.sleep(0.0005)
        for request in requests:
            run.answer(client, request)
    run.timed(requests[0].number, both)
    client.close()


def pipelines(run):
    """Batches in one call, and batches whose last head is cut."""
    for count in (2, 3, 5, 10, 20):
        requests = _batch(run, count)
        data = b"".join(request.data for request in requests)
        wants = [_batch_want(i, request) for i, request in enumerate(requests)]
        _pipeline(run, requests, wants, [data])
    for cut in range(1, 100, 7):
        requests = _batch(run, 5)
        data = b"".join(request.data for request in requests[:4])
        place = len(data) + min(cut, len(requests[4].head) - 1)
        data += requests[4].data
        wants = [_batch_want(i, request) for i, request in enumerate(requests[:4])] + [NEVER]
        _pipeline(run, requests, wants, [data[:place], data[place:]])
