# SPDX-License-Identifier: Apache-2.0
"""
What runs in a virtual machine: traffic of every kind under one weft, whose start is the slowest part of
it there. A section is a function of the test and of the first of its 1000 request numbers. It drives
its traffic and returns what will check the spans of those numbers.
"""

import os
import re
import subprocess

import apps
import arrivals
import common
import facts
import traffic
from case import Skip
from spans import by_port, chain
from weft import bpf_objects, bpf_objects_left

HERE = os.path.dirname(os.path.abspath(__file__))
TRACEPARENT = re.compile(rb"\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-")
WAITING = 48  # more threads than a kretprobe of two CPUs follows by default

# What receives and what sends, on both sides, and the family (tests/apps/calls.c).
CALLS = [("readv", "writev", "tcp"), ("recvmsg", "sendmsg", "tcp"), ("recvfrom", "sendto", "unix"),
         ("peek", "sendmmsg", "tcp"), ("read", "sendfile", "tcp"), ("read", "sendfile", "unix"),
         ("read", "splice", "tcp"), ("splice", "write", "tcp"), ("uring-read", "uring-write", "tcp"),
         ("uring-recv", "uring-send", "tcp"), ("uring-recvmsg", "uring-sendmsg", "unix")]


def curl(t, first):
    """curl and Python's http.server."""
    app = apps.backend(t)
    for start, options in ((first, []), (first + 40, ["-H", "Connection: close"])):
        t.expect("answers to curl", [200] * 8,
                 traffic.curl(app.address, start, start + 7, "/item/{}", *options))
    numbers = [*range(first, first + 8), *range(first + 40, first + 48)]
    return lambda spans: common.exchanges(t, spans, numbers, app.port)


def proxy(t, first):
    """A client, a proxy of threads, a backend: each span under the right one."""
    inner = apps.backend(t, delay=4)
    port = t.port()
    entry = apps.App(t, [apps.PYTHON, os.path.join(HERE, "proxy.py"), port, inner.port], port,
                     log="proxy.log")
    t.expect("wrong answers", [], traffic.load(entry.address, 40, 6, first=first))

    def check(spans):
        hops = chain(spans, [("proxy", by_port(entry.port)), ("backend", by_port(inner.port))],
                     range(first, first + 40))
        for hop in hops:
            t.expect(f"{hop.name}: requests with one server span, %", 100.0, hop.seen)
            t.expect(f"{hop.name}: requests with several", 0, hop.several)
        t.expect("precision of parents, %", 100.0, hops[1].precision)
        t.expect("recall of parents, %", 100.0, hops[1].recall)

    return check


def unix(t, first):
    app = apps.raw(t, host="unix")
    traffic.keep_alive(app.address, [f"/plain/0/{first + n}" for n in range(10)])
    traffic.one_by_one(app.address, [f"/plain/0/{first + n}" for n in range(10, 20)])
    return lambda spans: common.exchanges(t, spans, range(first, first + 20))


def many_wait(t, first):
    """Many threads of a server wait in a receive at a time: none of them is lost."""
    app = apps.raw(t)
    clients = [traffic.Client(app.address, 30) for _ in range(WAITING)]
    for n, client in enumerate(clients * 2):
        client.get(f"/plain/0/{first + n}")
    return lambda spans: common.exchanges(t, spans, range(first, first + 2 * WAITING), app.port)


def until_close(t, first):
    """The end of the connection is the end of the body."""
    app, sizes = apps.raw(t), [0, 1, 5000]
    for n, size in enumerate(sizes):
        client = traffic.Client(app.address)
        client.get(f"/until-close/{size}/{first + n}")
        client.close()

    def check(spans):
        common.exchanges(t, spans, range(first, first + len(sizes)), app.port)
        common.all_equal(t, "http.response.body.size", lambda s: sizes[s.number - first], spans,
                         lambda s: s["http.response.body.size"] or 0)

    return check


def _broken(t, first, host):
    """Answers that are reset, cut, or never come."""
    app = apps.raw(t, host=host)
    kinds = ["half-close/10", "no-answer/0"] + ([] if host == "unix" else ["half-reset/10"])
    for n, kind in enumerate(kinds):
        client = traffic.Client(app.address)
        client.send(traffic.head("GET", f"/{kind}/{first + n}"))
        try:
            client.answer()
            t.fail(f"{kind}: there is an answer")
        except (OSError, traffic.Broken):
            pass
        client.close()

    def check(spans):
        common.once(t, spans, range(first, first + len(kinds)), common.SERVER)
        common.once(t, spans, range(first, first + len(kinds)), common.CLIENT)
        common.failed(t, "broken off", spans)

    return check


def broken(t, first):
    return _broken(t, first, "127.0.0.1")


def broken_unix(t, first):
    return _broken(t, first, "unix")


def headers(t, first):
    """What arrives at a server is what the self-test has promised."""
    wanted = {"full": [1] * 5, "early_leave": [1, 0, 0, 0, 0], "off": [0] * 5}[t.mode]
    heads = arrivals.heads(5, first)
    got = arrivals.traceparents(heads)
    t.expect(f"requests with more headers than promised ({t.mode})", [],
             [n for n in range(5) if got[n] > wanted[n]])

    def check(spans):
        t.expect(f"headers in five requests of a connection ({t.mode})", wanted, got)
        clients = common.once(t, spans, range(first, first + 5), common.CLIENT)
        for n, head in enumerate(heads, first):
            for ids in TRACEPARENT.findall(head):
                t.expect(f"ids in the header of request {n}", (clients[n].trace, clients[n].id),
                         tuple(part.decode() for part in ids))

    return check


def _calls_program():
    if os.path.exists("/usr/include/liburing.h"):
        return apps.c_program("calls", "-luring")
    return apps.c_program("calls", "-DWITHOUT_URING")


def _calls(receive, send, family):
    def section(t, first):
        if receive.startswith("uring") and not os.path.exists("/usr/include/liburing.h"):
            raise Skip("not installed: liburing-dev")
        program = _calls_program()
        port, path = (None, t.path(f"calls{first}.sock")) if family == "unix" else (t.port(), None)
        address = path or str(port)
        apps.App(t, [program, "serve", receive, send, address], port, path)
        asked = subprocess.run([program, "request", receive, send, address, str(first), "10"],
                               capture_output=True, text=True, timeout=20)
        t.expect("exit status and complaint", (0, ""), (asked.returncode, asked.stderr))
        return lambda spans: common.exchanges(t, spans, range(first, first + 10), port,
                                              method="POST")

    return section


SECTIONS = {"http.server, curl": curl, "chain of threads": proxy, "unix stream": unix,
            "many threads wait": many_wait, "body until close": until_close, "broken off": broken,
            "broken off, unix": broken_unix, "headers": headers,
            **{f"{receive}, {send}, {family}": _calls(receive, send, family)
               for receive, send, family in CALLS}}
BUSY = "no time was left, this host is busy"  # that is what the self-test says, and weft then inserts nothing
BEFORE = ("used before weft", "unused before weft")


def _judge_propagation(told, propagation):
    """These kernels bear one of the modes, and the test itself has nothing to complain of."""
    wrong = [f"{c['mode']}: {c['check']}: {c['reason']}" for c in propagation["checks"]
             if c["outcome"] != "ok"]
    good = propagation["mode"] != "off" and propagation["tcp_option"] and not any(
        c["outcome"] in ("broken", "skipped") for c in propagation["checks"])
    summary = f"{propagation['mode']}, TCP option {propagation['tcp_option']}, {propagation['ms']} ms"
    if any(BUSY in text for text in wrong):
        told("self-test", "skipped", [f"{summary}: {BUSY}"])
    else:
        told("self-test", "ok" if good else "FAILED", [summary, *wrong])


def _open_before(t):
    """Connections that are there before weft is: one has carried a request, one has not."""
    app = apps.raw(t)
    used, unused = traffic.Client(app.address), traffic.Client(app.address)
    used.get("/plain/0/0")
    return app, (used, unused)


def _drive_before(t, app, client, first):
    """
    The server waits in a receive as weft starts. Only the tracepoints see that one: what hooks functions
    sees those calls that begin later.
    """
    for n in range(6):
        client.get(f"/plain/0/{first + n}")
    seen = range(first + (0 if t.tracepoints else 1), first + 6)
    return lambda spans: common.exchanges(t, spans.where(lambda s: s.number in seen), seen, app.port)


def _judge(t, function, argument):
    """Runs a part of a section; what it returns, and what is wrong with it."""
    t.failures = []
    try:
        result = function(argument)
    except Skip as reason:
        return None, ("skipped", [str(reason)])
    except Exception as error:  # pylint: disable=broad-except
        t.fail(f"{type(error).__name__}: {error}")
        return None, ("FAILED", t.failures)
    return result, ("FAILED", t.failures) if t.failures else ("ok", [])


NOTHING = "0" * 16
MISSED = re.compile(r"(?:missed_program_runs|scratch_busy) \d+")
PREEMPTED = ("{}, as weft told: this kernel lets programs be preempted, which is rare where a run takes less than a "
             "microsecond, and is not here")


def preempted(weft):
    """Why spans are missing that weft has told of itself, at its end; None: it has seen every run."""
    missed = MISSED.findall(weft.log)
    return PREEMPTED.format(" and ".join(missed)) if missed else None


def _judge_pipeline(t, weft, told):
    """It works without any privilege, also where bpf(2) is closed to those without."""
    wanted = {"CapEff": NOTHING, "CapPrm": NOTHING, "NoNewPrivs": "1", "Seccomp": "2"}
    _, outcome = _judge(t, lambda pid: t.expect("privileges", wanted, facts.privileges(pid)),
                        weft.pipeline())
    told("unprivileged pipeline", *outcome)


def run(t, told, names=None):
    """
    All sections, or those that are named, under one weft; `told(name, status, lines)` for each, and
    for weft itself.
    """
    app, clients = _open_before(t)
    weft = t.weft()
    hooks, propagation = (weft.ps()[key] for key in ("hooks", "propagation"))
    told("hooks", "told", hooks)
    _judge_propagation(told, propagation)
    _judge_pipeline(t, weft, told)
    t.mode = propagation["mode"]
    t.tracepoints = hooks["socket data"].startswith("tracepoint")
    parts = {name: lambda first, f=f: f(t, first) for name, f in SECTIONS.items()
             if not names or name in names}
    parts.update({name: lambda first, c=c: _drive_before(t, app, c, first)
                  for name, c in zip(BEFORE, clients)})
    checks, outcome = {}, {}
    for number, (name, part) in enumerate(parts.items(), 1):
        checks[name], outcome[name] = _judge(t, part, number * 1000)
    t.failures = []
    objects = bpf_objects(weft.pid)
    spans = t.stop(weft, settle=1)
    t.expect("BPF objects that are left", set(), bpf_objects_left(objects, 40))
    with open("/sys/kernel/tracing/kprobe_events", encoding="ascii") as events:
        t.expect("what is left in tracefs", "", events.read())
    told("weft", "FAILED" if t.failures else "ok", [*t.failures, *weft.log.splitlines()[-6:]])
    lossy = None if "perf" in hooks["socket data"] else preempted(weft)
    for number, name in enumerate(parts, 1):
        if outcome[name][0] == "ok":
            mine = spans.where(lambda s, n=number: (s.number or 0) // 1000 == n)
            outcome[name] = _judge(t, checks[name], mine)[1]
            if lossy and outcome[name][0] == "FAILED":
                outcome[name] = "lossy", [lossy, *outcome[name][1]]
        told(name, *outcome[name])
