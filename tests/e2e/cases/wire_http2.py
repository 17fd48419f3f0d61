# SPDX-License-Identifier: Apache-2.0
"""
HTTP/2 on the wire: a head gains one field at its end, its frame says so, and nothing else is another byte.
"""

import json
import os
import subprocess
import time

import apps
import common
import frames
import grpc_peers
from frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HAS_PRIORITY, HEADERS, PADDED, PING, PREFACE, SETTINGS,
                    WINDOW_UPDATE, Plan, Server, frame)
from propagation import MAY, MUST, NEVER, allowed, mode
from rpc import calls_of
from weft import find_key, until
from wire_common import RUN_S, sized, start_weft, wire_case

OWN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692{:05x}-01"
HELLO = PREFACE + frame(SETTINGS, 0, 0)
BOTH = END_STREAM | END_HEADERS


def _text(value):
    assert len(value) < 127
    return bytes([len(value)]) + value


class Requests:
    """Heads with their number, and what is known of each: {number: (connection, stream, want, block)}."""

    def __init__(self):
        self.plan, self.known, self.number = Plan(), {}, 0

    def head(self, stream, want, more=b"", kept=False):
        """A header block. `kept`: its authority goes into the table, and is named by its number."""
        n, self.number = self.number, self.number + 1
        path = _text(f"/frames/{n}".encode())
        name = (b"\x41" + _text(b"localhost") if stream == 1 else b"\xbe") if kept else \
            b"\x01" + _text(b"localhost")
        block = b"\x82\x86\x04" + path + name + more
        self.known[n] = (len(self.plan.connections), stream, want, block)
        return block

    def add(self, *steps):
        self.plan.add(*steps)


def _plain(requests, first, count, begin):
    """`count` requests one after the other; `begin`: gives what is sent of the first, in its calls."""
    steps = [*begin(frame(HEADERS, BOTH, 1, requests.head(1, first, kept=True))), 1]
    for i in range(1, count):
        steps += [frame(HEADERS, BOTH, 2 * i + 1, requests.head(2 * i + 1, MUST, kept=True)), i + 1]
    requests.add(*steps)


def _openings(requests):
    _plain(requests, MUST, 5, lambda head: [HELLO + head])
    _plain(requests, MUST, 5, lambda head: [HELLO, head])
    _plain(requests, MUST, 5, lambda head: [PREFACE, frame(SETTINGS, 0, 0), head])
    _plain(requests, MUST, 3, lambda head: [HELLO + frame(WINDOW_UPDATE, 0, 0, b"\0\0\xff\xff"), head])
    _plain(requests, MUST, 3, lambda head: [HELLO, frame(PING, 0, 0, b"12345678") + head])


def _shapes(requests):
    """Heads that are whole and others, with what comes behind them."""
    head = requests.head
    requests.add(HELLO + frame(HEADERS, END_HEADERS, 1, head(1, MUST)) + frame(DATA, END_STREAM, 1, b"x" * 5000), 1,
                 frame(HEADERS, END_HEADERS, 3, head(3, MUST)), frame(DATA, 0, 3, b"y" * 30),
                 frame(HEADERS, BOTH, 3, b"\x00" + _text(b"x-end") + _text(b"1")), 2,
                 frame(HEADERS, BOTH, 5, head(5, MUST)), 3)
    requests.add(HELLO, frame(HEADERS, BOTH | PADDED, 1, b"\x09" + head(1, NEVER) + bytes(9)), 1,
                 frame(HEADERS, BOTH | HAS_PRIORITY, 3, b"\0\0\0\0\x10" + head(3, MUST)), 2)
    block = head(1, NEVER)
    requests.add(HELLO, frame(HEADERS, END_STREAM, 1, block[:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:]), 1,
                 frame(HEADERS, BOTH, 3, head(3, MUST)), 2)
    requests.add(HELLO + frame(HEADERS, BOTH, 1, head(1, MUST)) + frame(HEADERS, BOTH, 3, head(3, MUST)), 2,
                 frame(HEADERS, BOTH, 5, head(5, MUST)), 3)
    long = b"\x00" + _text(b"x-long") + b"\x7f\xf4\x0c" + b"v" * (127 + 0x74 + (0x0c << 7))
    requests.add(HELLO + frame(HEADERS, BOTH, 1, head(1, MUST, long)), 1)
    requests.add(HELLO, frame(HEADERS, BOTH, 1, head(1, NEVER, long + long)), 1,
                 frame(HEADERS, BOTH, 3, head(3, MAY)), 2)


TOGETHER = 128  # of one call


def _heads(requests, first, count, want=MUST, behind=b""):
    """`count` heads for one call; `behind`: payload of a DATA frame behind each."""
    streams = range(first, first + 2 * count, 2)
    if not behind:
        return b"".join(frame(HEADERS, BOTH, s, requests.head(s, want)) for s in streams)
    return b"".join(frame(HEADERS, END_HEADERS, s, requests.head(s, want)) + frame(DATA, END_STREAM, s, behind)
                    for s in streams)


def _together(requests):
    """Several heads in one call, and what lies between them and ends their row."""
    for n in (2, 3, 7, 33, TOGETHER):
        requests.add(HELLO + _heads(requests, 1, n), n, _heads(requests, 2 * n + 1, n), 2 * n)
    n = TOGETHER
    requests.add(HELLO + _heads(requests, 1, n) + _heads(requests, 2 * n + 1, 3, NEVER), n + 3,
                 _heads(requests, 2 * n + 7, 2), n + 5)
    for size in (1, 31, 32, 33, 100):
        requests.add(HELLO + _heads(requests, 1, 20, behind=bytes(size)), 20)
    # what is behind the last head, and what is not looked at any more
    requests.add(HELLO + _heads(requests, 1, 5) + frame(HEADERS, END_HEADERS, 11, requests.head(11, MUST)) +
                 frame(DATA, 0, 11, b"z" * 9000), frame(DATA, END_STREAM, 11, b"z" * 100), 6)
    requests.add(HELLO + _heads(requests, 1, 3, behind=bytes(range(256)) * 20) +
                 _heads(requests, 7, 1, MAY, bytes(range(256)) * 20) + _heads(requests, 9, 2, NEVER), 6)
    # other frames, streams that are left out, a place that is too far from the first
    requests.add(HELLO + _heads(requests, 1, 2) + frame(PING, 0, 0, b"12345678") +
                 frame(WINDOW_UPDATE, 0, 0, b"\0\0\xff\xff") + _heads(requests, 5, 2) +
                 frame(HEADERS, BOTH, 77, requests.head(77, MUST)) +
                 frame(HEADERS, BOTH | HAS_PRIORITY, 79, b"\0\0\0\0\x10" + requests.head(79, MUST)) +
                 frame(HEADERS, BOTH, 1 + 2 * TOGETHER, requests.head(1 + 2 * TOGETHER, NEVER)), 7)
    # what is not given a header ends the row
    requests.add(HELLO + _heads(requests, 1, 2) +
                 frame(HEADERS, BOTH | PADDED, 5, b"\x09" + requests.head(5, NEVER) + bytes(9)) +
                 _heads(requests, 7, 1, NEVER), 4, _heads(requests, 9, 3), 7)


def _own(requests):
    """The program sends a context itself: once is enough for its connection, if the table keeps it."""
    name, value = _text(b"traceparent"), [_text(OWN.format(i).encode()) for i in range(3)]
    requests.add(HELLO + frame(HEADERS, BOTH, 1, requests.head(1, NEVER, b"\x00" + name + value[0])), 1,
                 frame(HEADERS, BOTH, 3, requests.head(3, MUST)), 2)
    requests.add(HELLO + frame(HEADERS, BOTH, 1, requests.head(1, NEVER, b"\x40" + name + value[1])), 1,
                 frame(HEADERS, BOTH, 3, requests.head(3, NEVER, b"\x7e" + value[2])), 2,
                 frame(HEADERS, BOTH, 5, requests.head(5, NEVER)), 3)
    # the same among others in one call
    for once, behind in ((b"\x00", MUST), (b"\x40", NEVER)):
        for before in (0, 1, 3):
            own = _text(OWN.format(3 + len(requests.known)).encode())
            requests.add(HELLO + _heads(requests, 1, before) +
                         frame(HEADERS, BOTH, 2 * before + 1,
                               requests.head(2 * before + 1, NEVER, once + name + own)) +
                         _heads(requests, 2 * before + 3, 2, behind), before + 3,
                         _heads(requests, 2 * before + 7, 2, behind), before + 5)


def _cuts(requests):
    """A head that is cut at each of its bytes, and one that is whole behind it."""
    for at in range(1, 9 + len(Requests().head(1, NEVER))):
        whole = frame(HEADERS, BOTH, 1, requests.head(1, NEVER))
        requests.add(HELLO, whole[:at], whole[at:], 1, frame(HEADERS, BOTH, 3, requests.head(3, MUST)), 2)


def _others(requests):
    """What begins as HTTP/2 and goes on as something else."""
    for rest in (b"\x16\x03\x01\x02\x00" + bytes(512), bytes(range(256)) * 8, b"SSH-2.0-OpenSSH_9\r\n" * 20,
                 b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x20" * 9):
        requests.add(HELLO, rest, rest)


def _want(mode_name, requests, number):
    """Where the first message alone can have one, it has to be what opens the connection."""
    conn, _, want, block = requests.known[number]
    opening = requests.plan.connections[conn][0]
    if mode_name == "first" and block not in opening:
        return NEVER
    return allowed(mode_name, want, 1)


def _judge(t, requests, arrived, spans):
    sent, name = requests.plan.sent(), mode(t)
    found = [frames.without_added(data) for data in arrived]
    t.expect("connections whose bytes are others than were sent", [],
             [i for i, (data, _) in enumerate(found) if data != sent[i]][:10])
    added = {n: found[conn][1].get(stream) for n, (conn, stream, _, _) in requests.known.items()}
    t.expect("requests without a header where there has to be one", [],
             [n for n in added if not added[n] and _want(name, requests, n) == MUST][:10])
    t.expect("requests with a header where none is allowed", [],
             [n for n in added if added[n] and _want(name, requests, n) == NEVER][:10])
    clients = {s.number: (s.trace, s.id) for s in spans.clients()}
    t.expect("requests without a client span", [], [n for n in added if n not in clients][:10])
    t.expect("headers that name another span than is exported", [],
             [n for n in added if added[n] and added[n] != clients.get(n)][:10])
    t.note(f"{sum(map(bool, added.values()))} of {len(added)} requests have got a header")


def _case(t, make, greets=False, narrow=0):
    """`narrow`: the client's SO_SNDBUF, where the server is slow besides."""
    requests, server = Requests(), Server(greets, slow=narrow > 0)
    make(requests)
    client = t.spawn([apps.PYTHON, "-B", os.path.join(apps.APPS, "frames_client.py"), server.port,
                      requests.plan.write(t), *([narrow] if narrow else [])],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    weft = start_weft(t, {client.pid})
    out, _ = client.communicate(b"go\n", timeout=60)
    t.expect("connections that were served", len(requests.plan.connections), out.count(b"done"))
    arrived = server.close(len(requests.plan.connections))
    _judge(t, requests, arrived, t.stop(weft))


@wire_case()
def wire_http2_openings(t):
    """The preface, settings and the first head in one call, in two, in three."""
    _case(t, _openings)


@wire_case()
def wire_http2_shapes(t):
    """Bodies, trailers, padding, priority, continuation, two heads at once, long ones."""
    _case(t, _shapes)


@wire_case()
def wire_http2_together(t):
    """Many heads in one call: each gains its own field."""
    _case(t, _together)


def _narrow(requests):
    at_once = 20
    for calls, behind in ((20, b""), (20, b"x" * 100), (20, b"y" * 900), (4, b"z" * 2100), (4, b"w" * 6000)):
        requests.add(HELLO, *(_heads(requests, 2 * at_once * call + 1, at_once, MAY, behind) for call in range(calls)),
                     calls * at_once)
    # the first call on a socket that has nothing to send
    for behind in (b"z" * 2100, b"w" * 9000):
        for _ in range(5):
            requests.add(HELLO + _heads(requests, 1, 4, MAY, behind), 4)


def _narrowly(size):
    """A socket that takes part of a call, and says how much of it that was, in what the program has sent."""
    @wire_case(name=f"wire_http2_narrow_{size}")
    def _(t):
        _case(t, _narrow, narrow=size)


for one in (1, 4096, 16384, 65536):  # the kernel doubles them, and has a least one
    _narrowly(one)


@wire_case()
def wire_http2_own(t):
    """A context that the program sends is left alone, and never doubled."""
    _case(t, _own)


@wire_case()
def wire_http2_cuts(t):
    """Two calls for a head: at every byte."""
    _case(t, _cuts)


@wire_case()
def wire_http2_others(t):
    """Nothing is added to what only begins so."""
    _case(t, _others)


@wire_case()
def wire_http2_greeted(t):
    """The server speaks first: where FIONREAD is broken the connection is left alone by then."""
    _case(t, lambda requests: [_plain(requests, MAY, 3, lambda head: [HELLO, head]) for _ in range(5)], greets=True)


def _injected(t, weft):
    """What weft has told of its headers, at most a second late."""
    injected, failed = (find_key(weft.ps(), name) for name in ("injected", "inject_failed"))
    t.expect("headers that could not be inserted", 0, failed)
    return injected


@wire_case(needs=["nginx", "h2load"])
def wire_http2_h2load(t):
    """Many streams: every head that has gained a field is one that nginx understands."""
    app = apps.nginx(t, http2=True, connections=4096)
    weft = t.weft("--port", app.port, "--inject", "auto")
    for count, connections, streams in ((sized(10_000, 700_000), 10, 100), (sized(5000, 300_000), 250, 20)):
        common.h2load_done(t, count, ["-c", str(connections), "-m", str(streams), f"http://{app.authority}/item/1"],
                           timeout=RUN_S)
    time.sleep(1.2)
    injected = _injected(t, weft)
    t.expect_true("headers were inserted", injected or mode(t) == "none")
    t.note(f"{injected} headers in {sized(15_000, 1_000_000)} requests")
    wanted = 2 * sized(15_000, 1_000_000)
    until(lambda: weft.counters()["exported"] >= wanted, 10)
    t.expect("spans, two for each", wanted, weft.counters()["exported"])


@wire_case(timeout=240)
def wire_http2_grpc(t):
    """grpc-go at both ends: every call has the outcome and the messages that it has without weft."""
    program, count = grpc_peers.go(t), sized(50, 125_000)
    app = grpc_peers.serve(t, program)
    weft = t.weft("--port", app.port, "--inject", "auto")
    done = subprocess.run([*program, "call", str(app.port), str(count), "100"], capture_output=True, text=True,
                          timeout=RUN_S + 400)
    t.expect("what the client has met", calls_of(count), json.loads(done.stdout.splitlines()[-1]))
    time.sleep(1.2)
    t.note(f"{_injected(t, weft)} headers in {sum(calls_of(count).values())} calls")
