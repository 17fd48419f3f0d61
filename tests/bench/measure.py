# SPDX-License-Identifier: Apache-2.0
"""The measurements: nginx under load, with and without weft, in turns."""

import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

import load
import weft as weft_module
from observe import CannotMeasure, Meter, Objects, Statistics, memory, program_costs, waits
from weft import Weft, find_key

SETTLE_S = 0.15      # before a run, for what weft does once; after it, for what is left to do
COUNTERS_S = 1.2     # until weft has told what the kernel has counted
PACED_RATE, PACED_SECONDS = 10000, 5
LATENCY_SHARE = 0.4  # of the rate at saturation
IDLE_SECONDS = 2
STARTS = 5

NGINX = ("--exe", "*/nginx")
INJECT_OFF = ("--inject", "off", "--tcp-option", "off")
NO_WEFT = None
OTHER = ("--pid", "{other}")


@dataclass(frozen=True)
class Comparison:
    """Two ways to run one workload: weft's options, or NO_WEFT."""
    workload: str
    base: tuple
    other: tuple


COMPARISONS = {
    "noise": Comparison("static", NO_WEFT, NO_WEFT),
    "selected": Comparison("static", NO_WEFT, NGINX),
    "whole_host": Comparison("static", NO_WEFT, ()),
    "not_selected": Comparison("static", NO_WEFT, OTHER),
    "inject_keepalive": Comparison("keepalive", NGINX + INJECT_OFF, NGINX),
    "inject_closing": Comparison("closing", NGINX + INJECT_OFF, NGINX),
}

# Ways to run a proxy for its latency.
MODES = {"without": NO_WEFT, "plain": NGINX + INJECT_OFF, "inject": NGINX}
PROXIES = ("keepalive", "closing")


def spread(values):
    """Median and quartiles."""
    values = list(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") \
        if len(values) > 1 else values * 3
    return {"q1": low, "median": middle, "q3": high}


def cpu_us(run):
    """CPU time of all that takes part, for each request."""
    return sum(run["cpu_us"].values())


def compared(pairs):
    """What pairs of runs come to. A ratio is that of a pair, so a slow drift cancels out."""
    return {"rate": [spread(pair[side]["rate"] for pair in pairs) for side in (0, 1)],
            "rate_ratio": spread(other["rate"] / base["rate"] for base, other in pairs),
            "cpu_us": [spread(cpu_us(pair[side]) for pair in pairs) for side in (0, 1)],
            "cpu_ratio": spread(cpu_us(other) / cpu_us(base) for base, other in pairs),
            "pairs": pairs}


def added(turns, mode, less):
    """What the one mode adds to the other one, turn by turn."""
    return {key: spread(turn[mode][key] - turn[less][key] for turn in turns)
            for key in ("p50_us", "p99_us")}


def in_turns(keys, i):
    """There and back again: ABBA."""
    return list(keys) if i % 2 == 0 else list(reversed(keys))


class Bench:
    """Servers for all figures. Used as a context: cleans up after itself."""

    def __init__(self, options):
        for program in ("nginx", "wrk", "bpftool"):
            if not shutil.which(program):
                raise CannotMeasure(f"{program} is not installed (scripts/deps test installs it)")
        self.options, self.wefts = options, []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.dir = tempfile.mkdtemp(prefix="weft-bench-")
            stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
            os.chmod(self.dir, 0o755)
            # a process that serves nothing
            self.other = stack.enter_context(subprocess.Popen(["sleep", "infinity"]))
            stack.callback(self.other.kill)
            self.servers = stack.enter_context(load.Servers(self.dir))
            stack.callback(self._kill_wefts)
            self.started = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.started.close()

    def _kill_wefts(self):
        for weft in self.wefts:
            weft.kill()

    # One run.

    @contextlib.contextmanager
    def weft(self, options):
        """A weft that is ready; ended with the block. NO_WEFT: nothing."""
        if options is NO_WEFT:
            yield None
            return
        words = [word.format(other=self.other.pid) for word in options]
        started = Weft(self.dir, *words, exports=["file:/dev/null"])
        self.wefts.append(started)
        started.ready_s = started.wait_ready()
        time.sleep(SETTLE_S)
        yield started
        if started.stop() != 0:
            raise CannotMeasure(f"weft ended with {started.process.returncode}: "
                                f"{started.log[-300:]}")
        self.wefts.remove(started)

    @staticmethod
    def loaded(target, weft, run):
        """The load's figures, and CPU time for each request by who spent it."""
        groups = {"server": target.pids}
        if weft:
            groups.update(watcher=[weft.pid], pipeline=[weft.pipeline()])
        meter = Meter(groups)
        figures = run()
        time.sleep(SETTLE_S)
        spent = {**meter.spent(), "load": figures.pop("load_cpu_s")}
        return {**figures, "cpu_us": {who: seconds * 1e6 / figures["requests"]
                                      for who, seconds in spent.items()}}

    def _once(self, workload, options, run):
        with self.weft(options) as weft, self.servers.target(workload) as target:
            try:
                return self.loaded(target, weft, lambda: run(target.port))
            except CannotMeasure as error:
                with_it = "without weft" if weft is None else f"with weft {' '.join(options)}"
                raise CannotMeasure(f"{workload}, {with_it}: {error}") from None

    def _wrk(self, port):
        return load.wrk(port, self.options.seconds)

    # The figures.

    def comparisons(self):
        """All of them a pair at a time, so that each meets the same machine."""
        pairs = {name: [] for name in COMPARISONS}
        for i in range(self.options.rounds):
            for name, one in COMPARISONS.items():
                runs = [None, None]
                for side in in_turns((0, 1), i):
                    runs[side] = self._once(one.workload, (one.base, one.other)[side], self._wrk)
                pairs[name].append(runs)
            print(f"bench: round {i + 1} of {self.options.rounds}", flush=True)
        return {name: compared(done) for name, done in pairs.items()}

    def latency(self, comparisons):
        """Proxies below saturation, without weft, with it, and with injection, in turns."""
        figures = {}
        for proxy in PROXIES:
            limit = comparisons[f"inject_{proxy}"]["rate"][0]["median"]
            rate = max(100, int(limit * LATENCY_SHARE) // 100 * 100)
            turns = []
            for i in range(self.options.turns):
                turns.append({mode: self._once(proxy, MODES[mode], lambda port: load.pace(
                    port, rate, self.options.seconds)) for mode in in_turns(MODES, i)})
            figures[proxy] = {
                "rate": rate, "turns": turns,
                "modes": {mode: {key: spread(turn[mode][key] for turn in turns)
                                 for key in ("p50_us", "p99_us")} for mode in MODES},
                "added_by_weft": added(turns, "plain", "without"),
                "added_by_injection": added(turns, "inject", "plain")}
        return figures

    def paced(self):
        """At a fixed rate, nginx selected: CPU, memory, wake-ups, spans lost."""
        with self.weft(NGINX) as weft, self.servers.target("static") as target:
            pids = {"watcher": weft.pid, "pipeline": weft.pipeline()}
            idle = self._waits(pids, lambda: time.sleep(IDLE_SECONDS))
            busy = self._waits(pids, lambda: self.loaded(target, weft, lambda: load.pace(
                target.port, PACED_RATE, PACED_SECONDS)))
            sizes = {name: memory(pid) for name, pid in pids.items()}
        counters = weft.counters()
        return {"run": busy["result"], "memory_bytes": sizes, "counters": counters,
                "wakeups_idle": idle["a_second"], "wakeups": busy["a_second"],
                "lost": busy["result"]["done"] - counters["exported"] if counters else None}

    @staticmethod
    def _waits(pids, run):
        """Wake-ups a second of each process while it runs."""
        before = {name: waits(pid) for name, pid in pids.items()}
        begin = time.monotonic()
        result = run()
        seconds = time.monotonic() - begin
        return {"result": result, "a_second": {name: (waits(pid) - before[name]) / seconds
                                               for name, pid in pids.items()}}

    def saturated(self):
        """wrk at full speed, nginx selected: every span exported or counted as dropped."""
        with self.weft(NGINX) as weft, self.servers.target("static") as target:
            run = self.loaded(target, weft, lambda: self._wrk(target.port))
        return {"run": run, "counters": weft.counters()}

    def kernel(self, workload):
        """What each BPF program costs, and how many requests gained context."""
        with Statistics(), self.weft(NGINX) as weft, self.servers.target(workload) as target:
            objects = Objects(weft)
            before = objects.programs()
            requests = self._wrk(target.port)["requests"]
            costs = program_costs(before, objects.programs(), requests)
            maps = objects.map_bytes()
            time.sleep(COUNTERS_S)
            told = weft.ps()
        runs = sum(one["runs"] for one in costs.values())
        spent = sum(one["ns"] for one in costs.values())
        return {"requests": requests, "programs": costs, "map_bytes": maps,
                "runs_per_request": runs / requests, "ns_per_request": spent / requests,
                "ns_per_run": spent / runs if runs else 0.0,
                "context": {name: (find_key(told, name) or 0) / requests
                            for name in ("injected", "option_sent")}}

    def starts(self):
        seconds = []
        for _ in range(STARTS):
            with self.weft(()) as weft:
                seconds.append(weft.ready_s)
        return {"ms": [s * 1000 for s in seconds], **spread(s * 1000 for s in seconds)}

    def propagation(self):
        """What weft's self-test found: whether headers and the TCP option are in use."""
        with self.weft(NGINX) as weft:
            told = weft.ps().get("propagation", {})
        return {key: told.get(key) for key in ("mode", "tcp_option", "reason", "option_reason")}

    def run(self):
        figures = {"load_before": os.getloadavg()[0], "options": vars(self.options),
                   "binary_bytes": os.path.getsize(weft_module.BINARY)}
        load.wrk(self.servers.behind.port, 1)  # warms up
        steps = {"propagation": self.propagation, "start": self.starts,
                 "comparisons": self.comparisons,
                 "latency": lambda: self.latency(figures["comparisons"]),
                 "kernel": lambda: {name: self.kernel(name) for name in load.WORKLOADS},
                 "paced": self.paced, "saturated": self.saturated}
        for name, step in steps.items():
            print(f"bench: {name} ...", flush=True)
            figures[name] = step()
        return figures
