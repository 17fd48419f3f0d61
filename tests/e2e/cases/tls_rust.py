# SPDX-License-Identifier: Apache-2.0
"""rustls, within programs that have symbols: below hyper at either end, and by itself."""

import os
import subprocess

import apps
import cargo
import common
from case import case
from spans import CLIENT, SERVER
from weft import find_key, until

COUNT, WORKERS = 600, 16


def _program(t):
    return cargo.program(t, "rustls", "rustlspeer")


def _serve(t, program):
    port = t.port()
    return apps.App(t, [program, "serve", port, t.path("certificate.pem"), t.path("key.pem")], port)


def _ask(t, program, port, first, last, workers, *options):
    words = [program, "ask", port, first, last, workers, *options]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    t.expect(f"answers: {done.stderr[-200:]}", str(last - first + 1), done.stdout.strip())


def _known(t, weft, program, port):
    """The program is looked at when TLS is first seen on its sockets."""
    _ask(t, program, port, 0, 0, 1)
    t.expect_true("its functions are found", until(lambda: f"rustls in {program}" in weft.log, 10))


def _case(name, version, protocol, *options):
    @case(name=f"tls_rust_{name}", needs=["cargo", "openssl"], timeout=1200, long=True)
    def _(t):
        apps.certificate(t)
        program = _program(t)
        app = _serve(t, program)
        weft = t.weft("--tls", "on", "--log-level", "debug")
        _known(t, weft, program, app.port)
        traps = find_key(weft.ps(), "tls_traps")
        _ask(t, program, app.port, 1, COUNT, WORKERS, *options)
        t.expect_true("traps are counted", until(lambda: find_key(weft.ps(), "tls_traps") > traps, 5))
        t.note(f"{(find_key(weft.ps(), 'tls_traps') - traps) / COUNT:.1f} traps for each exchange, at both ends")
        spans = t.stop(weft).where(lambda s: s.number)
        common.inside_tls(t, spans, range(1, COUNT + 1), version, protocol)


_case("http1", "1.3", "1.1", "h1")
_case("http2", "1.3", "2")
_case("http1_older", "1.2", "1.1", "h1", "1.2")
_case("http2_older", "1.2", "2", "1.2")
_case("threads", "1.3", "1.1", "plain")


@case(needs=["cargo", "openssl", "nginx", "curl"], timeout=1200, long=True)
def tls_rust_others(t):
    """rustls at one end, OpenSSL at the other."""
    apps.certificate(t)
    program = _program(t)
    app, other = _serve(t, program), apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on", "--log-level", "debug")
    _known(t, weft, program, app.port)
    for first, protocol in ((1, "--http1.1"), (50, "--http2")):
        subprocess.run(["curl", "-sk", "-o", os.devnull, protocol,
                        f"https://127.0.0.1:{app.port}/item/[{first}-{first + 48}]"], check=True, timeout=30)
    subprocess.run([program, "ask", str(other.port), "101", "104", "1", "h1"], capture_output=True, timeout=30)
    spans = t.stop(weft).where(lambda s: s.number)
    numbers = [*range(1, 99), *range(101, 105)]
    servers = common.once(t, spans, numbers, SERVER)
    clients = common.once(t, spans, numbers, CLIENT)
    common.joined(t, spans, servers, clients)
