# SPDX-License-Identifier: Apache-2.0
"""
Requests through several programs. Each carries its number through every hop; the spans are right
when a backend's span hangs under the entry span of the same number.
"""

import apps
import traffic
from case import case
from spans import by_pids, by_port, chain

COUNT = 5000
AT_ONCE = 32


def _run(t, entry, count, weft_options):
    """Warms the chain up, traces `count` requests through it; their spans and numbers."""
    t.expect("wrong answers while warming up", [], traffic.load(entry.address, 100, 16, "/warm/{}"))
    weft = t.weft(*weft_options)
    t.expect("wrong answers", [], traffic.load(entry.address, count, AT_ONCE))
    return t.stop(weft, settle=0.5).under("/chain/"), range(count)


def _tell(t, hops):
    for hop in hops[1:]:
        t.note(f"{hop.name}: precision {hop.precision:.2f} %, recall {hop.recall:.2f} %")
    last = hops[-1]
    t.note(f"under the entry: precision {last.entry_precision:.2f} %, "
           f"recall {last.entry_recall:.2f} %")


def _judge(t, hops, recalls):
    """`recalls`: the least recall of each hop but the first; the last one, under the entry."""
    for hop in hops:
        t.expect(f"{hop.name}: requests with one server span, % {hop.examples}", 100.0, hop.seen)
        t.expect(f"{hop.name}: requests with several server spans", 0, hop.several)
        t.expect(f"{hop.name}: server spans with their client span directly above",
                 hop.once, hop.client_above)
    for hop, least in zip(hops[1:], recalls):
        t.expect(f"{hop.name}: precision of parents, % {hop.examples}", 100.0, hop.precision)
        t.expect_range(f"{hop.name}: recall of parents, %", least, 100, hop.recall)
    t.expect(f"{hops[-1].name}: precision under the entry, %", 100.0, hops[-1].entry_precision)
    t.expect_range(f"{hops[-1].name}: recall under the entry, %", recalls[-1], 100,
                   hops[-1].entry_recall)


def _ports(*named):
    return ["--port", ",".join(str(app.port) for _, app in named)]


def _chain(t, named, recalls, count=COUNT):
    """`named`: (name, app) from the entry inwards."""
    spans, numbers = _run(t, named[0][1], count, _ports(*named))
    hops = chain(spans, [(name, by_port(app.port)) for name, app in named], numbers)
    _tell(t, hops)
    _judge(t, hops, recalls)


@case(timeout=180, needs=["nginx", "gunicorn"])
def chain_nginx_flask_python(t):
    """nginx with upstream keep-alive, gunicorn threads, http.server threads."""
    inner = apps.backend(t, delay=4)
    middle = apps.flask(t, inner.port)
    entry = apps.nginx(t, f"127.0.0.1:{middle.port}", workers=2)
    _chain(t, [("nginx", entry), ("flask", middle), ("python", inner)], [99.9, 99.9, 99.9])


@case(timeout=180, needs=["nginx", "gunicorn"])
def chain_nginx_flask_python_closing(t):
    """The same with a new connection for every call."""
    inner = apps.backend(t, delay=4)
    middle = apps.flask(t, inner.port, reuse=False)
    entry = apps.nginx(t, f"127.0.0.1:{middle.port}", workers=2, keepalive=False)
    _chain(t, [("nginx", entry), ("flask", middle), ("python", inner)], [99.9, 99.9, 99.9], 2000)


@case(timeout=120, needs=["gunicorn"])
def chain_flask_python(t):
    """Threads only."""
    inner = apps.backend(t, delay=4)
    entry = apps.flask(t, inner.port)
    _chain(t, [("flask", entry), ("python", inner)], [99.9, 99.9], 2000)


@case(timeout=120, needs=["apache2", "gunicorn"])
def chain_apache_flask(t):
    """Apache's worker threads as a proxy."""
    inner = apps.flask(t)
    entry = apps.apache(t, inner.port)
    _chain(t, [("apache", entry), ("flask", inner)], [99.9, 99.9], 2000)


@case(timeout=120, needs=["nginx", "gunicorn"])
def chain_nginx_flask_over_unix(t):
    """The hop from nginx to gunicorn goes over a unix socket."""
    inner = apps.backend(t, delay=2)
    middle = apps.flask(t, inner.port, unix=True)
    entry = apps.nginx(t, f"unix:{middle.address}")
    spans, numbers = _run(t, entry, 2000, [])
    hops = chain(spans, [("nginx", by_port(entry.port)), ("flask", by_pids(middle.pids)),
                         ("python", by_port(inner.port))], numbers)
    _tell(t, hops)
    _judge(t, hops, [99.9, 99.9, 99.9])


@case(timeout=120, needs=["node"])
def chain_node(t):
    """An event loop: a parent may be missing, never wrong."""
    inner = apps.backend(t, delay=4)
    entry = apps.node(t, inner.port)
    _chain(t, [("node", entry), ("python", inner)], [0, 0], 2000)


@case(timeout=240)
def chain_go(t):
    """Goroutines: a parent may be missing, never wrong."""
    inner = apps.backend(t, delay=4)
    entry = apps.go(t, inner.port)
    _chain(t, [("go", entry), ("python", inner)], [0, 0], 2000)


@case(timeout=120, needs=["java"])
def chain_java(t):
    """A pool of threads."""
    inner = apps.backend(t, delay=4)
    entry = apps.java(t, inner.port)
    _chain(t, [("java", entry), ("python", inner)], [99.9, 99.9], 2000)
