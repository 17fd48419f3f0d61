# SPDX-License-Identifier: Apache-2.0
"""Every system call that moves a message, on both sides, over TCP and unix sockets."""

import os
import subprocess

import apps
import common
from case import Skip, case

COUNT = 40

# What receives and what sends, on both sides.
PAIRS = [("read", "write"), ("readv", "writev"), ("recvfrom", "sendto"), ("recvmsg", "sendmsg"),
         ("peek", "sendmmsg"), ("read", "sendfile"), ("read", "splice"), ("splice", "write"),
         ("uring-read", "uring-write"), ("uring-recv", "uring-send"),
         ("uring-recvmsg", "uring-sendmsg")]


def _program():
    if os.path.exists("/usr/include/liburing.h"):
        return apps.c_program("calls", "-luring")
    return apps.c_program("calls", "-DWITHOUT_URING")


def _check_uring(receive):
    if not receive.startswith("uring"):
        return
    if not os.path.exists("/usr/include/liburing.h"):
        raise Skip("not installed: liburing-dev")
    # No such path: where io_uring is there, it is the address that fails.
    tried = subprocess.run([_program(), "request", receive, "write", "/nonexistent"],
                           capture_output=True, text=True)
    if tried.returncode == 77:
        raise Skip(f"this kernel refuses io_uring: {tried.stderr.strip()}")


def _one(t, receive, send, unix):
    _check_uring(receive)
    port, path = (None, t.path("calls.sock")) if unix else (t.port(), None)
    address = path or str(port)
    apps.App(t, [_program(), "serve", receive, send, address], port, path)
    weft = t.weft(*([] if unix else ["--port", port]))
    asked = subprocess.run([_program(), "request", receive, send, address, "0", str(COUNT)],
                           capture_output=True, text=True, timeout=20)
    t.expect("the client's exit status and complaint", (0, ""), (asked.returncode, asked.stderr))
    spans = t.stop(weft).under("/call/")
    common.exchanges(t, spans, range(COUNT), port, method="POST")
    common.all_equal(t, "http.request.body.size", lambda s: 100 + s.number, spans,
                     lambda s: s["http.request.body.size"])
    common.all_equal(t, "http.response.body.size", lambda s: 200 + s.number, spans,
                     lambda s: s["http.response.body.size"])


def _register(receive, send, unix):
    family = "unix" if unix else "tcp"
    name = f"calls_{receive}_{send}_{family}".replace("-", "_")
    case(name=name, timeout=40)(lambda t: _one(t, receive, send, unix))


for _receive, _send in PAIRS:
    _register(_receive, _send, False)
    _register(_receive, _send, True)
