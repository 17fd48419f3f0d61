# SPDX-License-Identifier: Apache-2.0
"""What a span says: times, routes, names, secrets, where it comes from."""

import os
import re
import shutil
import socket
import time
import uuid

import apps
import common
import traffic
from case import case


@case()
def durations_and_times(t):
    """Durations are those of the answer's last byte; times are of the wall clock."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    client, sent = traffic.Client(app.address), {}
    for n, (name, delay) in enumerate([("slow", 50), ("slow", 200), ("slow-body", 100)] * 2):
        begin = time.time_ns()
        client.get(f"/{name}/{delay}/{n}")
        sent[n] = (begin, time.time_ns(), delay)
    spans = t.stop(weft)
    servers, clients = common.exchanges(t, spans, range(6), app.port)
    slack = 5_000_000  # clock steps and scheduling, ns
    for span in [*servers.values(), *clients.values()]:
        begin, end, delay = sent[span.number]
        t.expect_range(f"ms of {span}", delay - 1, (end - begin) / 1e6 + 5, span.milliseconds)
        t.expect_range(f"start of {span}, Unix ns", begin - slack, end, span.start)
        t.expect_range(f"end of {span}, Unix ns", begin, end + slack, span.end)
    for n, server in servers.items():
        if n in clients:
            t.expect_true(f"request {n}: the client's span is not shorter than the server's",
                          clients[n].milliseconds >= server.milliseconds - 1)


@case()
def routes_of_numbers(t):
    """A hundred and fifty ids, one route."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, [f"/users/{n}/orders/7" for n in range(1000, 1150)])
    spans = t.stop(weft)
    t.expect("server spans", 150, len(spans.servers()))
    common.all_equal(t, "http.route", "/users/{id}/orders/{id}", spans.servers(),
                     lambda s: s["http.route"])
    common.all_equal(t, "name", "GET /users/{id}/orders/{id}", spans.servers(), lambda s: s.name)
    paths = {s.path for s in spans.servers()}
    t.expect("url.path keeps the ids: different ones", 150, len(paths))


@case()
def routes_of_other_ids(t):
    """UUIDs, hashes, dates and slugs that vary: few names, and no id in them."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    paths = []
    for n in range(60):
        paths += [f"/files/{uuid.UUID(int=n << 64 | 0x4000_8000_0000_0000_0000)}",
                  f"/blobs/{os.urandom(20).hex()}", f"/days/2024-03-{n % 28 + 1:02}"]
    traffic.keep_alive(app.address, paths)
    spans = t.stop(weft).servers()
    names = {s.name for s in spans}
    t.expect("server spans", len(paths), len(spans))
    t.expect_range("different names", 3, 6, len(names))
    for name in names:
        t.expect(f"ids in the name {name}", None, re.search(r"[0-9]{4}|[0-9a-f]{8}", name))


@case()
def routes_are_bounded(t):
    """Four hundred words of no pattern: at most a hundred names a service, and METHOD /*."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    letters = "abcdefghijklmnopqrst"
    words = [f"/{a}{b}word/{b}{a}thing" for a in letters for b in letters]
    traffic.keep_alive(app.address, words)
    spans = t.stop(weft).servers()
    t.expect("server spans", len(words), len(spans))
    t.expect_range("different names", 1, 101, len({s.name for s in spans}))


@case()
def client_names(t):
    """A client span's name has no path in it."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(5)])
    spans = t.stop(weft)
    common.exchanges(t, spans, range(5), app.port)
    common.all_equal(t, "name", True, spans.clients(),
                     lambda s: s.name in ("GET", "GET /plain/{id}/{id}"))
    common.all_equal(t, "server.address", True, spans.clients(),
                     lambda s: s["server.address"] in ("127.0.0.1", "localhost"))


@case()
def secrets_stay(t):
    """Nothing secret is in the export: credentials, cookies, values of the query string."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    secret = "s3cr3t" + os.urandom(6).hex()
    client = traffic.Client(app.address)
    client.get(f"/plain/0/1?token={secret}&page={secret}2#frag", f"Authorization: Bearer {secret}",
               f"Cookie: id={secret}", f"X-Api-Key: {secret}", f"Proxy-Authorization: {secret}")
    client.get(f"http://user:{secret}@shop.example/plain/0/2?q={secret}")
    client.get("/plain/0/3", f"Set-Cookie: {secret}", body=secret.encode(), method="POST")
    spans = t.stop(weft)
    common.once(t, spans, [1, 2, 3], common.SERVER)
    with open(weft.spans_path, encoding="utf-8") as handle:
        t.expect("times that the secret is in the export", 0, handle.read().count(secret))
    t.expect("times that the secret is in weft's log", 0, weft.log.count(secret))
    for span in spans.servers().numbered(1):
        query = span["url.query"] or ""
        t.expect("keys that url.query names", ["token", "page"], re.findall(r"(\w+)=", query))


@case()
def values_that_are_no_text(t):
    """Bytes that are no UTF-8 do not break the export."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    client = traffic.Client(app.address)
    client.send(b"GET /plain/0/1?x=\xff\xfe HTTP/1.1\r\nHost: a\r\n"
                b"User-Agent: \xc3\x28\"\\\t\xf0\r\n\r\n")
    client.answer()
    client.get("/plain/0/2", "User-Agent: " + "u" * 3000)
    spans = t.stop(weft)
    common.exchanges(t, spans, [1, 2], app.port)


@case()
def resource_of_the_process(t):
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, ["/plain/0/1"])
    spans = t.stop(weft).servers()
    t.expect("server spans", 1, len(spans))
    for span in spans:
        resource = span.resource
        t.expect("process.pid", app.process.pid, resource.get("process.pid"))
        t.expect("host.name", socket.gethostname(), resource.get("host.name"))
        t.expect("telemetry.distro.name", "weft", resource.get("telemetry.distro.name"))
        t.expect_true("telemetry.distro.version", resource.get("telemetry.distro.version"))
        t.expect_true("process.executable.path names python",
                      "python" in resource.get("process.executable.path", ""))
        t.expect("os.type", "linux", resource.get("os.type"))
        t.expect("process.command_args is told only on request", None,
                 resource.get("process.command_args"))
        t.expect_true("thread.id", span["thread.id"])


@case(needs=["nginx"], timeout=60)
def service_names(t):
    """From the environment, then the script, module, jar or package, then the executable."""
    os.makedirs(t.path("shopping"))
    shutil.copy(os.path.join(apps.APPS, "rawserver.py"), t.path("shopping", "main.py"))
    t.write("shopping/__init__.py", "")
    port = t.port()
    module = [apps.PYTHON, "-m", "shopping.main", "127.0.0.1", port]
    found = [(apps.raw(t), {"rawserver", "rawserver.py"}),
             (apps.raw(t, env={"OTEL_SERVICE_NAME": "checkout"}), {"checkout"}),
             (apps.raw(t, env={"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=cart%2Dtwo"}),
              {"cart-two"}),
             (apps.App(t, module, port, cwd=t.dir), {"shopping.main"}),
             (apps.nginx(t), {"nginx"})]
    for program, start, name in (("node", apps.node, "storefront"), ("java", apps.java, "shop")):
        if shutil.which(program):
            found.append((start(t), {name}))
        else:
            t.note(f"without {program}")
    weft = t.weft("--port", ",".join(str(app.port) for app, _ in found))
    for app, _ in found:
        traffic.keep_alive(app.address, ["/plain/0/1"])
    spans = t.stop(weft)
    for app, names in found:
        got = {s.resource.get("service.name") for s in spans.servers(app.port)}
        if not (got and got <= names):
            t.fail(f"service.name: expected {' or '.join(sorted(names))}, got {got or 'no span'}")
