# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 in plain text: every stream is one exchange, however the frames lie."""

import os
import re
import subprocess

import apps
import arrivals
import common
import grpc_peers
import propagation
import traffic
from case import case
from frames import END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Plan, Server, frame
from spans import by_pids, chain


def _all_h2(t, spans):
    common.all_equal(t, "network.protocol.version", "2", spans,
                     lambda s: s["network.protocol.version"])
    common.all_equal(t, "weft.partial", None, spans, lambda s: s["weft.partial"])


def _curl(app, numbers, pattern, *options):
    """
    curl fetches pattern.format(n), a connection each: it gives up connections of HTTP/2 by prior
    knowledge when it uses them again (7.88). The status codes.
    """
    return [traffic.curl(app.address, n, n, pattern, *options)[0] for n in numbers]


def _nghttp(t, app, paths, *options):
    """nghttp fetches the paths, all at once over one connection; fails the case if it cannot."""
    done = subprocess.run(["nghttp", "-nv", *options, *(f"http://{app.authority}{p}" for p in paths)],
                          capture_output=True, text=True, timeout=60)
    # what it colours, it colours on terminals alone
    t.expect("nghttp's exit status", (0, ""), (done.returncode, done.stderr))
    return done.stdout


@case(needs=["nginx", "curl"])
def http2_nginx_curl(t):
    """By prior knowledge, one stream to a connection: answers of every kind."""
    app = apps.nginx(t, http2=True)
    weft = t.weft("--port", app.port)
    told = "--http2-prior-knowledge"
    t.expect("answers", {200}, set(_curl(app, range(20), "/item/{}?q=1", told)))
    t.expect("answers of 404", {404}, set(_curl(app, range(100, 105), "/missing/{}", told)))
    t.expect("answers of 500", {500}, set(_curl(app, range(200, 205), "/broken/{}", told)))
    t.expect("answers to HEAD", {200}, set(_curl(app, range(300, 305), "/head/{}", told, "--head")))
    spans = t.stop(weft)
    fine = spans.under("/item/")
    servers, clients = common.exchanges(t, fine, range(20), app.port)
    common.exchanges(t, spans.under("/missing/"), range(100, 105), app.port, status=404)
    common.exchanges(t, spans.under("/broken/"), range(200, 205), app.port, status=500)
    common.exchanges(t, spans.under("/head/"), range(300, 305), app.port, method="HEAD")
    _all_h2(t, spans)
    common.all_equal(t, "path", lambda s: f"/item/{s.number}", fine, lambda s: s.path)
    common.all_equal(t, "url.scheme", "http", list(servers.values()), lambda s: s["url.scheme"])
    common.all_equal(t, "server.address", "127.0.0.1", fine, lambda s: s["server.address"])
    common.all_equal(t, "http.response.body.size", 130, fine,
                     lambda s: s["http.response.body.size"])
    common.all_equal(t, "user_agent.original", "curl/", list(clients.values()),
                     lambda s: (s["user_agent.original"] or "")[:5])


def _nghttpd(t, *options, files=()):
    port = t.port()
    apps.static_files(t)
    for name, size in files:
        t.write(f"www/{name}", "x" * size)
    return apps.App(t, ["nghttpd", "--no-tls", "-d", t.path("www"), *options, port], port)


class _Slow:
    """nghttp2's compression and little else: one connection, a request after the other."""

    def __init__(self, t, app):
        self.process = t.spawn([apps.PYTHON, "-B", os.path.join(apps.APPS, "http2_client.py"), app.port],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, numbers, told=lambda number: ""):
        """`told`: the value of a traceparent, or nothing."""
        for number in numbers:
            self.process.stdin.write(f"/ask/{number} {told(number)}\n".encode())
            self.process.stdin.flush()
            if not self.process.stdout.readline():
                raise RuntimeError("http2_client.py has ended")

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


def _options(name, server=(), client=()):
    """nghttp and nghttpd with what makes frames odd, at either end."""
    @case(name=f"http2_{name}", needs=["nghttp", "nghttpd"])
    def _(t):
        app = _nghttpd(t, *server, files=[(f"f{n}", 3000 * n) for n in range(20)])
        weft = t.weft("--port", app.port)
        for _ in range(3):
            _nghttp(t, app, [f"/f{n}" for n in range(20)], *client)
        spans = t.stop(weft)
        _all_h2(t, spans)
        for kind in (common.SERVER, common.CLIENT):
            seen = common.Counter(s.path for s in spans if s.kind == kind and s.number is not None)
            t.expect(f"paths of kind {kind}", {f"/f{n}": 3 for n in range(20)}, dict(seen))
        common.all_equal(t, "http.response.body.size", lambda s: 3000 * s.number or None, spans,
                         lambda s: s["http.response.body.size"] or None)
        wrong = [s for s in spans if s.kind == common.SERVER and
                 (not (above := spans.parent(s)) or above.path != s.path)]
        t.expect("server spans whose client span is not directly above", 0, len(wrong))


_options("plain")
_options("padded", server=["-b", "250"], client=["-b", "250"])
_options("trailers", server=["--trailer", "x-end: yes"])
_options("small_tables", server=["-c", "100"], client=["-c", "64"])
_options("no_tables", server=["-c", "0"], client=["-c", "0"])
_options("large_tables", server=["-c", "65536"], client=["-c", "65536"])
_options("long_heads", client=[o for n in range(12) for o in ("-H", f"x-long-{n}: {'v' * 3000}")])


@case(needs=["nginx", "h2load"], timeout=120)
def http2_nginx_h2load(t):
    """100 streams at a time on each of 10 connections."""
    app = apps.nginx(t, http2=True)
    weft = t.weft("--port", app.port)
    common.h2load(t, app, 20000, "-c", "10", "-m", "100")
    spans = t.stop(weft)
    seen = common.Counter((s.kind, s["url.path"] or s.path) for s in spans)
    t.note(f"{len(spans)} spans of 20000 requests")
    # -i: each connection begins at the file's start, so paths come several times
    t.expect("server spans", 20000, sum(1 for s in spans if s.kind == common.SERVER))
    t.expect("client spans", 20000, sum(1 for s in spans if s.kind == common.CLIENT))
    t.expect("paths of a span's both ends that were not seen as often", [],
             [p for (kind, p), n in seen.items() if seen[(5 - kind, p)] != n][:5])
    servers = [s for s in spans if s.kind == common.SERVER]
    wrong = [s for s in servers if not (above := spans.parent(s)) or above.path != s.path]
    t.expect("server spans whose client span is not directly above", 0, len(wrong))
    _all_h2(t, spans)


@case(needs=["apache2", "curl"])
def http2_upgrade(t):
    """By way of an upgrade: one request to a connection, answered in the other protocol."""
    app = apps.apache(t, http2=True)
    weft = t.weft("--port", app.port)
    t.expect("answers", {200}, set(_curl(app, range(20), "/item/{}", "--http2")))
    spans = t.stop(weft)
    servers = common.once(t, spans, range(20), common.SERVER)
    clients = common.once(t, spans, range(20), common.CLIENT)
    common.joined(t, spans, servers, clients)
    # the exchange of the upgrade has ended with it
    common.all_equal(t, "http.response.status_code", 101, spans,
                     lambda s: s["http.response.status_code"])
    told = ["--http2-prior-knowledge"]
    weft = t.weft("--port", app.port)
    t.expect("answers", {200}, set(_curl(app, range(20, 40), "/item/{}", *told)))
    _all_h2(t, spans := t.stop(weft))
    common.exchanges(t, spans, range(20, 40), app.port)


@case(needs=["nghttpx", "java"], timeout=120)
def http2_java(t):
    """Java's HttpClient: by way of an upgrade, then all at once."""
    count, port, inner = 40, t.port(), apps.backend(t)
    app = apps.App(t, ["nghttpx", "--conf=/dev/null", "--no-ocsp", "-L", "ERROR", f"-f127.0.0.1,{port};no-tls",
                       f"-b127.0.0.1,{inner.port}"], port)
    weft = t.weft("--port", port)
    done = subprocess.run(["java", "-Xmx128m", os.path.join(apps.APPS, "Http2Client.java"),
                           f"http://{app.authority}/item/", str(count)], capture_output=True, text=True, timeout=60)
    t.expect("good answers in HTTP/2", str(count - 1), done.stdout.strip() or done.stderr[:400])
    spans = t.stop(weft)
    servers = common.once(t, spans, range(count), common.SERVER)
    common.joined(t, spans, servers, common.once(t, spans, range(count), common.CLIENT))
    common.all_equal(t, "http.response.status_code", lambda s: 200 if s.number else 101, spans,
                     lambda s: s["http.response.status_code"])
    common.all_equal(t, "network.protocol.version", lambda s: "2" if s.number else "1.1", spans,
                     lambda s: s["network.protocol.version"])


@case(needs=["nghttpd"], timeout=90)
def http2_opened_before(t):
    """A connection that was there before weft: what is seen of it is right, or not told."""
    app = _nghttpd(t)
    client = _Slow(t, app)
    client.ask(range(5))
    weft = t.weft("--port", app.port)
    client.ask(range(5, 25))
    client.ask(range(3))  # which the client says by reference to what it has said before weft was there
    client.end()
    spans = t.stop(weft)
    common.all_equal(t, "path", True, spans, lambda s: s.path == "" or 5 <= s.number < 25)
    common.once(t, spans.where(lambda s: s.path), range(5, 25), common.SERVER)
    common.once(t, spans.where(lambda s: s.path), range(5, 25), common.CLIENT)
    t.expect("spans without a path", 6, sum(1 for s in spans if s.path == ""))
    # the client's name was said before, too
    common.all_equal(t, "weft.partial", True, spans, lambda s: s["weft.partial"])
    known = [s for s in spans if s.kind == common.SERVER and s.path]
    wrong = [s for s in known if (above := spans.parent(s)) and above.path and above.path != s.path]
    t.expect("server spans under another request's client span", 0, len(wrong))


@case()
def http2_goaway(t):
    """Streams that the server says it will do nothing for have ended when it says so."""
    server, plan = Server(last=1), Plan()
    heads = [b"\x82\x86\x04" + bytes([7]) + f"/away/{n}".encode() + b"\x01\x01a" for n in range(3)]
    plan.add(PREFACE + frame(SETTINGS, 0, 0) +
             b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, h) for n, h in enumerate(heads)), 1)
    client = t.spawn([apps.PYTHON, "-B", os.path.join(apps.APPS, "frames_client.py"), server.port, plan.write(t)],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    weft = t.weft("--pid", client.pid)
    out, _ = client.communicate(b"go\n", timeout=30)
    t.expect("connections that were served", 1, out.count(b"done"))
    clients = common.once(t, t.stop(weft), range(3), common.CLIENT)
    t.expect("status and error of the streams", [("204", None), (None, "REFUSED_STREAM"), (None, "REFUSED_STREAM")],
             [(str(s["http.response.status_code"] or "") or None, s["error.type"]) for _, s in sorted(clients.items())])


@case(needs=["nginx"])
def http2_context_goes_on(t):
    """
    The caller's context comes compressed, with a name that was said before: what is sent on meanwhile is in
    the caller's trace, on the wire and in what is exported.
    """
    count = 20  # the table holds what they say
    port, taken, server = arrivals.server(count)
    entry = apps.nginx(t, f"127.0.0.1:{port}", http2=True, keepalive=False,
                       told='proxy_set_header traceparent "";')
    ids = [(os.urandom(16).hex(), os.urandom(8).hex()) for _ in range(count)]
    weft = t.weft(*[word for pid in sorted(entry.pids) for word in ("--pid", pid)], "--inject", "auto")
    client = _Slow(t, entry)
    client.ask(range(count), lambda n: f"00-{ids[n][0]}-{ids[n][1]}-01")
    client.end()
    server.join(20)
    spans = t.stop(weft)
    servers = common.once(t, spans, range(count), common.SERVER)
    clients = common.once(t, spans, range(count), common.CLIENT)
    common.all_equal(t, "trace", lambda s: ids[s.number][0], spans, lambda s: s.trace)
    common.all_equal(t, "the server span's parent", lambda s: ids[s.number][1], list(servers.values()),
                     lambda s: s.parent)
    common.all_equal(t, "the client span's parent", lambda s: servers[s.number].id, list(clients.values()),
                     lambda s: s.parent)
    sent = [re.search(rb"^traceparent: 00-(\w+)-(\w+)-", head, re.MULTILINE) for head in taken]
    numbers = [int(re.search(rb"/ask/(\d+)", head)[1]) for head in taken]
    if propagation.mode(t) == "none":
        return
    t.expect("what was sent on names trace and span", [(ids[n][0], clients[n].id) for n in numbers],
             [(s[1].decode(), s[2].decode()) if s else None for s in sent])


def _chain_hops(t, entry, inner, count, at_once):
    """The proxy's and the inner server's hop of `count` requests, so many at a time on one connection."""
    weft = t.weft("--port", f"{entry.port},{inner.port}", "--inject", "auto")
    common.h2load(t, entry, count, "-c", "1", "-m", str(at_once))
    hops = chain(t.stop(weft), [("proxy", by_pids(entry.pids)), ("server", by_pids(inner.pids))],
                 range(count))
    t.note(f"{at_once} at a time: precision {hops[1].precision:.2f} %, recall {hops[1].recall:.2f} %")
    t.expect(f"requests with one server span, {at_once} at a time, %", [100.0, 100.0],
             [h.seen for h in hops])
    t.expect(f"precision of parents, {at_once} at a time, %", 100.0, hops[1].precision)
    return hops


@case(needs=["nginx", "h2load"], timeout=120)
def http2_chain(t):
    """nginx takes HTTP/2 and asks a server behind it by HTTP/1: parents are right, or there are none."""
    inner = apps.backend(t)
    entry = apps.nginx(t, f"127.0.0.1:{inner.port}", http2=True)
    alone = _chain_hops(t, entry, inner, 300, 1)
    t.expect("recall of parents, %", 100.0, alone[1].recall)
    _chain_hops(t, entry, inner, 2000, 50)


def _through(name, proxy):
    """HTTP/2 on both sides of a proxy that hands heads on: where each has a header, so has each its parent."""
    @case(name=f"http2_through_{name}", needs=["nginx", "h2load"], timeout=120)
    def _(t):
        inner = apps.nginx(t, http2=True)
        entry = proxy(t, inner.port)
        for at_once in (20, 100):
            hops = _chain_hops(t, entry, inner, 5000, at_once)
            if propagation.mode(t) == "every":
                t.expect_range(f"recall of parents, {at_once} at a time, %", 99.5, 100.0, hops[1].recall)


_through("haproxy", grpc_peers.haproxy)
_through("nginx", grpc_peers.nginx)
