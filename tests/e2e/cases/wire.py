# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 on the wire: framing, sizes, cuts, pipelining."""

import time

import apps
import common
import traffic
from case import case


def _started(t, *options):
    app = apps.raw(t, *options)
    return app, t.weft("--port", app.port), traffic.Client(app.address)


def _size(t, what, expected, spans):
    common.all_equal(t, what, expected, spans, lambda s: s[what])


def _no_size(t, what, spans):
    """Absent, or zero."""
    common.all_equal(t, what, 0, spans, lambda s: s[what] or 0)


@case()
def error_statuses(t):
    """Server: error from 500; client: error from 400."""
    app, weft, client = _started(t)
    codes = [200, 201, 301, 400, 401, 404, 418, 429, 499, 500, 502, 503, 599]
    for n, code in enumerate(codes):
        client.get(f"/status/{code}/{n}")
    spans = t.stop(weft)
    common.once(t, spans, range(len(codes)), common.SERVER)
    common.once(t, spans, range(len(codes)), common.CLIENT)
    common.all_equal(t, "status code", lambda s: codes[s.number], spans,
                     lambda s: s["http.response.status_code"])
    common.status_rules(t, spans)


@case()
def head_requests(t):
    """An answer to HEAD has a length and no body; the next answer follows at once."""
    app, weft, client = _started(t)
    for n in range(10):
        client.get(f"/head-only/5000/{n}", method="HEAD")
        client.get(f"/plain/0/{n + 100}")
    spans = t.stop(weft)
    heads = spans.under("/head-only/")
    common.exchanges(t, heads, range(10), app.port, method="HEAD")
    _no_size(t, "http.response.body.size", heads)
    common.exchanges(t, spans.under("/plain/"), range(100, 110), app.port)


@case()
def no_body_204_304(t):
    app, weft, client = _started(t)
    for n in range(10):
        client.get(f"/status/204/{n}")
        client.get(f"/status/304/{n + 100}")
        client.get(f"/plain/0/{n + 200}")
    spans = t.stop(weft)
    common.exchanges(t, spans.under("/status/204/"), range(10), app.port, status=204)
    common.exchanges(t, spans.under("/status/304/"), range(100, 110), app.port, status=304)
    common.exchanges(t, spans.under("/plain/"), range(200, 210), app.port)
    _no_size(t, "http.response.body.size", spans.under("/status/"))


@case()
def response_sizes(t):
    app, weft, client = _started(t)
    sizes = [0, 1, 100, 1023, 1024, 1025, 8192, 65536, 300000, 5000000]
    for n, size in enumerate(sizes):
        t.expect("size of the body that came", size, len(client.get(f"/size/{size}/{n}").body))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(len(sizes)), app.port)
    _size(t, "http.response.body.size", lambda s: sizes[s.number], spans)


@case()
def request_sizes(t):
    """Content-Length bodies; with the head in one call, and apart from it."""
    app, weft, client = _started(t)
    sizes = [1, 100, 4096, 8192, 9000, 65536, 300000, 2000000]
    for n, size in enumerate(sizes):
        client.get(f"/plain/0/{n}", method="POST", body=b"b" * size)
    for n, size in enumerate(sizes, 100):
        client.send(traffic.head("POST", f"/plain/0/{n}", f"Content-Length: {size}"))
        time.sleep(0.005)
        client.send(b"b" * size)
        client.answer()
    spans = t.stop(weft)
    common.exchanges(t, spans, [*range(len(sizes)), *range(100, 100 + len(sizes))], app.port,
                     method="POST")
    _size(t, "http.request.body.size", lambda s: sizes[s.number % 100], spans)


@case()
def chunked_responses(t):
    """Sizes are counted without the coding's own bytes."""
    app, weft, client = _started(t)
    for n, name in enumerate(("chunked", "chunked-slow", "trailers") * 3):
        answer = client.get(f"/{name}/{n + 1}/{n}")
        t.expect("size of the body that came", 10 * (n + 1), len(answer.body))
    client.get("/plain/0/50")
    spans = t.stop(weft)
    common.exchanges(t, spans, [*range(9), 50], app.port)
    _size(t, "http.response.body.size", lambda s: 10 * (s.number + 1),
          spans.where(lambda s: s.number < 9))


def _chunked_request(client, number, chunks, trailer=b"", gap=0.0):
    client.send(traffic.head("POST", f"/plain/0/{number}", "Transfer-Encoding: chunked"))
    for chunk in chunks:
        client.send(b"%x;ext=1\r\n" % len(chunk) + chunk + b"\r\n")
        time.sleep(gap)
    client.send(b"0\r\n" + trailer + b"\r\n")
    client.answer()


@case()
def chunked_requests(t):
    app, weft, client = _started(t)
    for n in range(10):
        _chunked_request(client, n, [b"x" * (n + 1)] * 3, b"X-Sum: 1\r\n" if n % 2 else b"",
                         0.002 if n < 5 else 0)
    _chunked_request(client, 10, [b"y" * 100000] * 3)
    client.get("/plain/0/50")
    spans = t.stop(weft)
    posts = spans.where(lambda s: s.number < 50)
    common.exchanges(t, posts, range(11), app.port, method="POST")
    _size(t, "http.request.body.size", lambda s: 300000 if s.number == 10 else 3 * (s.number + 1),
          posts)
    common.exchanges(t, spans.numbered(50), [50], app.port)


@case()
def bodies_that_look_like_http(t):
    """Requests and answers inside bodies are bodies."""
    app, weft, client = _started(t)
    inner = b"GET /fake/0/1 HTTP/1.1\r\nHost: a\r\n\r\n"
    for n in range(10, 20):
        client.get(f"/fake/{n}/{n}")
        client.send(traffic.head("POST", f"/plain/0/{n + 100}",
                                 f"Content-Length: {len(inner) * 4}"))
        for _ in range(4):
            client.send(inner)
            time.sleep(0.002)
        client.answer()
        _chunked_request(client, n + 200, [inner] * 3, gap=0.002)
    spans = t.stop(weft)
    common.exchanges(t, spans.under("/fake/"), range(10, 20), app.port)
    posts = spans.under("/plain/")
    common.exchanges(t, posts, [*range(110, 120), *range(210, 220)], app.port, method="POST")


@case()
def expect_100_continue(t):
    app, weft, client = _started(t)
    for n in range(5):
        client.send(traffic.head("POST", f"/plain/0/{n}", "Content-Length: 700",
                                 "Expect: 100-continue"))
        t.expect("the interim answer", b"HTTP/1.1 100 Continue", client.until(b"\r\n\r\n"))
        client.send(b"e" * 700)
        t.expect("status", 200, client.answer().status)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(5), app.port, method="POST")
    _size(t, "http.request.body.size", 700, spans)
    common.all_equal(t, "the span lasts until the final answer", True, spans,
                     lambda s: s.milliseconds >= 19)


@case()
def interim_103(t):
    app, weft, client = _started(t)
    for n in range(5):
        t.expect("status", 200, client.get(f"/interim/30/{n}").status)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(5), app.port)
    common.all_equal(t, "the span lasts until the final answer", True, spans,
                     lambda s: s.milliseconds >= 29)


@case()
def pipelining(t):
    """Ten requests in one call: ten spans, each with its own duration."""
    app, weft, client = _started(t)
    count, delay = 10, 20
    client.send(b"".join(traffic.head("GET", f"/slow/{delay}/{n}") for n in range(count)))
    for n in range(count):
        t.expect("answers in order", str(n).encode(), client.answer().body)
    client.send(b"".join(traffic.head("GET", f"/plain/0/{n}") for n in range(100, 200)))
    for n in range(100, 200):
        t.expect("answers in order", str(n).encode(), client.answer().body)
    spans = t.stop(weft)
    servers, clients = common.exchanges(t, spans, [*range(count), *range(100, 200)], app.port)
    for kind, found in (("server", servers), ("client", clients)):
        for n in range(count):
            if n in found:
                t.expect_range(f"ms of {kind} span {n} in the pipeline", delay * (n + 1) - 2,
                               delay * (n + 1) + 150, found[n].milliseconds)


@case()
def pipelined_posts(t):
    """Heads and bodies of several requests in one call, cut where nothing ends."""
    app, weft, client = _started(t)
    data = b"".join(traffic.head("POST", f"/plain/0/{n}", f"Content-Length: {n}") + b"p" * n
                    for n in range(60))
    for begin in range(0, len(data), 997):
        client.send(data[begin:begin + 997])
        time.sleep(0.001)
    for n in range(60):
        t.expect("answers in order", str(n).encode(), client.answer().body)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(60), app.port, method="POST")
    common.all_equal(t, "http.request.body.size", lambda s: s.number, spans,
                     lambda s: s["http.request.body.size"] or 0)


@case()
def split_request_heads(t):
    """Every head in two calls, cut before each byte in turn."""
    app, weft, client = _started(t)
    length = len(traffic.head("GET", "/plain/0/0000", "X-Pad: 1234567890"))
    for n in range(1, length):
        data = traffic.head("GET", f"/plain/0/{n:04}", "X-Pad: 1234567890")
        client.send(data[:n])
        time.sleep(0.0015)
        client.send(data[n:])
        client.answer()
    spans = t.stop(weft)
    common.exchanges(t, spans, range(1, length), app.port)
    common.all_equal(t, "path", lambda s: f"/plain/0/{s.number:04}", spans, lambda s: s.path)
    t.note(f"{length - 1} cuts")


@case()
def split_response_heads(t):
    app, weft, client = _started(t)
    length = len(b"HTTP/1.1 200 Text\r\nContent-Length: 4\r\nX-Pad: 12345\r\n\r\n0000")
    for n in range(1, length):
        client.get(f"/split/{n}/{n}")
    spans = t.stop(weft)
    common.exchanges(t, spans, range(1, length), app.port)
    _size(t, "http.response.body.size", 4, spans)


@case()
def slow_drip(t):
    """A byte a call, in both directions, heads and bodies."""
    app, weft, client = _started(t)
    for n in range(3):
        for byte in traffic.head("POST", f"/drip/1/{n}", "Content-Length: 20") + b"d" * 20:
            client.send(bytes([byte]))
            time.sleep(0.001)
        client.answer()
    spans = t.stop(weft)
    common.exchanges(t, spans, range(3), app.port, method="POST")
    _size(t, "http.request.body.size", 20, spans)
    _size(t, "http.response.body.size", 1, spans)


def _small_reads(t, *options):
    app, weft, client = _started(t, *options)
    for n in range(20):
        client.get(f"/chunked/{n + 1}/{n}", "X-Pad: 1234567890", method="POST", body=b"r" * 50)
    client.send(b"".join(traffic.head("GET", f"/plain/0/{n}") for n in range(100, 110)))
    for _ in range(10):
        client.answer()
    spans = t.stop(weft)
    posts = spans.where(lambda s: s.number < 100)
    common.exchanges(t, posts, range(20), app.port, method="POST")
    _size(t, "http.request.body.size", 50, posts)
    common.exchanges(t, spans.where(lambda s: s.number >= 100), range(100, 110), app.port)


@case()
def reads_of_seven_bytes(t):
    """The server reads heads and pipelined requests in pieces of 7 bytes."""
    _small_reads(t, "--recv", 7)


@case()
def peeked_before_read(t):
    """MSG_PEEK shows bytes that are read later: they count once."""
    _small_reads(t, "--peek")


def _send_scattered(client, data, sizes):
    """One call with buffers of these sizes in turn."""
    pieces, at = [], 0
    while at < len(data):
        pieces.append(data[at:at + sizes[len(pieces) % len(sizes)]])
        at += len(pieces[-1])
    return len(data) == client.sock.sendmsg(pieces)


@case()
def scattered_buffers(t):
    """Messages, heads and chunk sizes that begin and end anywhere in the buffers of one call."""
    app, weft, client = _started(t, "--vector")
    for n in range(40):
        data = b"".join(traffic.head("POST", f"/chunked/{m % 7}/{m}", "Content-Length: 9") + b"s" * 9
                        for m in range(10 * n, 10 * n + 10))
        t.expect("sent in one call", True, _send_scattered(client, data, (n + 14, 900, 1, 33)))
        for m in range(10 * n, 10 * n + 10):
            t.expect("size of the body that came", 10 * (m % 7), len(client.answer().body))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(400), app.port, method="POST")
    _size(t, "http.request.body.size", 9, spans)
    common.all_equal(t, "http.response.body.size", lambda s: 10 * (s.number % 7), spans,
                     lambda s: s["http.response.body.size"] or 0)
    t.expect("what the kernel side could not follow", False, "not followed" in weft.log)


@case()
def http_1_0(t):
    """Closing and keep-alive."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    for n in range(5):
        client = traffic.Client(app.address)
        client.send(traffic.head("GET", f"/plain/0/{n}", version="1.0"))
        client.answer()
    client = traffic.Client(app.address)
    for n in range(5, 10):
        client.send(traffic.head("GET", f"/plain/0/{n}", "Connection: keep-alive", version="1.0"))
        client.answer()
    spans = t.stop(weft)
    common.exchanges(t, spans, range(10), app.port)
    common.all_equal(t, "network.protocol.version", "1.0", spans,
                     lambda s: s["network.protocol.version"])


@case()
def methods_and_targets(t):
    """Any method token; absolute and asterisk forms."""
    app, weft, client = _started(t)
    known = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    unknown = ["PURGE", "M-SEARCH", "X", "VERYLONGMETHODNAME", "PROPFIND"]
    for n, method in enumerate(known + unknown):
        client.get(f"/plain/0/{n}", method=method)
    client.get("http://shop.example:8080/plain/0/30?a=1")
    client.send(traffic.head("OPTIONS", "*"))
    client.answer()
    spans = t.stop(weft)
    common.once(t, spans.under("/plain/"), [*range(len(known + unknown)), 30], common.SERVER)
    for n, method in enumerate(known + unknown):
        for span in spans.numbered(n):
            told = method if method in known else "_OTHER"
            t.expect(f"http.request.method of {method}", told, span["http.request.method"])
            t.expect(f"http.request.method_original of {method}",
                     None if method in known else method, span["http.request.method_original"])
            first = span.name.split(" ")[0]
            t.expect(f"span name of {method} begins", told if method in known else "HTTP", first)
    t.expect("url.path of the absolute form", {"/plain/0/30"},
             {s.path for s in spans.numbered(30)})
    t.expect("url.path of the asterisk form", ["*"],
             [s.path for s in spans.servers().where(lambda s: s["http.request.method"] == "OPTIONS"
                                                    and s.number is None)])
