# SPDX-License-Identifier: Apache-2.0
"""The measurements: nginx under load, with and without weft, in turns."""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

import apps
import weft as weft_module
from weft import Weft

WRK_THREADS, WRK_CONNECTIONS = 1, 32
PACE_RATE, PACE_SECONDS, PACE_CONNECTIONS = 10000, 5, 32
STARTS = 5
STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


NOTHING = object()


class CannotMeasure(Exception):
    pass


def wrk(port, seconds):
    """Requests a second, and how many there were."""
    done = subprocess.run(["wrk", f"-t{WRK_THREADS}", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s",
                           f"http://127.0.0.1:{port}/item/1"],
                          capture_output=True, text=True, timeout=seconds + 20)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    count = re.search(r"(\d+) requests in", done.stdout)
    if not rate or not count or "Non-2xx" in done.stdout:
        raise CannotMeasure(f"wrk told no rate: {(done.stdout + done.stderr)[-300:]}")
    return float(rate[1]), int(count[1])


def cpu_seconds(pid):
    """User and system time so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
        fields = handle.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def memory_kib(pid):
    """Resident memory, and the part of it that is neither file nor mapped buffer."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as handle:
        text = handle.read()
    return {key: int(re.search(rf"{key}:\s+(\d+)", text)[1]) for key in ("VmRSS", "RssAnon")}


def bpftool(*words):
    done = subprocess.run(["bpftool", "-j", *words], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise CannotMeasure(f"bpftool {' '.join(words)}: {done.stdout}{done.stderr}"[:300])
    return json.loads(done.stdout)


def bpf_ids(kind):
    return {one["id"] for one in bpftool(kind, "show")}


class Objects:
    """The programs and maps that came with one weft: those that were not there before."""

    def __init__(self, before):
        self.before = before

    @staticmethod
    def snapshot():
        return {"prog": bpf_ids("prog"), "map": bpf_ids("map")}

    def programs(self):
        return {one["id"]: one for one in bpftool("prog", "show")
                if one["id"] not in self.before["prog"]}

    def map_bytes(self):
        return {one.get("name", str(one["id"])): one.get("bytes_memlock", 0)
                for one in bpftool("map", "show") if one["id"] not in self.before["map"]}


def program_costs(before, after):
    """{name: (runs, ns)} between two listings."""
    costs = {}
    for number, program in after.items():
        old = before.get(number, {})
        runs = program.get("run_cnt", 0) - old.get("run_cnt", 0)
        if runs > 0:
            costs[program.get("name", str(number))] = (
                runs, program.get("run_time_ns", 0) - old.get("run_time_ns", 0))
    return costs


class Bench:
    """One nginx for all figures. Used as a context: cleans up after itself."""

    def __init__(self, options):
        for program in ("nginx", "wrk", "bpftool"):
            if not shutil.which(program):
                raise CannotMeasure(f"{program} is not installed (scripts/deps test installs it)")
        self.options, self.processes, self.wefts = options, [], []
        self.dir = tempfile.mkdtemp(prefix="weft-bench-")
        os.chmod(self.dir, 0o755)
        self.pace = apps.c_program("pace")

    def __enter__(self):
        self.port = self._free_port()
        os.makedirs(os.path.join(self.dir, "www"))
        with open(os.path.join(self.dir, "www", "hello.txt"), "wb") as handle:
            handle.write(b"x" * 512)
        config = os.path.join(self.dir, "nginx.conf")
        with open(config, "w", encoding="utf-8") as handle:
            handle.write(apps.nginx_config(self.dir, self.port))
        nginx = self._spawn(["nginx", "-p", self.dir, "-c", config, "-e", self.dir + "/nginx.err"])
        apps.wait_for(("127.0.0.1", self.port), nginx, "nginx")
        self.other = self._spawn(["sleep", "1000"])
        self.nginx = nginx
        return self

    def __exit__(self, *_):
        for weft in self.wefts:
            weft.kill()
        for process in self.processes:
            process.terminate()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def _spawn(self, words):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def weft(self, *args):
        started = Weft(self.dir, *[str(a) for a in args], exports=["file:/dev/null"])
        self.wefts.append(started)
        started.wait_ready()
        return started

    def stop(self, weft):
        """Ends it; its counters."""
        if weft.stop() != 0:
            raise CannotMeasure(f"weft ended with {weft.process.returncode}: {weft.log[-300:]}")
        return weft.counters()

    # The figures.

    def pairs(self, args, rounds):
        """
        Runs without and with weft in turns; medians, and the median of the pairs' ratios. `args`:
        weft's, or NOTHING: without weft both times, to see what the machine's noise makes of that.
        """
        off, on = [], []
        for i in range(rounds):
            for with_weft in ((False, True) if i % 2 else (True, False)):
                weft = self.weft(*args) if with_weft and args is not NOTHING else None
                (on if with_weft else off).append(wrk(self.port, self.options.seconds)[0])
                if weft:
                    self.stop(weft)
        return {"off": off, "on": on, "off_median": statistics.median(off),
                "on_median": statistics.median(on),
                "ratio": statistics.median(b / a for a, b in zip(off, on))}

    def _loaded(self, weft, load):
        """Runs the load; CPU seconds of both processes meanwhile, and what the load returned."""
        pids = [weft.pid, weft.pipeline()]
        before = [cpu_seconds(pid) for pid in pids]
        result = load()
        time.sleep(0.5)
        after = [cpu_seconds(pid) for pid in pids]
        return [b - a for a, b in zip(before, after)], result

    def _run_pace(self):
        done = subprocess.run([self.pace, str(self.port), "/item/1", str(PACE_RATE),
                               str(PACE_SECONDS), str(PACE_CONNECTIONS)],
                              capture_output=True, text=True, timeout=PACE_SECONDS + 20)
        if not done.stdout:
            raise CannotMeasure(f"pace: {done.stderr}")
        return json.loads(done.stdout)

    def paced(self):
        """At a fixed rate, nginx selected: CPU for each request, RSS, spans lost."""
        weft = self.weft("--exe", "*/nginx")
        cpu, pace = self._loaded(weft, self._run_pace)
        memory = {"watcher": memory_kib(weft.pid), "pipeline": memory_kib(weft.pipeline())}
        counters = self.stop(weft)
        figures = {"pace": pace, "counters": counters, "memory_kib": memory,
                   "watcher_us": cpu[0] * 1e6 / pace["done"],
                   "pipeline_us": cpu[1] * 1e6 / pace["done"]}
        if counters:
            figures["lost"] = pace["done"] - counters["exported"]
        return figures

    def saturated(self):
        """wrk at full speed, nginx selected: every span exported or counted as dropped."""
        weft = self.weft("--exe", "*/nginx")
        cpu, (rate, count) = self._loaded(weft, lambda: wrk(self.port, self.options.seconds))
        counters = self.stop(weft)
        return {"rate": rate, "requests": count, "counters": counters,
                "watcher_us": cpu[0] * 1e6 / count, "pipeline_us": cpu[1] * 1e6 / count}

    def kernel(self):
        """With BPF statistics on, which cost something themselves: ns for each program run."""
        objects = Objects(Objects.snapshot())
        with open(STATS_SWITCH, encoding="ascii") as handle:
            old = handle.read()
        self._switch_stats("1")
        try:
            weft = self.weft("--exe", "*/nginx")
            before = objects.programs()
            _, count = wrk(self.port, 2)
            costs = program_costs(before, objects.programs())
            maps = objects.map_bytes()
            self.stop(weft)
        finally:
            self._switch_stats(old)
        return {"requests": count, "programs": costs, "maps": maps,
                "ns_per_run": _per(sum(ns for _, ns in costs.values()),
                                   sum(runs for runs, _ in costs.values())),
                "runs_per_request": sum(runs for runs, _ in costs.values()) / count,
                "map_bytes": sum(maps.values())}

    @staticmethod
    def _switch_stats(value):
        with open(STATS_SWITCH, "w", encoding="ascii") as handle:
            handle.write(value)

    def starts(self):
        seconds = []
        for _ in range(STARTS):
            started = Weft(self.dir, exports=["file:/dev/null"])
            self.wefts.append(started)
            seconds.append(started.wait_ready())
            self.stop(started)
        return {"ms": [s * 1000 for s in seconds], "median_ms": statistics.median(seconds) * 1000}

    def run(self):
        wrk(self.port, 1)  # warms up
        rounds, few = self.options.rounds, max(1, self.options.rounds // 2)
        nginx, other = ["--exe", "*/nginx"], ["--pid", self.other.pid]
        figures = {"binary_bytes": os.path.getsize(weft_module.BINARY)}
        steps = [("start", self.starts), ("noise", lambda: self.pairs(NOTHING, few)),
                 ("selected", lambda: self.pairs(nginx, rounds)),
                 ("not_selected", lambda: self.pairs(other, rounds)),
                 ("both_ends", lambda: self.pairs([], few)), ("kernel", self.kernel),
                 ("paced", self.paced), ("saturated", self.saturated)]
        for name, step in steps:
            print(f"bench: {name} ...", flush=True)
            figures[name] = step()
        return figures


def _per(total, count):
    return total / count if count else 0.0
