# SPDX-License-Identifier: Apache-2.0
"""The measurements that rows.py asks for: each step takes the rows that are wanted of its table."""

import contextlib
import functools
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time

import load
import rows
import weft as weft_module
from agents import PeerAgent, WeftAgent
from case import Skip
from load import WORKLOADS, Servers, Target, Workload
from observe import CannotMeasure, Meter, Objects, Statistics, program_costs, waits
from rows import FOLLOW_ALL, NO_WEFT, PEER, TRACED, WHOLE_HOST
from stats import added, compared, in_turns, spread, tracer_us
from weft import WeftError, find_key

SETTLE_S = 0.15      # before a run, for what weft does once; after it, for what is left to do
WARM_UP_S = 1.5      # until weft knows how busy the processors are
COUNTERS_S = 1.2     # until weft has told what the kernel has counted
LATENCY_SHARE = 0.4  # of the rate at saturation
TURN_SECONDS = 2
FILES = max(rows.CONNECTION_COUNTS) + 100
MODES = {"without": NO_WEFT, "plain": TRACED + rows.INJECT_OFF, "inject": TRACED}
PROXIES = ("keepalive", "closing")


def waits_per_second(pids, run):
    """Wake-ups a second of each process while it runs, and what it returned."""
    before = {name: waits(pid) for name, pid in pids.items()}
    begin = time.monotonic()
    result = run()
    seconds = time.monotonic() - begin
    return result, {name: (waits(pid) - before[name]) / seconds for name, pid in pids.items()}


def turns_come_to(turns):
    """What the tracer takes in turns under one load, by Bench._turn."""
    runs = [turn["run"] for turn in turns if turn["run"]]
    found = {"woken": spread(sum(turn["wakeups"].values()) for turn in turns),
             "rss": spread(sum(one["rss"] for one in turn["memory_bytes"].values())
                           for turn in turns),
             "map_bytes": turns[-1]["map_bytes"], "memory_bytes": turns[-1]["memory_bytes"]}
    if runs:
        found.update(rate=spread(run["rate"] for run in runs),
                     tracer_us=spread(tracer_us(run) for run in runs))
    return found


def followed_of(agent):
    """(requests that weft saw, those of them that it let pass), None: that is not told."""
    if not isinstance(agent, WeftAgent):
        return None
    told = agent.weft.ps()
    return find_key(told, "captured"), find_key(told, "requests_passed")


def followed_share(before, after):
    if not before or after[0] <= before[0]:
        return {}
    return {"followed": 1 - (after[1] - before[1]) / (after[0] - before[0])}


def passed_of(agent):
    """Requests that a weft that has ended let pass, as it counted: its CPU budget was used up."""
    told = re.search(r"cpu_budget (\d+)", agent.weft.log) if isinstance(agent, WeftAgent) else None
    return int(told[1]) if told else 0


def lost(turns, agent):
    """Requests that were answered, less spans exported and less what was let pass, by an agent that has ended."""
    told, done = agent.counters(), sum(turn["run"]["done"] for turn in turns if turn["run"])
    passed = passed_of(agent)
    return {"counters": told, "done": done, "passed": passed,
            "lost": done - told["exported"] - passed if told else None}


def programs_come_to(seen, asked):
    """BPF programs between the first and the last of these answers of Objects.programs()."""
    turns = [program_costs(before, after, requests)
             for before, after, requests in zip(seen, seen[1:], asked)]
    runs = [sum(one["runs"] for one in turn.values()) for turn in turns]
    spent = [sum(one["ns"] for one in turn.values()) for turn in turns]
    return {"requests": sum(asked), "programs": program_costs(seen[0], seen[-1], sum(asked)),
            "runs_per_request": sum(runs) / sum(asked),
            "ns_per_request": spread(ns / requests for ns, requests in zip(spent, asked)),
            "ns_per_run": spread(ns / count if count else 0 for ns, count in zip(spent, runs))}


class Bench:
    """Takes the figures. Used as a context: cleans up after itself."""

    def __init__(self, options):
        for program in ("nginx", "wrk", "bpftool"):
            if not shutil.which(program):
                raise CannotMeasure(f"{program} is not installed (scripts/deps test installs it)")
        self.options = options
        self.left_out = []  # what could not be measured, and why

    def __enter__(self):
        may = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if may < FILES:
            raise CannotMeasure(f"{FILES} open files are needed, {may} are allowed (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (may, may))  # what it starts inherits it
        with contextlib.ExitStack() as stack:
            self.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-"))
            os.chmod(self.dir, 0o755)
            # a process that serves nothing
            self.other = stack.enter_context(subprocess.Popen(["sleep", "infinity"]))
            stack.callback(self.other.kill)
            self.opened = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.opened.close()

    # One run.

    @contextlib.contextmanager
    def agent(self, how, target=None, **options):
        """
        A tracer that is ready, ended with the block: weft with the options `how`, PEER, or for
        NO_WEFT nothing. Options may name the {exe} of the target, or an {other} process.
        """
        if how is NO_WEFT:
            yield None
            return
        if how is PEER:
            started = PeerAgent(self.dir)
        else:
            exe = target.executable if target and target.processes else ""
            started = WeftAgent(self.dir, [word.format(other=self.other.pid, exe=exe)
                                           for word in how], **options)
        try:
            time.sleep(SETTLE_S)
            yield started
        finally:
            started.stop()

    @staticmethod
    def loaded(target, agent, run):
        """The load's figures, CPU time for each request by who spent it, and the tracer's size."""
        pids = agent.pids() if agent else {}
        meter = Meter({"server": target.pids, **{name: [pid] for name, pid in pids.items()}})
        figures = run()
        time.sleep(SETTLE_S)
        spent = {**meter.spent(), "load": figures.pop("load_cpu_s")}
        figures["taken"] = meter.others(sum(spent.values()))
        if agent:
            figures.update(rss=sum(one["rss"] for one in agent.memory().values()),
                           map_bytes=agent.map_bytes())
        return {**figures, "cpu_us": {who: seconds * 1e6 / figures["requests"]
                                      for who, seconds in spent.items()}}

    def once(self, servers, workload, how, run=None, warm_up=0):
        """
        One run of a workload, or of `run` instead of its load, after so many seconds of it that do
        not count. A load may be run alone.
        """
        run = run or workload.load
        try:
            with self.agent(how, servers.base(workload)) as agent, \
                    servers.target(workload) as target:
                if not warm_up:
                    return self.loaded(target, agent, lambda: run(target, self.options.seconds))
                run(target, warm_up)
                before = followed_of(agent)
                figures = self.loaded(target, agent, lambda: run(target, self.options.seconds))
                time.sleep(COUNTERS_S if before else 0)
                return {**figures, **followed_share(before, followed_of(agent))}
        except CannotMeasure as error:
            with_it = "without weft" if how is NO_WEFT else f"with {' '.join(how) or 'weft'}"
            raise CannotMeasure(f"{with_it}: {error}") from None

    def pair(self, servers, workload, sides, i):
        """A run for each side, in the order of the ith round."""
        runs = [None, None]
        for side in in_turns((0, 1), i):
            runs[side] = self.once(servers, workload, sides[side], warm_up=WARM_UP_S)
        return runs

    def attempt(self, what, run):
        """What `run` returns; None if that cannot be measured, which the report tells."""
        try:
            return run()
        except (CannotMeasure, WeftError, Skip, RuntimeError) as error:
            self.left_out.append(f"{what}: {error}")
            print(f"bench: left out: {self.left_out[-1]}", flush=True)
            return None

    # The steps. Each takes the wanted rows of its table.

    def comparisons(self, wanted):
        """All of them a pair at a time, so that each meets the same machine."""
        pairs = {row.key: [] for row in wanted}
        with Servers() as servers:
            wanted = [row for row in wanted if self.attempt(
                row.key, functools.partial(servers.base, WORKLOADS[row.workload]))]
            for i in range(self.options.rounds):
                for row in wanted:
                    done = self.attempt(f"{row.key}, a pair", functools.partial(
                        self.pair, servers, WORKLOADS[row.workload], (row.base, row.other), i))
                    pairs[row.key] += [done] if done else []
                print(f"bench: round {i + 1} of {self.options.rounds}", flush=True)
        return {key: compared(done) for key, done in pairs.items() if done}

    def latency(self, _):
        """Proxies below saturation, without weft, with it, and with injection, in turns."""
        figures = {}
        with Servers() as servers:
            for proxy in PROXIES:
                limit = self.once(servers, WORKLOADS[proxy], MODES["plain"])["rate"]
                rate = max(100, int(limit * LATENCY_SHARE) // 100 * 100)
                turns = [{mode: self.once(servers, WORKLOADS[proxy], MODES[mode], load.pace(rate))
                          for mode in in_turns(MODES, i)} for i in range(self.options.turns)]
                figures[proxy] = {
                    "rate": rate, "turns": turns,
                    "modes": {mode: {key: spread(turn[mode][key] for turn in turns)
                                     for key in ("p50_us", "p99_us")} for mode in MODES},
                    "added_by_weft": added(turns, "plain", "without"),
                    "added_by_injection": added(turns, "inject", "plain")}
        return figures

    def curve(self, wanted):
        """For each axis and each of its points: pairs without and with weft."""
        return {axis.key: {str(point): self._point(axis, point) for point in axis.points}
                for axis in wanted}

    def _point(self, axis, point):
        print(f"bench: {point} {axis.unit}", flush=True)
        workload = axis.workload(point)
        with Servers() as servers:
            one = compared([self.pair(servers, workload, (NO_WEFT, TRACED + FOLLOW_ALL), i)
                            for i in range(self.options.turns)])
        return {**one, "p99_us": [spread(pair[side]["p99_us"] for pair in one["pairs"])
                                  for side in (0, 1)],
                "tracer_us": spread(tracer_us(run) for _, run in one["pairs"]),
                **{key: spread(run[key] for _, run in one["pairs"])
                   for key in ("rss", "map_bytes")}}

    def loads(self, wanted):
        """nginx traced, at rest and at fixed rates: CPU, memory, wake-ups, spans lost."""
        return {row.key: self.at_rate(row.rate) for row in wanted}

    def at_rate(self, rate, how=TRACED):
        workload, turns = WORKLOADS["nginx"], []
        with Servers() as servers:
            target = servers.base(workload)
            with self.agent(how, target) as agent:
                for _ in range(self.options.turns):
                    turns.append(self._turn(target, agent, load.pace(rate), rate is not None))
        return {**turns_come_to(turns), **lost(turns, agent), "turns": turns,
                "ready_ms": agent.ready_s * 1e3, "exit_ms": agent.exit_s * 1e3}

    def _turn(self, target, agent, run, asked=True):
        """The tracer's CPU, memory and wake-ups under a load, or in peace if nothing is asked."""
        result, woken = waits_per_second(agent.pids(), lambda: self.loaded(
            target, agent, lambda: run(target, TURN_SECONDS)) if asked else time.sleep(TURN_SECONDS))
        return {"run": result, "wakeups": woken, "memory_bytes": agent.memory(),
                "map_bytes": agent.map_bytes()}

    def kernel(self, wanted):
        """What each BPF program costs, and how many requests gained context."""
        return {row.key: self.programs(WORKLOADS[row.workload], row.how) for row in wanted}

    def programs(self, workload, how=TRACED + FOLLOW_ALL):
        with Statistics(), Servers() as servers, \
                self.agent(how, servers.base(workload)) as agent, \
                servers.target(workload) as target:
            objects = Objects(agent.pids().values())
            seen, asked = [objects.programs()], []
            for _ in range(self.options.turns):
                asked.append(workload.load(target, self.options.seconds)["requests"])
                seen.append(objects.programs())
            maps, context = objects.map_bytes(), {}
            if how is not PEER:
                time.sleep(COUNTERS_S)
                told = agent.weft.ps()
                context = {name: (find_key(told, name) or 0) / sum(asked)
                           for name in ("injected", "option_sent")}
        return {**programs_come_to(seen, asked), "map_bytes": maps, "context": context}

    def hosts(self, wanted):
        """How long weft takes to start, to see a request, and to end."""
        return {row.key: self._host(row) for row in wanted}

    def _host(self, row):
        with Servers() as servers:
            target = servers.base(Workload(row.serve, load.pace()))
            if row.rate:
                servers.background(target, row.rate)
            turns = [self._start(row) for _ in range(self.options.starts)]
        return {key: spread(one[key] for one in turns) for key in turns[0]}

    def _start(self, row):
        path = os.path.join(self.dir, "first.jsonl")
        with self.agent(WHOLE_HOST + row.options, exports=[f"file:{path}"]) as weft:
            pass
        took = {"ready_ms": weft.ready_s * 1e3, "exit_ms": weft.exit_s * 1e3}
        if row.rate:
            with open(path, encoding="utf-8") as handle:
                begun = re.findall(r'"startTimeUnixNano": *"?(\d+)', handle.read())
            if not begun:
                raise CannotMeasure(f"weft saw no request of {row.rate} a second")
            took["first_ms"] = (min(map(int, begun)) - weft.begun_ns) / 1e6
            os.unlink(path)
        return took

    def processes(self, wanted):
        """Processes that start and end, the whole host traced."""
        found = {}
        for row in wanted:
            with self.agent(WHOLE_HOST) as agent:
                turns = [self._turn(Target(), agent, load.starts(row.rate))
                         for _ in range(self.options.turns)]
            found[row.key] = {**turns_come_to(turns), "turns": turns}
        return found

    def peer(self, _):
        """The peer's program under the same load as weft."""
        found = {name: {"programs": self.programs(WORKLOADS["nginx"], how),
                        "paced": self.at_rate(rows.PACED_RATE, how)}
                 for name, how in (("weft", TRACED + FOLLOW_ALL), ("peer", PEER))}
        return {**found, "name": os.path.basename(os.environ["PEER"])}

    def propagation(self, _):
        """What weft's self-test found: whether headers and the TCP option are in use."""
        with self.agent(WHOLE_HOST) as agent:
            told = agent.weft.ps().get("propagation", {})
        return {key: told.get(key) for key in ("mode", "tcp_option", "reason", "option_reason")}

    def run(self, wanted):
        """`wanted`: {step: rows}, in rows.STEPS' order."""
        figures = {"load_before": os.getloadavg()[0],
                   "options": {key: getattr(self.options, key)
                               for key in ("quick", "rounds", "turns", "starts", "seconds")},
                   "binary_bytes": os.path.getsize(weft_module.BINARY)}
        for step, of_it in wanted.items():
            begin = time.monotonic()
            found = self.attempt(step, functools.partial(getattr(self, step), of_it))
            if found:
                figures[step] = found
            print(f"bench: {step}: {time.monotonic() - begin:.0f} s", flush=True)
        return {**figures, "left_out": self.left_out}
