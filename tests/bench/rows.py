# SPDX-License-Identifier: Apache-2.0
"""The rows of the report: what each means, where its figure is, and what is aimed at."""

import textwrap
from dataclasses import dataclass
from typing import Callable

MIB = 1024 * 1024


@dataclass(frozen=True)
class Ratio:
    """One of measure.COMPARISONS. `least`: the ratio of throughput that is aimed at."""
    key: str
    what: str
    meaning: str
    least: float = None


@dataclass(frozen=True)
class Figure:
    """A single number, told with what belongs to it. `most`: what is aimed at."""
    key: str
    what: str
    meaning: str
    unit: str
    value: Callable
    told: Callable
    most: float = None


RATIOS = (
    Ratio("noise", "nothing against nothing",
          "The control row: no weft either time. How far its ratios and their quartiles are from 1 "
          "is what this machine makes of nothing, and no other row is better than that."),
    Ratio("selected", "nginx traced",
          "nginx with a static file, under wrk as fast as 32 connections ask: without weft, and "
          "with a weft that traces nginx.", 0.90),
    Ratio("whole_host", "nginx and wrk traced",
          "The same, with a weft that traces all there is: both ends of each connection."),
    Ratio("not_selected", "another process traced",
          "The same, with a weft that traces a process which serves nothing: what those pay that "
          "are not traced.", 0.98),
    Ratio("inject_keepalive", "proxy, kept connections: injection on",
          "wrk, an nginx as proxy, an nginx behind it; the proxy keeps its connections to that "
          "one. Both times a weft traces both nginx: first with --inject off and --tcp-option off, "
          "then with both on.", 0.97),
    Ratio("inject_closing", "proxy, a connection each request: injection on",
          "The same, but the proxy opens a connection for each request, so that each gains a "
          "header.", 0.97),
)


def _cpu(figures):
    spent = figures["paced"]["run"]["cpu_us"]
    return spent["watcher"] + spent["pipeline"]


def _told_cpu(figures):
    spent = figures["paced"]["run"]["cpu_us"]
    return f"{_cpu(figures):.2f} us, {spent['pipeline']:.2f} of it in the pipeline"


def _sizes(figures, key):
    return sum(one[key] for one in figures["paced"]["memory_bytes"].values())


def _told_memory(figures):
    return (f"{_sizes(figures, 'rss') / MIB:.1f} MiB: {_sizes(figures, 'anonymous') / MIB:.1f} "
            f"anonymous, {_sizes(figures, 'maps') / MIB:.1f} of the ring buffer and other maps, "
            f"{_sizes(figures, 'file') / MIB:.1f} of files")


def _maps(figures):
    return sum(figures["kernel"]["static"]["map_bytes"].values())


def _told_kernel(figures):
    one = figures["kernel"]["static"]
    return f"{one['ns_per_run']:.0f} ns, {one['runs_per_request']:.1f} runs a request"


def _told_start(figures):
    one = figures["start"]
    return f"{one['median']:.0f} ms ({one['q1']:.0f} to {one['q3']:.0f})"


def _told_wakeups(figures):
    one = figures["paced"]
    return (f"{one['wakeups']['pipeline']:.0f} a second; {one['wakeups_idle']['pipeline']:.0f} "
            "when nothing is to be done")


def _told_lost(figures):
    one = figures["paced"]
    lost = "not told" if one["lost"] is None else f"{one['lost']:,}"
    return f"{lost} of {one['run']['done']:,}, at {one['run']['rate']:,.0f} a second"


def _uncounted(figures):
    told = figures["saturated"]["counters"]
    return told and told["captured"] - told["exported"] - told["dropped"]


def _told_saturated(figures):
    told = figures["saturated"]["counters"]
    if not told:
        return "weft told no counters"
    return (f"captured {told['captured']:,} = exported {told['exported']:,} + dropped "
            f"{told['dropped']:,}")


FIGURES = (
    Figure("kernel_ns", "kernel time a program run, nginx traced",
           "Mean over all runs of weft's BPF programs, by the kernel's BPF statistics, which are "
           "part of it. Below the tables by program, and for the proxies.", "ns",
           lambda f: f["kernel"]["static"]["ns_per_run"], _told_kernel, 1000),
    Figure("daemon_us", "weft's CPU a request at 10,000 a second",
           "User and system time of both processes of weft, which trace nginx with a static file "
           "at a fixed rate.", "us", _cpu, _told_cpu, 3),
    Figure("rss", "resident memory of both processes then",
           "Anonymous: heap and stacks. Maps: pages of the kernel's, the ring buffer above all, "
           "that are mapped. Files: the binary and its libraries, which both processes share.",
           "bytes", lambda f: _sizes(f, "rss"), _told_memory, 20 * MIB),
    Figure("wakeups", "wake-ups of the pipeline then",
           "How often a thread of it had gone to sleep and was woken (voluntary context "
           "switches).", "1/s", lambda f: f["paced"]["wakeups"]["pipeline"], _told_wakeups),
    Figure("maps", "BPF maps", "Memory of all maps of one weft, as the kernel accounts it.",
           "bytes", _maps, lambda f: f"{_maps(f) / MIB:.1f} MiB", 32 * MIB),
    Figure("start", "start to ready", "From exec to the line that says ready; the self-test of "
           "injection is part of it.", "ms", lambda f: f["start"]["median"], _told_start, 300),
    Figure("lost", "spans lost at 10,000 a second", "Requests that were answered, less spans that "
           "were exported.", "spans", lambda f: f["paced"]["lost"], _told_lost, 0),
    Figure("uncounted", "at saturation", "Spans captured that were neither exported nor counted "
           "as dropped.", "spans", _uncounted, _told_saturated, 0),
    Figure("binary", "size of the binary", "build/weft, with the BPF programs in it.", "bytes",
           lambda f: f["binary_bytes"], lambda f: f"{f['binary_bytes'] / MIB:.1f} MiB"),
)

LATENCY_MEANING = (
    "Latency of the proxies at 0.4 of the rate at saturation, from when a request was due to its "
    "answer: without weft, with it (--inject off --tcp-option off), and with injection. What "
    "injection adds is the median, with quartiles, of the differences turn by turn.")
RATIO_MEANING = (
    "Ratios are of pairs of runs next to each other in ABBA order, other rows' pairs in between: "
    "median and quartiles. CPU a request is the user and system time of servers, load and weft "
    "together; it is steadier than throughput, and what an operator pays.")


def help_text():
    def item(name, meaning):
        return f"  {name}\n" + textwrap.fill(meaning, 92, initial_indent="      ",
                                              subsequent_indent="      ")
    parts = ["what the rows mean:", textwrap.indent(textwrap.fill(RATIO_MEANING, 94), "  ")]
    parts += [item(one.what, one.meaning) for one in RATIOS]
    parts.append(item("latency", LATENCY_MEANING))
    parts += [item(one.what, one.meaning) for one in FIGURES]
    return "\n".join(parts)


def _summary_row(one, numbers, target):
    """`numbers`: value, and quartiles if there are. `target`: {least or most: number}, or empty."""
    value, met = numbers["value"], None
    if "least" in target:
        met = value >= target["least"]
    elif "most" in target:
        met = value is not None and value <= target["most"]
    doubt = "q1" in numbers and "least" in target and \
        numbers["q1"] < target["least"] <= numbers["q3"]
    return {"key": one.key, "what": one.what, **numbers, **target, "met": met, "in_doubt": doubt}


def _numbers(one, unit):
    return {"value": one["median"], "q1": one["q1"], "q3": one["q3"], "unit": unit}


def summary(figures):
    """
    A flat list for programs: {key, what, value, unit}, with quartiles where there are; and where
    something is aimed at {least or most, met, in_doubt}. In doubt: that lies between the quartiles.
    """
    found = []
    for one in RATIOS:
        pairs = figures["comparisons"][one.key]
        found.append(_summary_row(one, _numbers(pairs["rate_ratio"], "ratio of throughput"),
                                  {} if one.least is None else {"least": one.least}))
        found.append({"key": f"{one.key}_cpu", "what": one.what,
                      **_numbers(pairs["cpu_ratio"], "ratio of CPU time a request")})
    for proxy, one in figures["latency"].items():
        found += [{"key": f"latency_{proxy}_{key[:3]}_{adds}", "rate": one["rate"],
                   "what": f"what {adds} adds to {key[:3]} of the proxy, {proxy}",
                   **_numbers(one[f"added_by_{adds}"][key], "us")}
                  for adds in ("weft", "injection") for key in ("p50_us", "p99_us")]
    for one in FIGURES:
        found.append(_summary_row(one, {"value": one.value(figures), "unit": one.unit},
                                  {} if one.most is None else {"most": one.most}))
    return found
