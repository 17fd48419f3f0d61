# SPDX-License-Identifier: Apache-2.0
"""What /proc and the kernel's BPF statistics tell about processes, programs and maps."""

import json
import os
import re
import subprocess
import time

import weft as weft_module

STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


class CannotMeasure(Exception):
    pass


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()


def cpu_seconds(pid):
    """
    User and system time so far of its threads. By the scheduler's own account, where the kernel
    keeps one: the usual one goes by hundredths of a second, which is much for a short run.
    """
    try:
        return sum(int(_read(f"/proc/{pid}/task/{task}/schedstat").split()[0])
                   for task in os.listdir(f"/proc/{pid}/task")) / 1e9
    except FileNotFoundError:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def waits(pid):
    """How often its threads have gone to sleep, each time to be woken again."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)",
                             _read(f"/proc/{pid}/task/{task}/status"), re.M)[1])
               for task in os.listdir(f"/proc/{pid}/task"))


def machine_seconds():
    """CPU time that the machine has spent, and that its hypervisor has taken, on all processors."""
    ticks = [int(word) for word in _read("/proc/stat").splitlines()[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = ticks
    return {"busy": (user + nice + system + irq + softirq) / CLOCK_TICKS,
            "stolen": steal / CLOCK_TICKS}


class Meter:
    """CPU seconds of groups of processes, {name: pids}, since it was made."""

    def __init__(self, groups):
        self.groups = groups
        self.before, self.machine_before = self._now(), machine_seconds()
        self.begun = time.monotonic()

    def others(self, own):
        """What shares of the processors others have taken meanwhile, `own` seconds apart."""
        whole = (time.monotonic() - self.begun) * os.cpu_count()
        spent = {name: value - self.machine_before[name]
                 for name, value in machine_seconds().items()}
        return {"others": max(0, spent["busy"] - own) / whole, "stolen": spent["stolen"] / whole}

    def _now(self):
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self.groups.items()}

    def spent(self):
        return {name: value - self.before[name] for name, value in self._now().items()}


def memory(pid):
    """
    Resident bytes: `rss`, all; `anonymous`: heap, stacks and private data; `maps`: pages of BPF
    maps, the ring buffer above all, which the kernel's maps hold anyway; `file`: the binary and its
    libraries, which other processes share.
    """
    sizes = {"rss": 0, "anonymous": 0, "maps": 0}
    of_map = False
    for line in _read(f"/proc/{pid}/smaps").splitlines():
        key, _, value = line.partition(":")
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            of_map = line.endswith("anon_inode:bpf-map")
        elif key in ("Rss", "Anonymous"):
            sizes[key.lower()] += int(value.split()[0]) * KIB
            sizes["maps"] += int(value.split()[0]) * KIB if of_map and key == "Rss" else 0
    sizes["file"] = sizes["rss"] - sizes["anonymous"] - sizes["maps"]
    return sizes


def _bpftool(kind):
    done = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True,
                          timeout=20)
    if done.returncode != 0:
        raise CannotMeasure(f"bpftool {kind} show: {done.stdout}{done.stderr}"[:300])
    return {one["id"]: one for one in json.loads(done.stdout)}


def map_bytes(pids):
    """Memory of all BPF maps that the processes hold, as the kernel accounts it."""
    sizes = {}
    for pid in pids:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            try:
                text = _read(f"/proc/{pid}/fdinfo/{fd}")
            except FileNotFoundError:
                continue
            one = dict(re.findall(r"^(map_id|memlock):\t(\d+)$", text, re.M))
            if len(one) == 2:
                sizes[one["map_id"]] = int(one["memlock"])
    return sum(sizes.values())


class Objects:
    """The BPF programs and maps that these processes hold."""

    def __init__(self, pids):
        held = set().union(*map(weft_module.bpf_objects, pids))
        self.ids = {kind: {int(number) for held_kind, number in held if held_kind == kind}
                    for kind in ("prog", "map")}

    def _shown(self, kind):
        return {number: one for number, one in _bpftool(kind).items() if number in self.ids[kind]}

    def programs(self):
        """{id: (name, runs, ns)} so far. What a program calls or goes on to is part of its time."""
        return {number: (one.get("name", str(number)), one.get("run_cnt", 0),
                         one.get("run_time_ns", 0)) for number, one in self._shown("prog").items()}

    def map_bytes(self):
        """{name: bytes of memory}"""
        sizes = {}
        for number, one in self._shown("map").items():
            name = one.get("name", str(number))
            sizes[name] = sizes.get(name, 0) + one.get("bytes_memlock", 0)
        return sizes


def program_costs(before, after, requests):
    """{name: {runs, ns, runs_per_request, ns_per_run}} between two answers of programs()."""
    costs = {}
    for number, (name, runs, spent) in after.items():
        _, runs_before, spent_before = before.get(number, (name, 0, 0))
        if runs > runs_before:
            costs[name] = {"runs": runs - runs_before, "ns": spent - spent_before,
                           "runs_per_request": (runs - runs_before) / requests,
                           "ns_per_run": (spent - spent_before) / (runs - runs_before)}
    return costs


class Statistics:
    """The kernel counts runs and time of BPF programs meanwhile, which costs something itself."""

    def __enter__(self):
        self.old = _read(STATS_SWITCH)
        self._switch("1")

    def __exit__(self, *_):
        self._switch(self.old)

    @staticmethod
    def _switch(value):
        with open(STATS_SWITCH, "w", encoding="ascii") as handle:
            handle.write(value)
