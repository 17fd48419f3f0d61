#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The figures of make bench as Markdown, with the machine that they come from.

  tests/bench/report.py            prints build/bench/report.json as tables
  tests/bench/report.py --readme   puts the tables into README.md, between its two marks
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import textwrap

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import rows

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORT = os.path.join(ROOT, os.environ.get("BUILD", "build"), "bench", "report.json")
COLUMNS = 118
README = os.path.join(ROOT, "README.md")
MARKS = ("<!-- tests/bench/report.py --readme: begin -->",
         "<!-- tests/bench/report.py --readme: end -->")
MODES = {"full": "in every request", "early_leave": "in the first request of each connection",
         "off": "in none"}


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip() if ":" in line else line.strip()
    except OSError:
        pass
    return "unknown"


def _version(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError:
        return "unknown"
    return ((done.stdout + done.stderr).strip().splitlines() or ["unknown"])[0]


def machine():
    with open("/proc/meminfo", encoding="ascii") as handle:
        memory = int(handle.readline().split()[1]) / 1024
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        system = "unknown"
    return {"name": platform.node(), "cpu": _first("/proc/cpuinfo", "model name"),
            "cpus": os.cpu_count(), "memory_mib": round(memory), "kernel": platform.release(),
            "arch": platform.machine(), "system": system,
            "virtual": "hypervisor" in _first("/proc/cpuinfo", "flags"),
            "nginx": _version("nginx", "-v").split()[-1], "wrk": _version("wrk", "-v").partition(" [")[0]}


def _table(head, body):
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]



def _spread(one, form):
    return f"{one['median']:{form}} ({one['q1']:{form}} to {one['q3']:{form}})"


def _change(pair, form):
    return " -> ".join(f"{one['median']:{form}}" for one in pair)


def _met(figures, key):
    one = next(one for one in figures["summary"] if one["key"] == key)
    return {None: "", True: "yes", False: "**no**"}[one["met"]] + \
        (", in doubt" if one["in_doubt"] else "")


def _intro(figures):
    host, options = figures["machine"], figures["options"]
    virtual = "virtual machine, " if host["virtual"] else ""
    out = figures["propagation"]
    busy = "" if figures["load_before"] < host["cpus"] / 2 else \
        (f" **The machine was busy with other things** (load average {figures['load_before']:.1f} "
         "before): these figures tell little.")
    text = (f"{host['cpu']}, {host['cpus']} cores, {host['memory_mib']:,} MiB, {virtual}"
            f"{host['arch']}, Linux {host['kernel']}, {host['system']}; {host['nginx']}; "
            f"{host['wrk']}. nginx (one worker each), load and weft share the cores; spans go to "
            f"file:/dev/null. {options['rounds']} pairs of runs of {options['seconds']:g} s for "
            "each ratio, in ABBA order: medians of the pairs' ratios, and quartiles. Injection "
            f"here: a header {MODES.get(out['mode'], 'in none')}, TCP option "
            f"{'on' if out['tcp_option'] else 'off'}. What each row means: "
            f"`tests/bench/run --help`.{busy}")
    return textwrap.fill(text, COLUMNS, break_on_hyphens=False)


def _ratios(figures):
    body = []
    for row in rows.RATIOS:
        one = figures["comparisons"][row.key]
        body.append([row.what, _change(one["rate"], ",.0f"), _spread(one["rate_ratio"], ".3f"),
                     _change(one["cpu_us"], ".1f"), _spread(one["cpu_ratio"], ".3f"),
                     "" if row.least is None else f">= {row.least:.2f}", _met(figures, row.key)])
    return _table(["compared, nginx under wrk", "req/s", "ratio of throughput", "CPU us a request",
                   "ratio of CPU", "target", "met"], body)


def _latencies(figures):
    body = []
    for proxy, one in figures["latency"].items():
        for key in ("p50_us", "p99_us"):
            body.append([f"{proxy}, {one['rate']:,} req/s, {key[:3]}",
                         *(f"{mode[key]['median']:,.0f}" for mode in one["modes"].values()),
                         _spread(one["added_by_weft"][key], "+,.0f"),
                         _spread(one["added_by_injection"][key], "+,.0f")])
    return _table(["latency of a proxy, us", "without weft", "with weft", "with injection",
                   "weft adds", "injection adds"], body)


def _singles(figures):
    units = {"bytes": (rows.MIB, "MiB")}
    body = []
    for row in rows.FIGURES:
        scale, unit = units.get(row.unit, (1, row.unit))
        target = "" if row.most is None else \
            f"<= {row.most / scale:,.0f} {unit}" if row.most else "0"
        body.append([row.what, row.told(figures), target, _met(figures, row.key)])
    return _table(["figure", "measured", "target", "met"], body)


def tables(figures):
    """What README.md shows, too."""
    return [_intro(figures), "", *_ratios(figures), "", *_latencies(figures), "",
            *_singles(figures)]


def _programs(figures):
    kernel = figures["kernel"]
    names = sorted({name for one in kernel.values() for name in one["programs"]})
    cells = []
    for name in names:
        found = [one["programs"].get(name) for one in kernel.values()]
        cells.append([name, *(f"{one['runs_per_request']:.2f} x {one['ns_per_run']:.0f}" if one
                              else "" for one in found)])
    cells.append(["all: ns a request", *(f"{one['ns_per_request']:,.0f}"
                                         for one in kernel.values())])
    cells.append(["headers, TCP options a request",
                  *(f"{one['context']['injected']:.3f}, {one['context']['option_sent']:.3f}"
                    for one in kernel.values())])
    return _table(["BPF program: runs a request x ns a run",
                   *(f"nginx, {name}" for name in kernel)], cells)


def _maps(figures):
    sizes = figures["kernel"]["static"]["map_bytes"]
    return _table(["BPF map", "bytes"], [[name, f"{size:,}"] for name, size in sorted(
        sizes.items(), key=lambda item: -item[1])])


def _memory(figures):
    sizes = figures["paced"]["memory_bytes"]
    keys = ("rss", "anonymous", "maps", "file")
    return _table(["resident, KiB, at 10,000 a second", *keys],
                  [[name, *(f"{one[key] // 1024:,}" for key in keys)]
                   for name, one in sizes.items()])


def _shares(figures):
    body = []
    for row in rows.RATIOS:
        pairs = figures["comparisons"][row.key]["pairs"]
        for side in (0, 1):
            runs = [pair[side]["cpu_us"] for pair in pairs]
            body.append([row.what, "AB"[side], *(
                f"{sum(run.get(who, 0) for run in runs) / len(runs):.2f}"
                for who in ("server", "load", "watcher", "pipeline"))])
    return _table(["mean CPU us a request, by who spends it", "run", "nginx", "wrk", "watcher",
                   "pipeline"], body)


def markdown(figures):
    return "\n".join([*tables(figures), "", *_shares(figures), "", *_programs(figures), "",
                      *_memory(figures), "", *_maps(figures)]) + "\n"


def into_readme(figures, path):
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        sys.exit(f"bench: {path} does not have the marks '{MARKS[0]}' and '{MARKS[1]}'")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("\n".join([before + begin, "", *tables(figures), "", end + after]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", default=REPORT, help="another report.json")
    parser.add_argument("--readme", action="store_true", help="write README.md's section on cost")
    options = parser.parse_args()
    try:
        with open(options.report, encoding="utf-8") as handle:
            figures = json.load(handle)
    except (OSError, ValueError) as error:
        sys.exit(f"bench: {options.report}: {error} (make bench writes it)")
    if options.readme:
        into_readme(figures, README)
    else:
        print(markdown(figures), end="")


if __name__ == "__main__":
    main()
