# SPDX-License-Identifier: Apache-2.0
"""HTTPS by libraries that have no symbols: stripped programs, and files of other names."""

import apps
import common
from case import case
from tls import EACH, ask, peer
from weft import until


def _found(t, weft, path):
    t.expect_true("its functions are found by what they name", until(
        lambda: any("found by what its error paths name" in line and path in line
                    for line in weft.log.splitlines()), 5))


def _exchanges(t, program, path):
    """All that comes after the first connection, at both ends."""
    apps.certificate(t)
    app = peer(t, program)
    weft = t.weft("--tls", "on", "--log-level", "debug")
    ask(t, program, app, 0, 0)
    _found(t, weft, path)
    ask(t, program, app, 1, EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number), range(1, EACH + 1), app.port)


@case(needs=["openssl"])
def tls_stripped(t):
    """OpenSSL within a program that has no symbols."""
    program = apps.c_program("sslpeer", "-s", "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-pthread",
                             variant="-static-stripped")
    _exchanges(t, program, program)


@case(needs=["openssl"])
def tls_stripped_fixed(t):
    """The same in a program that is always loaded at the same addresses."""
    program = apps.c_program("sslpeer", "-s", "-no-pie", "-fno-pie", "-l:libssl.a", "-l:libcrypto.a", "-ldl",
                             "-pthread", variant="-static-fixed")
    _exchanges(t, program, program)
