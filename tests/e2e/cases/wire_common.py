# SPDX-License-Identifier: Apache-2.0
"""
What the wire_* cases share. They come in two sizes: the short one is a part of `make test`, the
long one (WEFT_WIRE=long) is `make check-wire`.
"""

import json
import os
import subprocess

import judge
import propagation
from case import case

LONG = os.environ.get("WEFT_WIRE") == "long"
RUN_S = 400 if LONG else 40  # a client program's limit


def sized(short, long):
    return long if LONG else short


def wire_case(needs=(), name=None, timeout=90):
    return case(timeout=max(timeout, 900) if LONG else timeout, needs=needs, name=name)


class Program:
    """A client program, which waits for the order to begin (tests/lib/client_main.py)."""

    def __init__(self, t, words, arguments):
        self.t, self.name = t, os.path.basename(str(words[-1]))
        self.log = f"{self.name}.log"
        self.process = t.spawn([*words, *arguments], log=self.log, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)

    @property
    def pid(self):
        return self.process.pid

    def begin(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def stop_early(self):
        """Its report, after what it has under way."""
        return self._finish(b"stop\n")

    def run(self):
        """Its report. Errors, stalls and a missing report are failures."""
        return self._finish(b"go\n")

    def _finish(self, line):
        out, _ = self.process.communicate(line, timeout=RUN_S)
        try:
            report = json.loads(out.splitlines()[-1])
        except (IndexError, json.JSONDecodeError):
            with open(self.t.path(self.log), encoding="utf-8", errors="replace") as handle:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode} and told "
                                   f"nothing: {handle.read()[-500:]}") from None
        self.t.expect(f"{self.name}: errors {report['errors']}", 0, report["failed"])
        self.t.expect(f"{self.name}: stalled requests, of {report['requests']}, the slowest took "
                      f"{report['slowest_ms']} ms, threads waited for a processor for up to "
                      f"{report.get('late_ms', '?')} ms", 0, report["stalls"])
        return report


def start_weft(t, pids, *options):
    """weft with propagation, for these processes, which live in one namespace."""
    selected = [word for pid in sorted(pids) for word in ("--pid", pid)]
    return t.weft(*selected, *(options or ("--inject", "auto")), netns_of=min(pids))


def settle(t, weft, records, sent_of, numbers, mode=None):
    """
    Stops weft, judges what arrived and what was exported. `mode`: where it is not weft's own.
    Returns the verdict and the spans.
    """
    mode = mode or propagation.mode(t)
    spans = t.stop(weft)
    verdict = judge.judge(records, sent_of, numbers, mode)
    judge.expect(t, verdict, mode)
    judge.expect_agreement(t, verdict, spans)
    return verdict, spans
