#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The figures of make bench as Markdown and SVG, with the machine that they come from.

  tests/bench/report.py            prints build/bench/report.json as tables
  tests/bench/report.py --readme   puts those of the quick form into README.md, between its two marks
"""

import argparse
import json
import os
import sys
import textwrap

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

# pylint: disable=wrong-import-position
import chart
import machine
import rows
from stats import BUSY_SHARE, COUNT, SIZE, spread

ROOT = os.path.dirname(os.path.dirname(HERE))
DIRECTORY = os.path.join(ROOT, os.environ.get("BUILD", "build"), "bench")
REPORT = os.path.join(DIRECTORY, "report.json")
COLUMNS = 118
README = os.path.join(ROOT, "README.md")
MARKS = ("<!-- tests/bench/report.py --readme: begin -->",
         "<!-- tests/bench/report.py --readme: end -->")
MODES = {"full": "in every request", "early_leave": "in the first request of each connection",
         "off": "in none"}
CURVES = (("ratio of throughput", "rate_ratio", 1), ("weft's CPU, us a request", "tracer_us", 1),
          ("weft's resident memory, MiB", "rss", rows.MIB))


def _table(head, body):
    if not body:
        return []
    lines = [head, ["---"] * len(head), *body]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)]


def _spread(one, form, scale=1):
    return "{} ({} to {})".format(*(f"{one[key] / scale:{form}}"
                                    for key in ("median", "q1", "q3")))


def _change(pair, form):
    return " -> ".join(f"{one['median']:{form}}" for one in pair)


def _met(figures, key):
    one = next(one for one in figures["summary"] if one["key"] == key)
    return {None: "", True: "yes", False: "**no**"}[one["met"]] + \
        (", in doubt" if one["in_doubt"] else "")


def _rows(figures, step, everything):
    """(row, what was measured of it) of the step."""
    for row in rows.STEPS[step]:
        if row.key in figures.get(step, {}) and (everything or row.quick):
            yield row, figures[step][row.key]


def _busy(taken):
    """What others took of the processors meanwhile."""
    others, stolen = (spread(one[who] for one in taken)["median"] for who in ("others", "stolen"))
    warning = " **Ratios taken on so busy a machine tell little.**" \
        if others + stolen > BUSY_SHARE else ""
    return (f" Of the processors' time, other programs took {others:.0%} during a run (median), "
            f"other machines {stolen:.0%}.{warning}")


def _intro(figures):
    options, out = figures["options"], figures.get("propagation", {})
    taken = [run["taken"] for one in figures.get("comparisons", {}).values()
             for pair in one["pairs"] for run in pair if "taken" in run]
    busy = _busy(taken) if taken else ""
    text = (f"{machine.words(figures['machine'])}. Servers, load and weft share the cores; spans go "
            f"to file:/dev/null. {options['rounds']} pairs of runs of {options['seconds']:g} s for "
            "each ratio, in ABBA order: medians of the pairs' ratios, and quartiles. Injection "
            f"here: a header {MODES.get(out.get('mode'), 'in none')}, TCP option "
            f"{'on' if out.get('tcp_option') else 'off'}. What each row means: "
            f"`tests/bench/run --help`.{busy}")
    lines = textwrap.fill(text, COLUMNS, break_on_hyphens=False).splitlines()
    if figures.get("left_out"):
        lines += ["", "Could not be measured:", "",
                  *(f"- {' '.join(one.split())}" for one in figures["left_out"])]
    return lines


def _followed(one):
    return f"{one['followed']['median']:.0%}" if one.get("followed") else ""


def _ratios(figures, everything):
    body = [[row.what, _change(one["rate"], ",.0f"), _spread(one["rate_ratio"], ".3f"),
             _change(one["cpu_us"], ".1f"), _spread(one["cpu_ratio"], ".3f"),
             _followed(one), f"{one['n_counted']} of {len(one['pairs'])}",
             "" if row.least is None else f">= {row.least:.2f}", _met(figures, row.key)]
            for row, one in _rows(figures, "comparisons", everything)]
    return _table(["without and with weft", "req/s", "ratio of throughput", "CPU us a request",
                   "ratio of CPU", "followed", "pairs counted", "target", "met"], body)


def _latencies(figures):
    body = []
    for proxy, one in figures.get("latency", {}).items():
        for key in ("p50_us", "p99_us"):
            body.append([f"{proxy}, {one['rate']:,} req/s, {key[:3]}",
                         *(f"{mode[key]['median']:,.0f}" for mode in one["modes"].values()),
                         _spread(one["added_by_weft"][key], "+,.0f"),
                         _spread(one["added_by_injection"][key], "+,.0f")])
    return _table(["latency of a proxy, us", "without weft", "with weft", "with injection",
                   "weft adds", "injection adds"], body)


def _told(row, value, figures):
    if row.told:
        return row.told(figures)
    scale, unit = (rows.MIB, "MiB") if row.unit == "bytes" else (1, row.unit)
    if isinstance(value, dict):
        form = ",.0f" if value["median"] >= 100 * scale else ".2f"
        return f"{_spread(value, form, scale)} {unit}"
    return f"{value / scale:,.1f} {unit}" if row.kind == SIZE else f"{value:,} {unit}"


def _target(row):
    if row.most is None:
        return ""
    if row.kind == COUNT:
        return f"{row.most}"
    return f"<= {row.most // rows.MIB} MiB" if row.unit == "bytes" else \
        f"<= {row.most:,} {row.unit}"


def _figures(figures, everything):
    body = [[row.what, _told(row, value, figures), _target(row), _met(figures, row.key)]
            for row, value in rows.figures_of(figures) if everything or row.quick]
    return _table(["figure", "measured", "target", "met"], body)


def tables(figures, everything=False):
    """What README.md shows, too."""
    return [*_intro(figures), *_ratios(figures, everything), *_latencies(figures),
            *_figures(figures, everything)]


def _curves(figures):
    lines = []
    for axis, points in _rows(figures, "curve", True):
        lines += _table(
            [axis.unit, "req/s", "ratio of throughput", "ratio of CPU", "p99 us",
             "weft's CPU us a request", "resident MiB", "maps MiB"],
            [[f"{int(point):,}", _change(one["rate"], ",.0f"), _spread(one["rate_ratio"], ".3f"),
              _spread(one["cpu_ratio"], ".3f"), _change(one["p99_us"], ",.0f"),
              _spread(one["tracer_us"], ".2f"), f"{one['rss']['median'] / rows.MIB:.1f}",
              f"{one['map_bytes']['median'] / rows.MIB:.1f}"] for point, one in points.items()])
    return lines + ["", "![cost as load grows](report.svg)"] if lines else []


def svg(figures):
    """The curves; None without them."""
    plots = [chart.Plot(title, axis.unit,
                        [(int(point), {name: value / scale for name, value in one[key].items()})
                         for point, one in points.items()])
             for axis, points in _rows(figures, "curve", True) for title, key, scale in CURVES]
    return chart.svg(plots, len(CURVES)) if plots else None


def _hosts(figures):
    body = [[row.what, *(_spread(one[key], ",.0f") if key in one else ""
                         for key in ("ready_ms", "first_ms", "exit_ms"))]
            for row, one in _rows(figures, "hosts", True)]
    return _table(["weft starts and ends, ms", "start to ready", "to the first span", "exit"], body)


def _loads(figures):
    body = []
    for row, one in _rows(figures, "loads", True):
        lost = "" if row.rate is None else rows.told_lost(one)
        body.append([row.what, f"{one['rate']['median']:,.0f}" if one["done"] else "",
                     _spread(one["tracer_us"], ".2f") if one["done"] else "",
                     _spread(one["woken"], ",.0f"), f"{one['rss']['median'] / rows.MIB:.1f}", lost])
    return _table(["nginx traced", "req/s", "weft's CPU us a request", "wake-ups a second",
                   "resident MiB", "spans lost"], body)


def _programs(figures):
    found = list(_rows(figures, "kernel", True))
    names = sorted({name for _, one in found for name in one["programs"]})
    cells = []
    for name in names:
        costs = [one["programs"].get(name) for _, one in found]
        cells.append([name, *(f"{one['runs_per_request']:.2f} x {one['ns_per_run']:.0f}" if one
                              else "" for one in costs)])
    if found:
        cells.append(["all: ns a request", *(_spread(one["ns_per_request"], ",.0f")
                                             for _, one in found)])
        cells.append(["headers, TCP options a request",
                      *("{injected:.3f}, {option_sent:.3f}".format(**one["context"])
                        for _, one in found)])
    return _table(["BPF program: runs a request x ns a run", *(row.what for row, _ in found)],
                  cells)


def _maps(figures):
    found = [one["map_bytes"] for _, one in _rows(figures, "kernel", True)][:1]
    return _table(["BPF map", "bytes"], [[name, f"{size:,}"] for sizes in found for name, size in
                                         sorted(sizes.items(), key=lambda item: -item[1])])


def _memory(figures):
    keys = ("rss", "anonymous", "maps", "file")
    sizes = figures.get("loads", {}).get("paced_10k", {}).get("memory_bytes", {})
    return _table(["resident, KiB, at 10,000 a second", *keys],
                  [[name, *(f"{one[key] // 1024:,}" for key in keys)]
                   for name, one in sizes.items()])


def _shares(figures):
    found = list(_rows(figures, "comparisons", True))
    others = sorted({who for _, one in found for pair in one["pairs"] for run in pair
                     for who in run["cpu_us"]} - {"server", "load"})
    body = []
    for row, one in found:
        for side in (0, 1):
            runs = [pair[side]["cpu_us"] for pair in one["pairs"]]
            body.append([row.what, "AB"[side], *(
                f"{sum(run.get(who, 0) for run in runs) / len(runs):.2f}"
                for who in ("server", "load", *others))])
    return _table(["mean CPU us a request, by who spends it", "run", "server", "load", *others],
                  body)


def _peer(figures):
    names = (("throughput with / without", lambda one: _spread(one["ratio"], ".3f")),
             ("CPU of its processes, us a request",
              lambda one: _spread(one["paced"]["tracer_us"], ".2f")),
             ("BPF programs run a request", lambda one: f"{one['programs']['runs_per_request']:.1f}"),
             ("ns in them a request",
              lambda one: _spread(one["programs"]["ns_per_request"], ",.0f")),
             ("start until all is loaded, ms", lambda one: f"{one['paced']['ready_ms']:,.0f}"),
             ("exit, ms", lambda one: f"{one['paced']['exit_ms']:,.0f}"),
             ("resident MiB", lambda one: f"{one['paced']['rss']['median'] / rows.MIB:.1f}"),
             ("maps MiB", lambda one: f"{one['paced']['map_bytes'] / rows.MIB:.1f}"))
    pairs = figures.get("comparisons", {})
    if "peer" not in figures or not {"peer", "selected"} <= set(pairs):
        return []
    both = [{**figures["peer"][name], "ratio": pairs[key]["rate_ratio"]}
            for name, key in (("weft", "selected"), ("peer", "peer"))]
    return _table(["nginx traced", "weft", figures["peer"]["name"]],
                  [[name, *(cell(one) for one in both)] for name, cell in names])


def markdown(figures):
    parts = [tables(figures, True)] + [part(figures) for part in (
        _hosts, _loads, _curves, _peer, _shares, _programs, _memory, _maps)]
    return "\n".join(line for part in parts for line in part) + "\n"


def into_readme(figures, path):
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        sys.exit(f"bench: {path} does not have the marks '{MARKS[0]}' and '{MARKS[1]}'")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("\n".join([before + begin, "", *tables(figures), "", end + after]))


def read(path, writer="make bench writes it"):
    """A stored report."""
    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle)
    except (OSError, ValueError) as error:
        sys.exit(f"bench: {path}: {error} ({writer})")


def joined(old, new):
    """Old figures, with the new ones in the place of those of the same rows."""
    both = {**old, **new}
    for step in set(rows.STEPS) & set(old) & set(new):
        both[step] = {**old[step], **new[step]}
    return both


def _write(kind, text):
    os.makedirs(DIRECTORY, exist_ok=True)
    with open(os.path.join(DIRECTORY, f"report.{kind}"), "w", encoding="utf-8") as handle:
        handle.write(text)


def keep(figures):
    """report.json alone: what was measured is there, whatever comes of it."""
    _write("json", json.dumps(figures, indent=1))


def store(figures):
    """report.json, report.md and report.svg in build/bench; returns the Markdown."""
    keep(figures)
    texts = {"md": markdown(figures), "svg": svg(figures)}
    for kind, text in texts.items():
        if text is not None:
            _write(kind, text)
    return texts["md"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", default=REPORT, help="another report.json")
    parser.add_argument("--readme", action="store_true", help="write README.md's section on cost")
    options = parser.parse_args()
    figures = read(options.report)
    if options.readme:
        into_readme(figures, README)
    else:
        print(markdown(figures), end="")


if __name__ == "__main__":
    main()
