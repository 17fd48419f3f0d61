# SPDX-License-Identifier: Apache-2.0
"""The program under test: started, watched, asked, stopped."""

import json
import os
import re
import signal
import subprocess
import time

# Of a process that ends meanwhile: its file cannot be opened, or not be read any more.
GONE = (FileNotFoundError, ProcessLookupError)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
BINARY = os.environ.get("WEFT_BINARY") or os.path.join(BUILD, "weft")
READY_S = 20


class WeftError(Exception):
    pass


def find_key(tree, key):
    """Value of the first `key` in nested JSON, None if there is none."""
    if isinstance(tree, dict):
        if key in tree:
            return tree[key]
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            found = find_key(item, key)
            if found is not None:
                return found
    return None


def total(value):
    """A counter given as a number, or as numbers by reason."""
    return sum(total(v) for v in value.values()) if isinstance(value, dict) else int(value or 0)


def counters_from_text(text):
    """captured, exported, dropped, open of the last line that has the first three; else None."""
    for line in reversed(text.splitlines()):
        for form in (r"\b{}[ =:]+(\d+)", r"(\d+) {}\b"):
            found = {key: re.search(form.format(key), line)
                     for key in ("captured", "exported", "dropped")}
            if all(found.values()):
                still = re.search(form.format("open"), line)
                return {**{key: int(m[1]) for key, m in found.items()},
                        "open": int(still[1]) if still else 0}
    return None


def counters_from_json(tree):
    values = {key: find_key(tree, key) for key in ("captured", "exported", "dropped")}
    if any(value is None for value in values.values()):
        return None
    return {**{key: total(value) for key, value in values.items()},
            "open": total(find_key(tree, "open"))}


def until(condition, seconds):
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid):
    """Neither gone nor a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except GONE:
        return False


def children(pid):
    """{name: process id}"""
    found = {}
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as handle:
        for child in handle.read().split():
            try:
                with open(f"/proc/{child}/comm", encoding="ascii", errors="replace") as name:
                    found[name.read().strip()] = int(child)
            except GONE:
                pass
    return found


def bpf_objects(pid):
    """BPF programs, maps and links that the process holds: {(kind, id)}."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
                found.update(re.findall(r"^(prog|map|link)_id:\t(\d+)$", info.read(), re.MULTILINE))
        except FileNotFoundError:
            pass
    return found


def bpf_objects_left(objects, seconds):
    """Those of the objects that are there still after so long."""
    end = time.monotonic() + seconds
    while True:
        objects = {(kind, number) for kind, number in objects if subprocess.run(
            ["bpftool", kind, "show", "id", number], capture_output=True).returncode == 0}
        if not objects or time.monotonic() > end:
            return objects
        time.sleep(0.05)


def own(instance, pid):
    """
    Options with which a weft may run beside others on this host: a name of its own, and only the
    sockets of the network namespace of process `pid`.
    """
    return ["--instance", instance, "--netns", str(pid)]


class Weft:
    """
    `weft run` with its export file, or `exports`, and control socket in `directory`. `prefix`: words before the
    command (to leave a namespace). `netns_of`: traces the network namespace of this process alone,
    the caller's without it. `budget`: `--cpu-budget`, None: as it is by itself; 0: every request is
    followed, however busy the machine. The process leads a session of its own.
    """

    def __init__(self, directory, *args, exports=None, prefix=(), name="weft", env=None,
                 netns_of=None, budget=0):
        self.directory, self.prefix = directory, list(prefix)
        self.spans_path = os.path.join(directory, f"{name}.jsonl")
        self.socket = os.path.join(directory, f"{name}.sock")
        self.instance = f"{name}-{os.getpid()}"
        self.log_path = os.path.join(directory, f"{name}.log")
        self.stop_s = None
        words = [BINARY, "run", "--socket", self.socket, *own(self.instance, netns_of or os.getpid())]
        for export in [f"file:{self.spans_path}"] if exports is None else exports:
            words += ["--export", export]
        if budget is not None:
            words += ["--cpu-budget", str(budget)]
        if "--tls" not in args:
            words += ["--tls", "off"]  # by itself it depends on what a probe costs here
        self.started = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.prefix + words + list(args), stdin=subprocess.DEVNULL, stderr=log,
                stdout=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    @property
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as handle:
            return handle.read()

    def wait_ready(self):
        """Seconds from start to the ready line."""
        while time.monotonic() - self.started < READY_S:
            if re.search(r"\bready\b", self.log):
                return time.monotonic() - self.started
            if self.process.poll() is not None:
                raise WeftError(f"weft ended with {self.process.returncode} before it was ready: "
                                f"{self.log.strip()[-600:]}")
            time.sleep(0.002)
        raise WeftError(f"weft was not ready after {READY_S} s: {self.log.strip()[-600:]}")

    def ps(self):
        """The answer of `weft ps --json`, parsed."""
        done = subprocess.run(self.prefix + [BINARY, "ps", "--json", "--socket", self.socket],
                              capture_output=True, text=True, timeout=10)
        if done.returncode != 0:
            raise WeftError(f"weft ps ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)

    def counters(self):
        """From the running daemon, or after its end from its last line. None: not told."""
        if self.process.poll() is None:
            return counters_from_json(self.ps())
        return counters_from_text(self.log)

    def child(self, name):
        """Process id of one of its processes, None while there is none."""
        try:
            return children(self.pid).get(name)
        except GONE:
            return None

    def pipeline(self):
        return self.child("weft-pipeline")

    def guard(self):
        return self.child("weft-guard")

    def send(self, number=signal.SIGTERM):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, number=signal.SIGTERM, limit=10):
        """Ends it; returns its exit status. stop_s tells how long that took."""
        begin = time.monotonic()
        self.send(number)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
        self.stop_s = time.monotonic() - begin
        return self.process.returncode

    def kill(self):
        """Whatever is left of it goes, the pipeline too."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
