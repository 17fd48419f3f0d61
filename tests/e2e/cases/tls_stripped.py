# SPDX-License-Identifier: Apache-2.0
"""HTTPS by libraries that have no symbols: stripped programs, and files of other names."""

import apps
import grpc_peers
import common
import rpc
from case import case
from spans import CLIENT, SERVER
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


def _loaded(t):
    """The peer as a library of another name, which has OpenSSL within it and shows nothing but its own function."""
    library = apps.c_program("sslpeer", "-s", "-shared", "-fPIC", "-Dmain=peer", "-Wl,--exclude-libs,ALL",
                             "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-pthread", variant="-inside.so")
    return library, [apps.PYTHON, "-c", LOAD, library]


LOAD = """
import ctypes, sys
words = [word.encode() for word in sys.argv[1:]]
ctypes.CDLL(sys.argv[1]).peer(len(words), (ctypes.c_char_p * (len(words) + 1))(*words, None))
"""


@case(needs=["openssl"])
def tls_stripped_library(t):
    """OpenSSL within a library of another name, which the program loads."""
    library, words = _loaded(t)
    _exchanges(t, words, library)


def _grpc(name, words, library):
    @case(name=f"tls_grpc_{name}", needs=["openssl"], timeout=240)
    def _(t):
        """Each kind of call over TLS, whose records the library carries itself. `library`: found at first use."""
        program = words(t)
        apps.certificate(t)
        certificate = t.path("certificate.pem")
        app = grpc_peers.serve(t, program, certificate, t.path("key.pem"))
        weft = t.weft("--tls", "on", "--log-level", "debug", "--port", app.port)
        wanted = rpc.calls_of(rpc.COUNT)
        if library:
            t.expect("what the first client has met", wanted, rpc.call(t, program, app.port, certificate))
            t.expect_true("its functions are found", until(lambda: f"{library} in" in weft.log, 5))
        t.expect("what the client has met", wanted, rpc.call(t, program, app.port, certificate))
        spans = t.stop(weft)
        t.note(f"{len(spans)} spans of {sum(wanted.values())} calls")
        # threads hand records of a connection to each other: seldom, what one carries is not found at the other end
        rpc.check(t, spans, app.port, wanted, least=0.995)


_grpc("python", grpc_peers.python, None)
_grpc("python_wheel", grpc_peers.python_wheel, "BoringSSL")


LOAD_ONCE = """
import ctypes, os, shutil, sys, tempfile
words = [word.encode() for word in sys.argv[1:]]
copy = tempfile.mktemp(prefix="once-", suffix=".so", dir=sys.argv[2])
shutil.copy(sys.argv[1], copy)
library = ctypes.CDLL(copy)
os.unlink(copy)
del words[1]
library.peer(len(words), (ctypes.c_char_p * (len(words) + 1))(*words, None))
"""


@case(needs=["openssl"])
def tls_stripped_deleted(t):
    """A library that is unpacked, loaded and deleted, as Netty does: each process has a copy of its own."""
    library, _ = _loaded(t)
    words = [apps.PYTHON, "-c", LOAD_ONCE, library, t.dir]
    apps.certificate(t)
    app = peer(t, words)
    weft = t.weft("--tls", "on", "--log-level", "debug")
    ask(t, words, app, 0, 0)
    _found(t, weft, t.path("once-"))
    ask(t, words, app, 1, EACH)
    spans = t.stop(weft)
    common.once(t, spans.where(lambda s: s.number), range(1, EACH + 1), SERVER)
    t.note(f"{len(spans.where(lambda s: s.kind == CLIENT))} of {EACH + 1} requests seen at the client, too")
