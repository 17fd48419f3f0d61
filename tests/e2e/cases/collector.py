# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP to a receiver that answers, refuses, is down, hangs."""

import json
import os
import re
import time

import apps
import common
import traffic
from case import case
from spans import load

RECEIVER = os.path.join(apps.ROOT, "tests", "lib", "otlp_receiver.py")
# Short batches, so that a case does not wait for the five seconds of the specification.
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "200"}


class Receiver:
    """
    A collector on this host, in the runner's namespace, where weft is, or in the case's own. `tls`:
    more of its options, with which it speaks TLS.
    """

    def __init__(self, t, *answers, port=0, outside=True, bodies=False, tls=()):
        name = f"receiver{len(t.processes)}"
        self.t, self.out = t, t.path(f"{name}-spans.jsonl")
        self.requests_path, self.log = t.path(f"{name}-requests.jsonl"), f"{name}.log"
        words = [apps.PYTHON, RECEIVER, "--out", self.out, "--requests", self.requests_path,
                 "--port", port, *tls] + (["--bodies"] if bodies else [])
        for answer in answers:
            words += ["--answer", answer]
        self.process = t.spawn(words, log=self.log, outside=outside)
        self.port = self._listening()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def _listening(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with open(self.t.path(self.log), encoding="utf-8") as handle:
                text = handle.read()
            found = re.search(r"listening on [\d.]+:(\d+)", text)
            if found:
                return int(found[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the receiver does not listen: {text[-300:]}")

    def end(self):
        self.process.terminate()
        self.process.wait(5)

    @property
    def requests(self):
        with open(self.requests_path, encoding="utf-8") as handle:
            return [json.loads(line) for line in handle if line.endswith("\n")]

    @property
    def spans(self):
        return load(self.out)

    def wait(self, count, seconds=10):
        """Until so many spans have come; how many have."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(self.spans) < count:
            time.sleep(0.05)
        return len(self.spans)


def _end(t, weft):
    """Stops weft; its last account, which must add up."""
    t.expect("exit status of weft at SIGTERM", 0, weft.stop())
    t.expect_range("seconds that weft needed to end", 0, 2.0, weft.stop_s)
    counters = weft.counters()
    if not t.expect_true("the counters are in weft's last line", counters):
        return {"captured": None, "exported": None, "dropped": None}
    t.expect("captured = exported + dropped, at the end", counters["captured"],
             counters["exported"] + counters["dropped"])
    return counters


def _send(app, numbers):
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in numbers])


def _free_port(t):
    """A port of the runner's namespace where nothing listens: one that a receiver just left."""
    receiver = Receiver(t)
    receiver.end()
    return receiver.port


@case()
def otlp_http(t):
    """Protobuf over HTTP says what the file says, in batches of at most 512."""
    app, receiver = apps.raw(t), Receiver(t)
    weft = t.weft("--port", app.port, exports=[receiver.url], env=FAST)
    t.expect("wrong answers", [], traffic.load(app.address, 1500, 8, "/plain/0/{}"))
    t.expect("spans that came before weft ended", 3000, receiver.wait(3000))
    counters = _end(t, weft)
    common.exchanges(t, receiver.spans, range(1500), app.port)
    t.expect("exported, as told", 3000, counters["exported"])
    t.expect("requests that were malformed", [],
             [r["error"] for r in receiver.requests if r.get("error")])
    t.note(f"{len(receiver.requests)} requests")


@case()
def otlp_batch_delay(t):
    """A batch that is not full leaves after five seconds."""
    app, receiver = apps.raw(t), Receiver(t)
    weft = t.weft("--port", app.port, exports=[receiver.url])
    _send(app, range(5))
    t.expect("spans that came within 7 s", 10, receiver.wait(10, 7))
    _end(t, weft)


@case()
def otlp_flushed_at_the_end(t):
    """What is not sent yet leaves when weft ends."""
    app, receiver = apps.raw(t), Receiver(t)
    weft = t.weft("--port", app.port, exports=[receiver.url])
    _send(app, range(50))
    _end(t, weft)
    common.exchanges(t, receiver.spans, range(50), app.port)


@case()
def file_and_otlp(t):
    """Two targets get the same spans."""
    app, receiver = apps.raw(t), Receiver(t)
    path = t.path("weft0.jsonl")
    weft = t.weft("--port", app.port, exports=[f"file:{path}", receiver.url])
    _send(app, range(50))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(50), app.port)
    t.expect("ids at both targets", sorted((s.trace, s.id) for s in spans),
             sorted((s.trace, s.id) for s in receiver.spans))


@case()
def collector_down_then_up(t):
    """Spans wait in the queue and arrive once, when it is there."""
    app = apps.raw(t)
    port = _free_port(t)
    weft = t.weft("--port", app.port, exports=[f"http://127.0.0.1:{port}"], env=FAST)
    _send(app, range(100))
    time.sleep(1.5)
    t.expect("exported while it is down", 0, (weft.counters() or {}).get("exported"))
    receiver = Receiver(t, port=port)
    receiver.wait(200, 15)
    common.exchanges(t, receiver.spans, range(100), app.port)
    counters = _end(t, weft)
    t.expect("dropped", 0, counters["dropped"])


@case()
def collector_down_for_ever(t):
    """The queue is bounded; what it cannot keep, and what is left at the end, is counted."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port, exports=[f"http://127.0.0.1:{_free_port(t)}"],
                  env={**FAST, "OTEL_BSP_MAX_QUEUE_SIZE": "600"})
    t.expect("wrong answers", [], traffic.load(app.address, 1000, 8, "/plain/0/{}"))
    time.sleep(1)
    counters = _end(t, weft)
    t.expect("captured", 2000, counters["captured"])
    t.expect("dropped", 2000, counters["dropped"])
    for reason in ("queue_full", "unreachable"):
        t.expect_true(f"{reason} is named: {weft.log.strip()[-200:]!r}", reason in weft.log)


@case()
def collector_busy(t):
    """503, and 429 with Retry-After: the same spans come again, once each."""
    app, receiver = apps.raw(t), Receiver(t, "503:2", "429,retry-after=1")
    weft = t.weft("--port", app.port, exports=[receiver.url], env=FAST)
    _send(app, range(50))
    t.expect("spans that came within 25 s", 100, receiver.wait(100, 25))
    common.exchanges(t, receiver.spans, range(50), app.port)
    t.expect("dropped", 0, _end(t, weft)["dropped"])
    t.note(f"{len(receiver.requests)} requests")


@case()
def collector_refuses(t):
    """400 is not tried again: counted as rejected."""
    app, receiver = apps.raw(t), Receiver(t, "400:1000")
    weft = t.weft("--port", app.port, exports=[receiver.url], env=FAST)
    _send(app, range(50))
    time.sleep(1.5)
    requests = len(receiver.requests)
    counters = _end(t, weft)
    t.expect("spans that the receiver took", 0, len(receiver.spans))
    t.expect("dropped", 100, counters["dropped"])
    t.expect_true("the reason is named", "rejected" in weft.log)
    t.expect_range("requests, none of them twice", 1, 10, requests)


@case()
def collector_takes_less_at_a_time(t):
    """413: the batch is halved until it fits, and every span comes once."""
    app, receiver = apps.raw(t), Receiver(t, "413:3")
    weft = t.weft("--port", app.port, exports=[receiver.url], env={"OTEL_BSP_SCHEDULE_DELAY": "1000"})
    _send(app, range(50))
    t.expect("spans that came within 20 s", 100, receiver.wait(100, 20))
    common.exchanges(t, receiver.spans, range(50), app.port)
    t.expect("dropped", 0, _end(t, weft)["dropped"])
    t.note(f"{len(receiver.requests)} requests")


@case()
def collector_takes_a_part(t):
    """Partial success: what it rejected is counted, nothing is sent again."""
    app, receiver = apps.raw(t), Receiver(t, "partial,rejected=3")
    weft = t.weft("--port", app.port, exports=[receiver.url])
    _send(app, range(20))
    counters = _end(t, weft)
    t.expect("captured, exported, dropped", (40, 37, 3),
             (counters["captured"], counters["exported"], counters["dropped"]))


@case()
def collector_hangs(t):
    """It never answers: applications do not notice, weft still ends in time."""
    app, receiver = apps.raw(t), Receiver(t, "hang:100")
    weft = t.weft("--port", app.port, exports=[receiver.url], env=FAST)
    begin = time.monotonic()
    _send(app, range(200))
    t.expect_range("seconds for 200 requests", 0, 2, time.monotonic() - begin)
    time.sleep(0.5)
    counters = _end(t, weft)
    t.expect("dropped", 400, counters["dropped"])


@case()
def collector_closes(t):
    """The connection is closed without an answer: tried again."""
    app, receiver = apps.raw(t), Receiver(t, "close:2")
    weft = t.weft("--port", app.port, exports=[receiver.url], env=FAST)
    _send(app, range(50))
    t.expect("spans that came within 20 s", 100, receiver.wait(100, 20))
    t.expect("dropped", 0, _end(t, weft)["dropped"])


@case()
def weft_does_not_trace_itself(t):
    """Where everything is traced, exports make no spans that would be exported again."""
    app, receiver = apps.raw(t), Receiver(t, outside=False)
    weft = t.weft(exports=[receiver.url], env=FAST, prefix=[])
    pids = {weft.pid, weft.pipeline()}
    _send(app, range(20))
    time.sleep(2)
    _end(t, weft)
    own = [str(s) for s in receiver.spans
           if s.resource.get("process.pid") in pids or s["server.port"] == receiver.port]
    t.expect("spans of exports", [], own[:3])
    common.exchanges(t, receiver.spans.where(lambda s: s["server.port"] == app.port), range(20),
                     app.port)
