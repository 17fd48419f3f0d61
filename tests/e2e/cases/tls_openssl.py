# SPDX-License-Identifier: Apache-2.0
"""HTTPS inside releases of OpenSSL that distributions no longer have: what Python's wheels bring along."""

import os
import zipfile

import apps
import common
from case import Skip, case
from spans import SERVER
from tls import EACH, ask, peer
from weft import until

# Of Python and the wheel's interface: psycopg2's hold the library of their time.
WHEELS = {"1.0.2": ("36", "cp36m"), "1.1.1": ("38", "cp38")}


def _find(place, name):
    """The file under `place` whose name begins so; None: there is none."""
    return next((os.path.join(path, file) for path, _, files in os.walk(place) for file in files
                 if file.startswith(name)), None)


def _libraries(t, version):
    """The directory with libssl and all that it needs."""
    python, abi = WHEELS[version]
    if os.uname().machine != "x86_64":
        raise Skip("there are no wheels of that time for this machine")
    if not apps.python_has("pip"):
        raise Skip("not installed: python3-pip")
    place = apps.made(t, f"openssl/{version}", ["requirements.txt"],
                      [apps.PYTHON, "-m", "pip", "download", "--quiet", "--timeout", "20", "--no-deps",
                       "--only-binary", ":all:", "--implementation", "cp", "--python-version", python, "--abi", abi,
                       "--platform", "manylinux1_x86_64", "--requirement", "requirements.txt"])
    if not _find(place, "libssl-"):
        with zipfile.ZipFile(_find(place, "psycopg2")) as archive:
            archive.extractall(place)
    return os.path.dirname(_find(place, "libssl-"))


def _older(version, *sources):
    @case(name=f"tls_openssl_{version.replace('.', '_')}", needs=["openssl"], timeout=120)
    def _(t):
        where = _libraries(t, version)
        libraries = [_find(where, name) for name in ("libssl-", "libcrypto-")]
        program = apps.c_program("sslpeer", *[os.path.join(apps.APPS, source) for source in sources], *libraries,
                                 "-Wl,--allow-shlib-undefined,--unresolved-symbols=ignore-in-shared-libs",
                                 f"-Wl,-rpath,{where},--disable-new-dtags", variant=f"-openssl-{version}")
        apps.certificate(t)
        app = peer(t, program)
        weft = t.weft("--tls", "on", "--log-level", "debug")
        t.expect_true("its functions are found", until(lambda: f"OpenSSL in {libraries[0]}" in weft.log, 5))
        ask(t, program, app, 0, EACH - 1)
        spans = t.stop(weft)
        common.exchanges(t, spans, range(EACH), app.port)
        # 1.0.2's client reads seven bytes of the server's hello and then the rest: what is in there is not told
        common.all_equal(t, "tls.protocol.version", {"1.0.2": "1.2", "1.1.1": "1.3"}[version],
                         spans.where(lambda s: version != "1.0.2" or s.kind == SERVER),
                         lambda s: s["tls.protocol.version"])


_older("1.0.2", "openssl/1.0.2/begin.c")
_older("1.1.1")
