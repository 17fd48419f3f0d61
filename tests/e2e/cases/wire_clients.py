# SPDX-License-Identifier: Apache-2.0
"""
Requests of real clients and proxies arrive byte for byte as without weft, but for one header where
it belongs. How each program writes its heads is learnt from a run of one request of each shape
without weft.
"""

import os

import apps
import judge
from case import Skip
from propagation import MAY, MUST
from recorder import Recorder
from shapes import KIB, MIB, Shape, get, post, write
from wire_common import LONG, Program, sized, start_weft, settle, wire_case

CLIENTS = os.path.join(apps.APPS, "clients")
SPEED_MIN = 0.3  # what a program that stalls is far below, and a noisy machine is not

SHAPES = [
    get(), get(pad=300), post(10), get(answer=3000), post(1000), get(kind="pc"),
    post(5000, kind="r"), get(pad=1500), post(3000, "chunked"), get(answer=300 * KIB),
    post(70_000), post(200, kind="rc"), get(pad=3000), post(500, "expect"), get(kind="pc", pad=100),
    post(40_000, "chunked", kind="r"), Shape("PUT", 100), Shape("DELETE"), get(pad=7000),
    post(20_000, kind="rc", answer=70_000), get(pad=12_000), Shape("OPTIONS"),
    post(MIB, answer=100_000), get(answer=4 * MIB, kind="pc"), get(pad=16_000), Shape("PATCH", 30),
]
LARGE = [post(32 * MIB), get(answer=32 * MIB), post(32 * MIB, "chunked", kind="r"),
         post(32 * MIB - 1, kind="rc")]


def python_client(name):
    script = os.path.join(CLIENTS, f"{name}_client.py")
    return lambda t: [apps.PYTHON, script]


def _undici(t):
    return ["node", os.path.join(CLIENTS, "undici_client.mjs")]


def _go(t):
    return [apps.go_program("clients/goclient")]


def _java(t, *options):
    return ["java", "-Xmx512m", *options, "-jar",
            apps.java_program("clients/JavaClient.java", "client.jar")]


def _wants(shapes, head_max):
    """A program sends heads of up to `head_max` bytes of padding with one call, perhaps larger."""
    return [MUST if shape.pad <= head_max else MAY for shape in shapes]


class Run:
    """Runs of one client program against a recorder, perhaps through a proxy."""

    def __init__(self, t, words, shapes, proxy=None):
        self.t, self.words, self.shapes = t, words, shapes
        self.recorder = Recorder(t)
        self.proxy = proxy(t, self.recorder.port) if proxy else None
        self.plan = write(t, shapes)

    def program(self, first, count, workers):
        port = self.proxy.port if self.proxy else self.recorder.port
        return Program(self.t, self.words, [port, self.plan, first, count, workers])

    def reference(self, head_max):
        """One request of each shape, without weft."""
        self.program(0, len(self.shapes), 1).run()
        return judge.reference(self.recorder.again(), _wants(self.shapes, head_max))

    def seconds_without(self, first, count, workers):
        report = self.program(first, count, workers).run()
        self.recorder.again()
        return report["seconds"]

    def traced(self, first, count, workers, sent_of, both=False):
        """The same with weft; the seconds that it took. `both`: the server is selected, too."""
        program = self.program(first, count, workers)
        selected = self.proxy.pids if self.proxy else {program.pid}
        weft = start_weft(self.t, selected | ({self.recorder.pid} if both else set()))
        report = program.run()
        settle(self.t, weft, self.recorder.stop(), sent_of, range(first, first + count))
        return report["seconds"]


def _client_case(t, words, count, workers=4, head_max=8000, proxy=None, both=False, speed=False,
                 shapes=None):
    run = Run(t, words, shapes or SHAPES, proxy)
    sent_of = run.reference(head_max)
    first = len(run.shapes)
    before = run.seconds_without(first, count, workers) if speed else None
    seconds = run.traced(first, count, workers, sent_of, both)
    t.note(f"{count / seconds:.0f} a second")
    if speed:
        t.note(f"{before / seconds:.2f} of the speed without weft")
        t.expect_range("of the speed without weft", SPEED_MIN, 99, before / seconds)


def _importable(module):
    if not apps.python_has(module):
        raise Skip(f"not installed: python3-{module}")


@wire_case(needs=["curl"])
def wire_curl(t):
    _client_case(t, python_client("curl")(t), sized(300, 12_000))


@wire_case(needs=["curl"])
def wire_curl_server_traced(t):
    """Both ends are selected: the server's end stays as it is."""
    _client_case(t, python_client("curl")(t), sized(100, 2000), both=True)


@wire_case()
def wire_requests(t):
    """Python's requests."""
    _importable("requests")
    _client_case(t, python_client("requests")(t), sized(300, 12_000))


@wire_case()
def wire_aiohttp(t):
    _importable("aiohttp")
    _client_case(t, python_client("aiohttp")(t), sized(300, 12_000))


@wire_case(needs=["node"])
def wire_undici(t):
    _client_case(t, _undici(t), sized(300, 12_000))


@wire_case()
def wire_go(t):
    """Go's net/http: heads of more than 4 KiB leave in several calls."""
    _client_case(t, _go(t), sized(300, 15_000), head_max=3000)


@wire_case(needs=["java"])
def wire_java(t):
    """Java's HttpClient asks FIONREAD before it reads."""
    _client_case(t, _java(t), sized(300, 12_000), speed=LONG)


@wire_case(needs=["java"])
def wire_java_upgrade(t):
    """Java's HttpClient as it is by default: requests offer to go on with HTTP/2."""
    _client_case(t, _java(t, "-Dupgrade=true"), sized(50, 1000), head_max=-1)


@wire_case(needs=["nginx"])
def wire_nginx(t):
    """nginx as a proxy with kept connections asks FIONREAD, too."""
    _client_case(t, python_client("plain")(t), sized(300, 12_000), speed=LONG,
                 proxy=lambda t, port: apps.nginx(t, f"127.0.0.1:{port}", workers=2))


@wire_case(needs=["nginx"])
def wire_nginx_closing(t):
    """A connection for every request, with HTTP/1.0."""
    _client_case(t, python_client("plain")(t), sized(150, 3000),
                 proxy=lambda t, port: apps.nginx(t, f"127.0.0.1:{port}", keepalive=False))


@wire_case(needs=["apache2"])
def wire_apache(t):
    """Apache's mod_proxy_http."""
    _client_case(t, python_client("plain")(t), sized(300, 8000), proxy=apps.apache)


@wire_case(needs=["curl"])
def wire_large_bodies(t):
    """32 MiB both ways."""
    _client_case(t, python_client("curl")(t), sized(4, 40), workers=2, shapes=LARGE)


@wire_case()
def wire_not_selected(t):
    """The server is selected, the client is not: nothing is inserted."""
    run = Run(t, python_client("plain")(t), SHAPES)
    sent_of = run.reference(0)
    program = run.program(len(SHAPES), 100, 2)
    weft = start_weft(t, {run.recorder.pid})
    program.run()
    settle(t, weft, run.recorder.stop(), sent_of, range(len(SHAPES), len(SHAPES) + 100), "none")
