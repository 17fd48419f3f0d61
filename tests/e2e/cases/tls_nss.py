# SPDX-License-Identifier: Apache-2.0
"""HTTPS inside NSS, which Firefox, Thunderbird and 389 Directory Server speak TLS with: its own server."""

import subprocess

import apps
import common
from case import case
from spans import CLIENT, SERVER

EACH = 50


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
    """Its answers have no length, and end with their connection."""
    database = _database(t)
    port = t.port()
    app = apps.App(t, ["selfserv", "-d", database, "-n", "server", "-p", str(port), "-V", "tls1.2:tls1.3"], port)
    weft = t.weft("--tls", "on")
    for n, most in ((0, "1.3"), (EACH, "1.2")):
        done = subprocess.run(["sh", "-c", f"for n in $(seq {n} {n + EACH - 1}); do curl -sk --http1.1 --tls-max {most} "
                               f"-o /dev/null -w '%{{http_code}} ' https://127.0.0.1:{port}/item/$n; done"],
                              capture_output=True, text=True, timeout=60, check=True)
        t.expect("answers", ["200"] * EACH, done.stdout.split())
    spans = t.stop(weft)
    # it may end connections by resetting them, for it does not read on to their end
    servers, clients = (common.once(t, spans, range(2 * EACH), kind) for kind in (SERVER, CLIENT))
    common.joined(t, spans, servers, clients)
    common.all_equal(t, "status", 200, list(servers.values()), lambda s: s["http.response.status_code"])
    common.all_equal(t, "tls.protocol.version", lambda s: "1.3" if s.number < EACH else "1.2",
                     list(servers.values()), lambda s: s["tls.protocol.version"])
