# SPDX-License-Identifier: Apache-2.0
"""HTTPS inside NSS: what Firefox, Thunderbird and 389 Directory Server speak TLS with."""

import ctypes.util
import os
import subprocess

import apps
import common
from case import Skip, case
from spans import CLIENT, SERVER
from weft import find_key, until

EACH = 50
CLIENT_SCRIPT = os.path.join(apps.APPS, "clients", "nss_client.py")


def _ask(t, version, app, first, last):
    done = subprocess.run([apps.PYTHON, CLIENT_SCRIPT, version, str(app.port), str(first), str(last)],
                          capture_output=True, text=True, timeout=30)
    t.expect("answers", str(last - first + 1), done.stdout.strip())


def _need_client():
    if not ctypes.util.find_library("curl-nss"):
        raise Skip("not installed: libcurl3-nss")


def _traps(t, weft, requests):
    # the kernel side's counters are told every second
    t.expect_true("traps are counted", until(lambda: find_key(weft.ps(), "tls_traps"), 5))
    counters = weft.ps()
    traps = find_key(counters, "tls_traps")
    t.note(f"{traps} traps for {requests} requests: {traps / requests:.1f} each")
    t.expect("tls_unbound", 0, find_key(counters, "tls_unbound"))


@case(needs=["nginx", "openssl"])
def tls_nss_client(t):
    """curl with NSS, in HTTP/1 and in HTTP/2, which ALPN settles."""
    _need_client()
    apps.certificate(t)
    app = apps.nginx(t, tls=True, http2=True)
    weft = t.weft("--tls", "on")
    _ask(t, "1.1", app, 0, EACH - 1)
    _ask(t, "2", app, EACH, 2 * EACH - 1)
    _traps(t, weft, 2 * EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(2 * EACH), app.port)
    common.all_equal(t, "network.protocol.version", lambda s: "1.1" if s.number < EACH else "2", list(spans),
                     lambda s: s["network.protocol.version"])
    common.all_equal(t, "tls.protocol.version", "1.3", list(spans), lambda s: s["tls.protocol.version"])


def _database(t):
    """NSS has certificates and keys in a database of its own."""
    database, bundle = f"sql:{t.dir}", t.path("server.p12")
    apps.certificate(t)
    for command in (["openssl", "pkcs12", "-export", "-in", t.path("certificate.pem"), "-inkey", t.path("key.pem"),
                     "-name", "server", "-passout", "pass:", "-out", bundle],
                    ["certutil", "-N", "-d", database, "--empty-password"],
                    ["pk12util", "-i", bundle, "-d", database, "-W", ""]):
        subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return database


@case(needs=["selfserv", "certutil", "pk12util", "curl", "openssl"])
def tls_nss_server(t):
    """NSS' own server: its answers have no length, and end with their connection."""
    database = _database(t)
    port = t.port()
    app = apps.App(t, ["selfserv", "-d", database, "-n", "server", "-p", str(port), "-V", "tls1.2:tls1.3"], port)
    weft = t.weft("--tls", "on")
    for n, most in ((0, "1.3"), (EACH, "1.2")):
        done = subprocess.run(["sh", "-c", f"for n in $(seq {n} {n + EACH - 1}); do curl -sk --http1.1 --tls-max {most} "
                               f"-o /dev/null -w '%{{http_code}} ' https://127.0.0.1:{port}/item/$n; done"],
                              capture_output=True, text=True, timeout=60, check=True)
        t.expect("answers", ["200"] * EACH, done.stdout.split())
    _traps(t, weft, 2 * EACH)
    spans = t.stop(weft)
    # it may end connections by resetting them, for it does not read on to their end
    servers, clients = (common.once(t, spans, range(2 * EACH), kind) for kind in (SERVER, CLIENT))
    common.joined(t, spans, servers, clients)
    common.all_equal(t, "status", 200, list(servers.values()), lambda s: s["http.response.status_code"])
    common.all_equal(t, "tls.protocol.version", lambda s: "1.3" if s.number < EACH else "1.2",
                     list(servers.values()), lambda s: s["tls.protocol.version"])
