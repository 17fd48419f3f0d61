# SPDX-License-Identifier: Apache-2.0
"""
Test cases that run against the real program: each in a child process and a network namespace of
its own, with a time limit. A case is a function of one argument, the Test below:

    @case(needs=["nginx"], timeout=60)
    def static_nginx(t): ...
"""

import fnmatch
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

import netns
import weft as weft_module
from patience import PATIENCE
from spans import Spans, load

CASES = []
FAILURES_SHOWN = 12
# So many failed cases are tried once more, alone, at the end: machines that run tests are shared, and
# a case that lost the processor for a second says nothing of weft. More than that is no accident.
TRIED_AGAIN = 3


class Skip(Exception):
    """The case cannot run here; the text says why."""


@dataclass
class Case:
    name: str
    function: object
    timeout: int
    needs: list
    long: bool = False


def case(timeout=60, needs=(), name=None, long=False):
    """
    Registers a case. `needs`: programs that it runs; without them it is skipped. `long`: it runs if
    it is asked for.
    """
    def register(function):
        CASES.append(Case(name or function.__name__, function, timeout, list(needs), long))
        return function
    return register


def _start_ticks(pid):
    """Field 22 of /proc/PID/stat: tells a process from a later one of the same id."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            return int(handle.read().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return 0


class Test:
    """What a case works with. Lives in the case's own process."""

    def __init__(self, directory, runner_pid, namespace):
        self.dir, self.runner_pid = directory, runner_pid
        self.namespace_name, self.namespace = namespace, netns.path(namespace)
        self.failures, self.notes, self.wefts, self.processes = [], [], [], []
        self._ports = random.Random(os.getpid() * 7919 + int(time.time()))

    # Expectations: all are tried, each failure is told.

    def fail(self, text):
        self.failures.append(text)

    def expect(self, what, expected, got):
        if expected != got:
            self.fail(f"{what}: expected {expected!r}, got {got!r}")
        return expected == got

    def expect_true(self, what, value):
        if not value:
            self.fail(f"{what}: it is not so ({value!r})")
        return bool(value)

    def expect_range(self, what, low, high, got):
        good = got is not None and low <= got <= high
        if not good:
            self.fail(f"{what}: expected {low} to {high}, got {got!r}")
        return good

    def note(self, text):
        self.notes.append(text)

    # Surroundings.

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as handle:
            handle.write(text)
        return self.path(name)

    def port(self):
        """A port that nothing uses in this namespace, below the ephemeral ones."""
        while True:
            port = self._ports.randrange(10000, 32000)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue

    def second_host(self, address="10.77.0.1/24", other_address="10.77.0.2/24"):
        """Another namespace, with a cable to this one; its path."""
        name = f"{self.namespace_name}-b"
        netns.create(name)
        netns.join(self.namespace_name, address, name, other_address)
        return netns.path(name)

    def spawn(self, words, log=None, env=None, outside=False, namespace=None, **options):
        """
        Starts a program whose output goes to a file, but for what `options` take. `outside`: in the
        runner's network namespace; `namespace`: the path of another one.
        """
        log = log or f"{os.path.basename(str(words[0]))}.log"
        words = [str(w) for w in words]
        if namespace:
            words = netns.inside(namespace) + words
        elif outside:
            words = netns.outside(self.runner_pid) + words
        with open(self.path(log), "ab") as out:
            process = subprocess.Popen(words, **{
                "stdin": subprocess.DEVNULL, "stdout": out, "stderr": out,
                "env": {**os.environ, **(env or {})}, **options})
        self.processes.append(process)
        self._remember(process.pid)
        return process

    def _remember(self, pid):
        """The runner ends these, should this process not live to do it."""
        with open(self.path("pids"), "a", encoding="ascii") as handle:
            handle.write(f"{pid} {_start_ticks(pid)}\n")

    def weft_command(self, *words, **options):
        """Runs a weft command to its end; the CompletedProcess with text. Longer where everything takes longer."""
        return subprocess.run(netns.outside(self.runner_pid) + [weft_module.BINARY, *words], capture_output=True,
                              text=True, timeout=20 * PATIENCE, **options)

    def weft(self, *args, ready=True, **options):
        """Starts weft in the runner's namespace; it traces the case's one."""
        started = weft_module.Weft(self.dir, *[str(a) for a in args], **{
            "prefix": netns.outside(self.runner_pid), "name": f"weft{len(self.wefts)}",
            **options})
        self.wefts.append(started)
        self._remember(started.pid)
        if ready:
            started.wait_ready()
        return started

    def stop(self, weft, settle=0.25, crashed=False):
        """
        Ends weft as promised (exit 0, soon, no loss untold) and reads its spans. `crashed`: a
        pipeline was killed before, between writing spans and counting them perhaps.
        """
        time.sleep(settle)
        self.expect("exit status of weft at SIGTERM", 0, weft.stop())
        self.expect_range("seconds that weft needed to end", 0, 1.0, weft.stop_s)
        spans, counters = self.spans(weft, crashed), weft.counters()
        if self.expect_true("captured, exported and dropped are in weft's last line", counters):
            self.expect("captured = exported + dropped, at the end", counters["captured"],
                        counters["exported"] + counters["dropped"])
            self.expect("still open, at the end", 0, counters["open"])
            if not crashed:
                self.expect("exported, as told, against spans in the file", len(spans),
                            counters["exported"])
        return spans

    def spans(self, weft, torn=False):
        return load(weft.spans_path, torn) if os.path.exists(weft.spans_path) else Spans([])

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for weft in self.wefts:
            weft.kill()
        for process in self.processes:
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()


def _child(chosen, directory, namespace, runner_pid, report):
    """In the case's process: runs it and writes one JSON object to the pipe."""
    result = {"status": "ok", "text": [], "notes": []}
    test = Test(directory, runner_pid, namespace)
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        netns.enter(namespace)
        chosen.function(test)
    except Skip as reason:
        result = {"status": "skipped", "text": [str(reason)], "notes": []}
    except Exception as error:  # pylint: disable=broad-except
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"
        test.fail(f"{type(error).__name__}: {error} ({place})")
    if test.failures:
        result = {"status": "FAILED", "text": test.failures}
    result["notes"] = test.notes
    if test.failures:
        result["logs"] = [w.log[-1500:] for w in test.wefts]
    test.close()
    os.write(report, json.dumps(result).encode())


def _await(child, pipe, timeout):
    """The child's report; a failure when it does not come in time or the child dies."""
    text, limit = b"", time.monotonic() + timeout
    while True:
        left = limit - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"status": "FAILED", "text": [f"not finished after {timeout} s"]}
        piece = os.read(pipe, 65536)
        if not piece:
            break
        text += piece
    _, status = os.waitpid(child, 0)
    if not text:
        return {"status": "FAILED", "text": [f"its process ended early, wait status {status}"]}
    return json.loads(text)


def _end_remembered(directory):
    try:
        with open(os.path.join(directory, "pids"), encoding="ascii") as handle:
            pids = [tuple(map(int, line.split())) for line in handle]
    except FileNotFoundError:
        return
    for pid, ticks in pids:
        if not ticks or _start_ticks(pid) != ticks:
            continue
        for kill in (os.killpg, os.kill):
            try:
                kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def run_case(chosen, keep=False):
    """Runs one case from start to end. Its result: status, text, notes."""
    missing = [program for program in chosen.needs if not shutil.which(program)]
    if missing:
        return {"status": "skipped", "text": [f"not installed: {', '.join(missing)}"]}
    directory = tempfile.mkdtemp(prefix=f"weft-e2e-{chosen.name}-")
    os.chmod(directory, 0o755)
    namespace = f"weft-e2e-{os.getpid()}-{len(directory)}-{random.randrange(1 << 24):06x}"
    runner_pid = os.getpid()
    reader, writer = os.pipe()
    try:
        netns.create(namespace)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(chosen, directory, namespace, runner_pid, writer)
            os._exit(0)
        os.close(writer)
        return _await(child, reader, chosen.timeout)
    finally:
        os.close(reader)
        _end_remembered(directory)
        for name in netns.names(namespace):
            netns.destroy(name)
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def _print(chosen, result, seconds):
    notes = "".join(f"; {note}" for note in result.get("notes", []))
    text = result.get("text", [])
    if result["status"] == "skipped":
        print(f"skipped {chosen.name}: {text[0]}", flush=True)
        return
    print(f"{result['status']:<7} {chosen.name} ({seconds:.1f} s{notes})", flush=True)
    for line in text[:FAILURES_SHOWN]:
        print(f"        {line}")
    if len(text) > FAILURES_SHOWN:
        print(f"        and {len(text) - FAILURES_SHOWN} more")
    for log in result.get("logs", []):
        for line in log.strip().splitlines()[-6:]:
            print(f"        weft: {line}")
    sys.stdout.flush()


def select_cases(patterns, long=False):
    """The cases of which the name or the file matches one of the patterns, all without patterns."""
    def matches(one, pattern):
        module = getattr(one.function, "__module__", "")
        return fnmatch.fnmatch(one.name, pattern) or fnmatch.fnmatch(module, pattern)

    return [c for c in CASES if (long or not c.long or c.name in patterns)
            and (not patterns or any(matches(c, p) for p in patterns))]


def _run_and_tell(chosen, keep, status=lambda result: result["status"]):
    """Runs a case and prints it. Its result, of which `status` gives the word that is printed."""
    begin = time.monotonic()
    try:
        result = run_case(chosen, keep)
    except (OSError, subprocess.SubprocessError) as error:
        result = {"status": "FAILED", "text": [f"could not be set up: {error}"]}
    _print(chosen, {**result, "status": status(result)}, time.monotonic() - begin)
    return result


def run_all(chosen, keep=False):
    """
    Runs the cases in order, prints a line each and the last one. How many failed: a few are tried
    again, and one that passes then is told as "unsteady", with what went wrong.
    """
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    failed = []
    for one in chosen:
        result = _run_and_tell(one, keep, lambda r: r["status"].replace("FAILED", "failed"))
        counts[result["status"]] += 1
        if result["status"] == "FAILED":
            failed.append((one, result))
    for one, first in failed:
        again = first if len(failed) > TRIED_AGAIN else _run_and_tell(one, keep)
        if again["status"] == "ok":
            counts["FAILED"] -= 1
            counts["ok"] += 1
            print(f"unsteady {one.name}: failed, then passed alone: {first['text'][0]}")
        elif again is first:
            print(f"FAILED  {one.name}: {first['text'][0]}")
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return counts["FAILED"]
