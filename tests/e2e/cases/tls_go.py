# SPDX-License-Identifier: Apache-2.0
"""Go's own TLS: seen at crypto/tls, whatever thread a goroutine runs on."""

import os
import subprocess

import apps
import common
import grpc_peers
import rpc
import weft as weft_module
from case import case
from spans import CLIENT, SERVER
from weft import find_key, until

COUNT, WORKERS = 600, 16
CIPHERS = {"1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
           "1.2": {f"TLS_ECDHE_RSA_WITH_{name}" for name in (
               "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")}}


def _program(flags=(), name="gotls"):
    return apps.go_program("gotls", flags, name)


def _serve(t, program):
    port = t.port()
    return apps.App(t, [program, "serve", port, t.path("certificate.pem"), t.path("key.pem")], port)


def _ask(t, program, port, count, workers, *options):
    done = subprocess.run([program, "ask", str(port), "0", str(count - 1), str(workers), *options],
                          capture_output=True, text=True, timeout=60)
    t.expect(f"answers: {done.stderr[-200:]}", str(count), done.stdout.strip())


def _check(t, spans, count, version, protocol):
    both = common.inside_tls(t, spans, range(count), version, protocol)
    ciphers = {s["tls.cipher"] for s in both}
    t.expect_true(f"one cipher, by its name: {ciphers}", len(ciphers) == 1 and ciphers <= CIPHERS[version])


def _case(name, version, protocol, *options, flags=()):
    @case(name=f"tls_go_{name}", needs=["go", "openssl"], timeout=240)
    def _(t):
        apps.certificate(t)
        program = _program(flags, f"gotls-{name}" if flags else "gotls")
        app = _serve(t, program)
        weft = t.weft("--tls", "on", "--log-level", "debug")
        t.expect_true("its functions are found", until(lambda: f"Go in {program}" in weft.log, 5))
        _ask(t, program, app.port, COUNT, WORKERS, *options)
        t.expect_true("traps are counted", until(lambda: find_key(weft.ps(), "tls_traps"), 5))
        t.note(f"{find_key(weft.ps(), 'tls_traps') / COUNT:.1f} traps for each exchange, at both ends")
        _check(t, t.stop(weft), COUNT, version, protocol)


_case("http1", "1.3", "1.1", "h1")
_case("http2", "1.3", "2")
_case("http1_older", "1.2", "1.1", "h1", "1.2")
_case("http2_older", "1.2", "2", "1.2")
_case("stripped", "1.3", "1.1", "h1", flags=("-ldflags=-s -w",))


@case(needs=["go", "openssl", "nginx", "curl"], timeout=240)
def tls_go_others(t):
    """Go at one end, OpenSSL at the other: what both count their records by is the same."""
    apps.certificate(t)
    program = _program()
    app, other = _serve(t, program), apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    urls = f"https://127.0.0.1:{app.port}/item/[0-49]"
    for options in (["--http1.1"], ["--http2"]):
        subprocess.run(["curl", "-sk", "-o", os.devnull, *options, urls], check=True, timeout=30)
        urls = urls.replace("[0-49]", "[50-99]")
    subprocess.run([program, "ask", str(other.port), "100", "104", "1", "h1"], capture_output=True, timeout=30)
    spans = t.stop(weft)
    servers = common.once(t, spans, range(105), SERVER)
    clients = common.once(t, spans, range(105), CLIENT)
    common.joined(t, spans, servers, clients)


@case(timeout=300)
def tls_go_grpc(t):
    """gRPC's own library, over TLS."""
    apps.certificate(t)
    words = ["env", f"PEER_TLS={t.dir}", *grpc_peers.go(t)]
    app = grpc_peers.serve(t, words)
    weft = t.weft("--tls", "on", "--port", app.port)
    wanted = rpc.calls_of(rpc.COUNT)
    t.expect("what the client has met", wanted, rpc.call(t, words, app.port))
    spans = t.stop(weft)
    rpc.check(t, spans, app.port, wanted)
    common.all_equal(t, "tls.protocol.version", "1.3", spans, lambda s: s["tls.protocol.version"])


@case(needs=["go", "openssl"], timeout=120)
def tls_go_goes(t):
    """Probes in a program are gone with its last process."""
    apps.certificate(t)
    program = _program()
    weft = t.weft("--tls", "on", "--log-level", "debug")
    before = len(weft_module.bpf_objects(weft.pid))
    app = _serve(t, program)
    t.expect_true("links are made", until(lambda: len(weft_module.bpf_objects(weft.pid)) > before, 5))
    _ask(t, program, app.port, 20, 2, "h1")
    app.process.terminate()
    app.process.wait(10)
    t.expect_true("and are gone with the last process",
                  until(lambda: len(weft_module.bpf_objects(weft.pid)) == before, 10))
    spans = t.stop(weft)
    common.once(t, spans, range(20), SERVER)
