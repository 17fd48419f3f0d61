# SPDX-License-Identifier: Apache-2.0
"""Servers of every kind answer curl and a plain client: every request is one exchange."""

import apps
import common
import traffic
from case import case

EACH = 100


def _drive(t, app):
    """100 requests in each of four ways; {number: (status, local port)} of the plain client's."""
    t.expect("answers to curl, keep-alive", [200] * EACH,
             traffic.curl(app.address, 0, EACH - 1, "/item/{}"))
    # Not by "Connection: close": where the server does not say it too, curl tries to use the
    # connection again, and then really sends the request twice.
    t.expect("answers to curl, HTTP/1.0", [200] * EACH,
             traffic.curl(app.address, EACH, 2 * EACH - 1, "/item/{}", "--http1.0"))
    kept = traffic.keep_alive(app.address, [f"/item/{n}" for n in range(2 * EACH, 3 * EACH)])
    single = traffic.one_by_one(app.address, [f"/item/{n}" for n in range(3 * EACH, 4 * EACH)])
    return {int(path.split("/")[2]): port for path, _, port in kept + single}


def _errors(t, app):
    """Ten answers of 404 and of 500 each."""
    for first, kind, code in ((1000, "missing", 404), (2000, "broken", 500)):
        paths = [f"/{kind}/{n}" for n in range(first, first + 10)]
        got = {status for _, status, _ in traffic.keep_alive(app.address, paths)}
        t.expect(f"answers to /{kind}", {code}, got)


def _curl_knows(t, servers):
    mine = [s for n, s in servers.items() if n < 2 * EACH]
    common.all_equal(t, "user_agent.original begins with curl/", True, mine,
                     lambda s: (s["user_agent.original"] or "").startswith("curl/"))


def static(t, start):
    app = start(t)
    weft = t.weft("--port", app.port)
    ports = _drive(t, app)
    _errors(t, app)
    spans = t.stop(weft)
    fine = spans.under("/item/")
    servers, _ = common.exchanges(t, fine, range(4 * EACH), app.port)
    common.all_equal(t, "path", lambda s: f"/item/{s.number}", fine, lambda s: s.path)
    mine = [s for n, s in servers.items() if n in ports]
    common.all_equal(t, "network.peer.port at the server", lambda s: ports[s.number], mine,
                     lambda s: s["network.peer.port"])
    common.all_equal(t, "network.peer.address", "127.0.0.1", fine,
                     lambda s: s["network.peer.address"])
    common.all_equal(t, "network.protocol.version",
                     lambda s: "1.0" if EACH <= s.number < 2 * EACH else "1.1", fine,
                     lambda s: s["network.protocol.version"])
    common.all_equal(t, "url.scheme", "http", list(servers.values()), lambda s: s["url.scheme"])
    common.all_equal(t, "process.pid is the server's", True, list(servers.values()),
                     lambda s: s.resource.get("process.pid") in app.pids)
    _curl_knows(t, servers)
    common.exchanges(t, spans.under("/missing/"), range(1000, 1010), app.port, status=404)
    common.exchanges(t, spans.under("/broken/"), range(2000, 2010), app.port, status=500)


def _register(name, start, *needs):
    case(name=f"static_{name}", needs=["curl", *needs], timeout=90)(lambda t: static(t, start))


_register("nginx", apps.nginx, "nginx")
_register("apache", apps.apache, "apache2")
_register("python", apps.backend)
_register("flask", apps.flask, "gunicorn")
_register("node", apps.node, "node")
_register("go", apps.go)
_register("java", apps.java, "java")


@case(needs=["nginx"])
def nginx_two_workers_at_once(t):
    """Many keep-alive connections at once: nothing is mixed up between them."""
    app = apps.nginx(t, workers=2)
    weft = t.weft("--port", app.port)
    for path in (f"/item/{{}}?round={i}" for i in range(2)):
        first = 0 if path.endswith("0") else 5000
        wrong = traffic.load(app.address, 2000, 32, path, first)
        # nginx answers with a file, not with the number: only the status counts.
        t.expect("answers that were not 200", [], [w for w in wrong if w[1] != 200])
    spans = t.stop(weft)
    common.exchanges(t, spans, [*range(2000), *range(5000, 7000)], app.port)
