# SPDX-License-Identifier: Apache-2.0
"""
What client programs in Python share: their arguments, the order to begin, and the last line that
they print, a JSON object.

    PROGRAM PORT SHAPES FIRST COUNT WORKERS

They make requests FIRST to FIRST + COUNT - 1 of 127.0.0.1:PORT, by WORKERS at once, once a line
comes on standard input: until then weft can be started, with their process id. Those in other
languages do the same. Those in Python that use threads stop early when another line comes.
"""

import json
import os
import sys
import threading
import time

import shapes
from patience import PATIENCE

# A machine that has much to do is slow, an emulated one many times as slow, and TCP sends again what is
# late, and waits longer each time; who waits in vain waits for ever.
TIMEOUT_S = 10 * PATIENCE
STALL_S = 4 * PATIENCE
NAP_S = 0.05
ERRORS_MAX = 5


class Lateness:
    """
    How long the machine let this process wait for a processor, all together: what a thread that
    does nothing but sleep sleeps longer than it asked to.
    """

    def __init__(self):
        self.seconds, self.longest = 0.0, 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            begin = time.monotonic()
            time.sleep(NAP_S)
            late = time.monotonic() - begin - NAP_S
            self.seconds += late
            self.longest = max(self.longest, late)


class Report:
    """
    Counts what went well, what did not, and what took too long: a request has stalled when it took
    so long although there was a processor for it.
    """

    def __init__(self):
        self.lock, self.lateness = threading.Lock(), Lateness()
        self.failed, self.errors, self.times, self.stalls = 0, [], [], 0
        self.stalled_at = []  # (begin, end), in seconds of the monotonic clock
        self.first = time.monotonic()

    def begin(self):
        """When a request begins, for done()."""
        return time.monotonic(), self.lateness.seconds

    def done(self, begin):
        end = time.monotonic()
        if self.took(end - begin[0], self.lateness.seconds - begin[1]):
            self.stalled_at.append((round(begin[0], 2), round(end, 2)))

    def took(self, seconds, late=0.0):
        """Whether it has stalled."""
        stalled = seconds - late > STALL_S
        with self.lock:
            self.times.append(seconds)
            self.stalls += stalled
        return stalled

    def error(self, number, text):
        with self.lock:
            self.failed += 1
            if len(self.errors) < ERRORS_MAX:
                self.errors.append(f"request {number}: {text}")

    def expect_answer(self, number, status, body, size):
        """The answer is the one that belongs to the request."""
        if status != 200:
            self.error(number, f"status {status}")
        elif body != shapes.pattern(number, size):
            self.error(number, f"an answer of {len(body)} bytes, expected {size} of its pattern")

    def print(self):
        times = sorted(self.times) or [0.0]
        print(json.dumps({"requests": len(self.times), "failed": self.failed,
                          "errors": self.errors, "stalls": self.stalls,
                          "stalled_at": self.stalled_at[:ERRORS_MAX],
                          "median_ms": times[len(times) // 2] * 1000,
                          "slowest_ms": round(times[-1] * 1000, 1),
                          "late_ms": round(self.lateness.longest * 1000, 1),
                          "seconds": time.monotonic() - self.first}), flush=True)


class Plan:
    """The command line, read."""

    def __init__(self, words):
        port, path, first, count, workers = words
        self.base, self.port = f"http://127.0.0.1:{port}", int(port)
        self.first, self.count, self.workers = int(first), int(count), int(workers)
        self.stopped = threading.Event()
        self.shapes = []
        with open(path, encoding="ascii") as handle:
            for line in handle:
                method, kind, body, answer, pad, flags = line.split()
                self.shapes.append(shapes.Shape(method, int(body), int(answer), int(pad), kind,
                                                tuple(flags.split(","))))

    def shape(self, number):
        return self.shapes[number % len(self.shapes)]

    def target(self, number):
        shape = self.shape(number)
        return shapes.target(shape.kind, shape.body, shape.answer, number)

    def body(self, number):
        shape = self.shape(number)
        return shapes.body_bytes(shape.kind, number, shape.body)

    def numbers(self, worker):
        """What one of the workers does."""
        return range(self.first + worker, self.first + self.count, self.workers)

    def until_stopped(self, worker):
        """The same, one by one, until a line comes."""
        for number in self.numbers(worker):
            if self.stopped.is_set():
                return
            yield number

    def wait_for_stop(self):
        if sys.stdin.readline():
            self.stopped.set()


def wait_for_go():
    sys.stdin.readline()


def run_threads(work):
    """`work(plan, report, worker)` on a thread for each worker; prints the report."""
    plan = Plan(sys.argv[1:])
    wait_for_go()
    report = Report()
    threading.Thread(target=plan.wait_for_stop, daemon=True).start()
    threads = [threading.Thread(target=work, args=(plan, report, worker))
               for worker in range(plan.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.print()
