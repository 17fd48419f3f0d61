# SPDX-License-Identifier: Apache-2.0
"""
The span that an SDK has on a thread, read where it publishes it (OTEP 4947), wherever the thread's
variable lies: weft's client spans hang under it.
"""

import platform
import subprocess
import time

import apps
import common
from case import Skip, case

COUNT = 30    # requests of each of the program's two threads
NOTICED_S = 5  # until weft has looked at the process, which it does at its first request


def _program(t, app, *library):
    variant = () if library else ("-DOWN_VARIABLE", "-rdynamic")
    binary = apps.c_program("threadctx", "-pthread", *variant, variant="-own" if variant else "")
    with open(t.path("told"), "wb") as told:
        process = t.spawn([binary, app.port, COUNT, *library], stdin=subprocess.PIPE, stdout=told)
    return process


def _library(t, variant, *flags):
    """The library compiled that way; skipped where the compiler does not know it."""
    try:
        return apps.c_program("threadctx_lib", "-shared", "-fPIC", *flags, variant=variant)
    except RuntimeError as error:
        if "dialect" in str(error):
            raise Skip(f"no TLS descriptors with this compiler: {error}") from None
        raise


def _told(t):
    """{number: (trace, span)} as the program has published them; "" where it was in none."""
    with open(t.path("told"), encoding="ascii") as handle:
        parts = [line.rstrip("\n").split(" ") for line in handle]
    return {int(number): (trace, span) for number, trace, span in parts}


def _is_noticed(weft, pid):
    deadline = time.monotonic() + NOTICED_S
    while time.monotonic() < deadline:
        if any(p["pid"] == pid and p["unit"] == "what its SDK says"
               for p in weft.ps()["processes"]):
            return True
        time.sleep(0.05)
    return False


def _judge(t, spans, pid):
    told = _told(t)
    mine = spans.where(lambda s: s.resource.get("process.pid") == pid)
    clients = common.once(t, mine, range(2 * COUNT), common.CLIENT)
    inside = [s for n, s in clients.items() if told[n][0]]
    outside = [s for n, s in clients.items() if not told[n][0]]
    t.expect("requests in a span, and in none", (COUNT, COUNT), (len(inside), len(outside)))
    common.all_equal(t, "trace, parent and evidence in a span",
                     lambda s: (*told[s.number], "thread_context"), inside,
                     lambda s: (s.trace, s.parent, s["weft.parent.evidence"]))
    common.all_equal(t, "parent and evidence in none", ("", None), outside,
                     lambda s: (s.parent, s["weft.parent.evidence"]))
    t.expect("traces of those in none", COUNT, len({s.trace for s in outside}))
    servers = common.once(t, spans, range(2 * COUNT), common.SERVER)
    common.joined(t, spans, servers, clients)


def _run(t, *library):
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    program = _program(t, app, *library)
    if not t.expect_true("weft knows where the thread's variable is",
                         _is_noticed(weft, program.pid)):
        return
    program.communicate(b"go\n", timeout=20)
    t.expect("exit status of the program", 0, program.returncode)
    _judge(t, t.stop(weft).under("/ctx/"), program.pid)


@case()
def thread_context_of_the_executable(t):
    _run(t)


@case()
def thread_context_of_a_library(t):
    """Initial exec: an offset that the dynamic linker has chosen."""
    _run(t, _library(t, "-ie.so", "-ftls-model=initial-exec"))


@case()
def thread_context_of_a_library_by_index(t):
    """General dynamic: loaded late, the thread's blocks are found through its vector."""
    _run(t, _library(t, "-gd.so"))


def _descriptors():
    return [] if platform.machine() == "aarch64" else ["-mtls-dialect=gnu2"]


@case()
def thread_context_of_a_library_by_descriptor(t):
    """A descriptor that the dynamic linker has made static: there was room."""
    _run(t, _library(t, "-desc.so", *_descriptors()))


@case()
def thread_context_of_a_library_by_far_descriptor(t):
    """A descriptor whose block got no room beside the program's own."""
    _run(t, _library(t, "-far.so", *_descriptors(), "-DPAD=1000000"))
