# SPDX-License-Identifier: Apache-2.0
"""What most cases ask: was every request seen once at each end, and rightly."""

import subprocess
from collections import Counter

import h2load as h2load_output
from spans import CLIENT, ERROR, SERVER, UNSET


def kind_name(kind):
    return {SERVER: "server", CLIENT: "client"}[kind]


def once(t, spans, numbers, kind, what=""):
    """Exactly one span of this kind for each number; {number: span} of those that have one."""
    of_kind = spans.where(lambda s: s.kind == kind)
    counts, wanted = Counter(s.number for s in of_kind), list(numbers)
    missing = [n for n in wanted if counts[n] == 0]
    several = [n for n in wanted if counts[n] > 1]
    name = f"{what}{kind_name(kind)} spans"
    if missing:
        t.fail(f"{name}: expected one for each of {len(wanted)} requests, none for "
               f"{len(missing)}: {missing[:8]}")
    if several:
        t.fail(f"{name}: expected one for each request, several for {len(several)}: "
               f"{several[:8]}")
    wanted = set(wanted)
    surplus = [s for s in of_kind if s.number not in wanted]
    if surplus:
        t.fail(f"{name}: {len(surplus)} that belong to no request: {surplus[0]}")
    return {s.number: s for s in of_kind}


def joined(t, spans, servers, clients):
    """Each server span's parent is the client span of the same request."""
    wrong = [n for n, server in servers.items()
             if n in clients and spans.parent(server) is not clients[n]]
    if wrong:
        one = servers[wrong[0]]
        t.fail(f"client span directly above the server span: expected for {len(servers)} requests, "
               f"not so for {len(wrong)}: {wrong[:8]}; request {wrong[0]} has above it "
               f"{spans.parent(one) or one.parent or 'nothing'}")


def all_equal(t, what, expected, spans, value):
    """`value(span)` is `expected` for every span (`expected` may be a function of the span)."""
    bad = []
    for span in spans:
        want = expected(span) if callable(expected) else expected
        if value(span) != want:
            bad.append((span, want, value(span)))
    if bad:
        span, want, got = bad[0]
        t.fail(f"{what}: expected {want!r}, got {got!r} at {len(bad)} of {len(spans)} spans, "
               f"as {span}")


def exchanges(t, spans, numbers, port=None, method="GET", status=200):
    """
    The whole check of plain requests: one server and one client span each, joined, with method,
    status and ports. Returns ({n: server}, {n: client}).
    """
    servers = once(t, spans, numbers, SERVER)
    clients = once(t, spans, numbers, CLIENT)
    joined(t, spans, servers, clients)
    both = [*servers.values(), *clients.values()]
    all_equal(t, "http.request.method", method, both, lambda s: s["http.request.method"])
    all_equal(t, "http.response.status_code", status, both,
              lambda s: s["http.response.status_code"])
    if port is not None:
        all_equal(t, "server.port", port, both, lambda s: s["server.port"])
    all_equal(t, "start is not after end", True, both, lambda s: 0 < s.start <= s.end)
    status_rules(t, both)
    return servers, clients


def status_rules(t, spans):
    """Error for 5xx on servers, 4xx and 5xx on clients, with error.type; unset without one."""
    def wanted(span):
        code = span["http.response.status_code"] or 0
        bad = code >= (500 if span.kind == SERVER else 400)
        return (ERROR, str(code)) if bad else (UNSET, None)
    all_equal(t, "span status and error.type", wanted, spans, lambda s: (s.status, s["error.type"]))


def failed(t, what, spans):
    """There is such a span, its status is error and it has an error.type."""
    t.expect_true(f"{what}: there is a span", spans)
    for span in spans:
        t.expect(f"{what}: status of the {kind_name(span.kind)} span", ERROR, span.status)
        t.expect_true(f"{what}: error.type of the {kind_name(span.kind)} span", span["error.type"])


def h2load_done(t, count, words, timeout):
    """h2load with these words sends so many requests; fails the case if one is not answered well."""
    done = subprocess.run(["h2load", "-n", str(count), *words], capture_output=True, text=True, timeout=timeout)
    told, names = h2load_output.told(done.stdout), ("total", "succeeded", "failed", "errored", "timeout")
    t.expect("requests of h2load, that succeeded, failed, had errors, took too long", (count, count, 0, 0, 0),
             tuple(told[name] for name in names) if told else done.stdout + done.stderr)


def h2load(t, app, count, *options):
    """h2load fetches /load/0 ... once each; fails the case if one is not answered well."""
    uris = t.write("uris", "".join(f"http://{app.authority}/load/{n}\n" for n in range(count)))
    h2load_done(t, count, ["-i", uris, *options], timeout=100)


def inside_tls(t, spans, numbers, version, protocol):
    """
    The exchanges of two programs that ask and answer by number, as tests/apps/gotls and tests/apps/rustls
    do: once at each end, joined, and with what each has sent. All their spans.
    """
    servers, clients = (once(t, spans, numbers, kind) for kind in (SERVER, CLIENT))
    joined(t, spans, servers, clients)
    both = [*servers.values(), *clients.values()]
    all_equal(t, "tls.protocol.version", version, both, lambda s: s["tls.protocol.version"])
    all_equal(t, "network.protocol.version", protocol, both, lambda s: s["network.protocol.version"])
    all_equal(t, "url.scheme", "https", both, lambda s: s["url.scheme"])
    all_equal(t, "method", lambda s: "GET" if s.number % 7 else "POST", both, lambda s: s["http.request.method"])
    all_equal(t, "bytes of the answer", lambda s: len(str(s.number)) * (1 if s.number % 5 else 10000), both,
              lambda s: s["http.response.body.size"])
    all_equal(t, "bytes of the request", lambda s: 0 if s.number % 7 else 40000 + s.number, both,
              lambda s: s["http.request.body.size"] or 0)
    return both
