# SPDX-License-Identifier: Apache-2.0
"""What each fault must leave as it was: applications, their bytes, weft's account and its belongings."""

import json
import os
import subprocess
import threading

import apps
import traffic
from weft import alive, bpf_objects, bpf_objects_left, children, find_key, until

GROWTH_MAX_KIB = 8 << 10


class Load:
    """Requests that run beside the test until it has done."""

    def __init__(self, app, at_once=8, first=0, reuse=True, path="/chain/{}"):
        self.wrong, self.sent, self.stop, self.first = [], 0, threading.Event(), first
        self.thread = threading.Thread(target=lambda: self.wrong.extend(
            traffic.load(app.address, self._numbers(), at_once, path, reuse=reuse)))
        self.thread.start()

    def _numbers(self):
        while not self.stop.is_set():
            self.sent += 1
            yield self.first + self.sent - 1

    def done(self, t):
        """How many requests there were."""
        self.stop.set()
        self.thread.join()
        t.expect("requests that went wrong", [], self.wrong[:5])
        t.note(f"{self.sent} requests meanwhile")
        return self.sent


def anonymous_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as handle:
        return int([line for line in handle if line.startswith("RssAnon")][0].split()[1])


def descriptors(pid):
    """What the process' descriptors stand for, without the numbers of those that come and go."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        found.append(target.split("[")[0] if target.startswith("socket") else target)
    return sorted(found)


class Belongings:
    """
    Descriptors, BPF objects and memory of a weft's processes, as they are now: the same after a
    fault, and gone after the end.
    """

    def __init__(self, weft):
        # one that looks at connections which were open before, and has perhaps no name yet, ends by itself
        until(lambda: set(children(weft.pid)) <= {"weft-pipeline", "weft-guard"}, 5)
        self.weft, self.pids = weft, apps.descendants(weft.pid)
        until(lambda: not any(target.startswith("/proc/") for target in descriptors(weft.pid)), 5)
        self.descriptors = {pid: descriptors(pid) for pid in self.pids}
        self.objects = set().union(*(bpf_objects(pid) for pid in self.pids))
        self.anonymous = {pid: anonymous_kib(pid) for pid in self.pids}

    def unchanged(self, t, growth_kib=GROWTH_MAX_KIB):
        """The same processes hold the same things, within some seconds."""
        def same():
            return all(descriptors(pid) == self.descriptors[pid] for pid in self.pids)

        t.expect("weft's processes", self.pids, apps.descendants(self.weft.pid))
        if not until(same, 5):
            for pid in self.pids:
                t.expect(f"descriptors of {pid}", self.descriptors[pid], descriptors(pid))
        held = set().union(*(bpf_objects(pid) for pid in self.pids))
        t.expect("BPF objects that came or went", set(), held ^ self.objects)
        for pid in self.pids:
            t.expect_range(f"KiB that {pid} has grown by", -(1 << 20), growth_kib,
                           anonymous_kib(pid) - self.anonymous[pid])

    def gone(self, t):
        t.expect_true("weft's processes are gone", until(
            lambda: not any(alive(pid) for pid in self.pids), 5))
        t.expect("BPF objects that are left", set(), bpf_objects_left(self.objects, 5))


def maps(weft):
    """{name: id} of the maps that weft's first process holds."""
    found = {}
    for kind, number in bpf_objects(weft.pid):
        if kind == "map":
            shown = subprocess.run(["bpftool", "-j", "map", "show", "id", number],
                                   capture_output=True, text=True)
            if shown.returncode == 0:
                found[json.loads(shown.stdout).get("name")] = number
    return found


def map_keys(number):
    """The keys of a map whose keys are numbers of 32 bits."""
    dumped = subprocess.run(["bpftool", "-j", "map", "dump", "id", number], capture_output=True,
                            text=True, check=True)
    return {int.from_bytes(bytes(int(byte, 16) for byte in entry["key"]), "little")
            for entry in json.loads(dumped.stdout)}


def kernel_counter(weft, name):
    return find_key(weft.ps(), "kernel")[name]


def losses(weft):
    """What was dropped, by reason."""
    return {name: n for name, n in find_key(weft.ps(), "dropped").items() if n}


def odd(t, *words, **options):
    """tests/apps/odd.c, started; it ends with 0 if every answer was right."""
    program = apps.c_program("odd", "-lpthread")
    return t.spawn([program, *words], log="odd.log", **options)


def ended_well(t, process, what, seconds=60):
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = f"not ended after {seconds} s"
    t.expect(f"how {what} ended", 0, status)


