# SPDX-License-Identifier: Apache-2.0
"""The figures as a Markdown table, with the machine that they come from."""

import os
import platform
import subprocess

MIB = 1024 * 1024


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
    return {"cpu": _first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_mib": round(memory), "kernel": platform.release(),
            "arch": platform.machine(), "system": system,
            "virtual": "hypervisor" in _first("/proc/cpuinfo", "flags"),
            "nginx": _version("nginx", "-v"), "wrk": _version("wrk", "-v")}


def _mark(good):
    return "yes" if good else "**no**"


def _ratio(figures, least):
    return (f"{figures['off_median']:,.0f} -> {figures['on_median']:,.0f} req/s, "
            f"ratio {figures['ratio']:.3f}", f">= {least:.2f}", _mark(figures["ratio"] >= least))


def _losses(counters, what):
    if not counters:
        return f"{what}: weft told no counters", False
    agree = counters["captured"] == counters["exported"] + counters["dropped"]
    return (f"captured {counters['captured']:,} = exported {counters['exported']:,} + dropped "
            f"{counters['dropped']:,}", agree)


def rows(figures):
    """(what, measured, target, met) of each row of the table."""
    kernel, paced, full = figures["kernel"], figures["paced"], figures["saturated"]
    rss = sum(one["VmRSS"] for one in paced["memory_kib"].values()) / 1024
    cpu = paced["watcher_us"] + paced["pipeline_us"]
    memory = paced["memory_kib"].values()
    own = sum(one["RssAnon"] for one in memory) / 1024
    told, agree = _losses(full["counters"], "saturated")
    lost, rate = paced.get("lost"), paced["pace"]["rate"]
    yield ("(a) nginx static under wrk, nginx selected", *_ratio(figures["selected"], 0.90))
    yield ("(a) the same, whole host traced", _ratio(figures["both_ends"], 0)[0], "", "")
    yield ("(b) nginx static under wrk, another process selected",
           *_ratio(figures["not_selected"], 0.98))
    yield ("the same without weft both times: noise", _ratio(figures["noise"], 0)[0], "", "")
    yield ("(c) kernel time for each program run", f"{kernel['ns_per_run']:.0f} ns, "
           f"{kernel['runs_per_request']:.1f} runs a request", "<= 1,000 ns",
           _mark(kernel["ns_per_run"] <= 1000))
    yield (f"(c) daemon CPU for each request at {rate:,.0f} req/s", f"{cpu:.2f} us",
           "<= 3 us", _mark(cpu <= 3))
    yield ("(d) RSS of both processes then", f"{rss:.1f} MiB, {own:.1f} MiB of it anonymous",
           "<= 20 MiB", _mark(rss <= 20))
    yield ("(d) BPF maps", f"{kernel['map_bytes'] / MIB:.1f} MiB", "<= 32 MiB",
           _mark(kernel["map_bytes"] <= 32 * MIB))
    yield ("(e) start to ready", f"{figures['start']['median_ms']:.0f} ms", "<= 300 ms",
           _mark(figures["start"]["median_ms"] <= 300))
    yield (f"spans lost at {rate:,.0f} req/s ({paced['pace']['done']:,} requests)",
           "not told" if lost is None else f"{lost:,}", "0", _mark(lost == 0))
    yield (f"losses at saturation ({full['rate']:,.0f} req/s)", told, "all counted", _mark(agree))
    yield ("size of the binary", f"{figures['binary_bytes'] / MIB:.1f} MiB", "", "")


def markdown(figures):
    host = figures["machine"]
    virtual = "virtual machine, " if host["virtual"] else ""
    lines = [f"{host['cpu']}, {host['cores']} cores, {host['memory_mib']:,} MiB, {virtual}"
             f"{host['arch']}, Linux {host['kernel']}, {host['system']}; {host['nginx']}; "
             f"{host['wrk']}. nginx (one worker), load generator and weft share the cores; medians "
             f"of {len(figures['selected']['on'])} pairs in turns; spans go to file:/dev/null.", "",
             "| figure | measured | target | met |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(figures)]
    lines += ["", "Kernel programs while (c) was measured:", "",
              "| program | runs a request | ns a run |", "|---|---|---|"]
    count = figures["kernel"]["requests"]
    for name, (runs, spent) in sorted(figures["kernel"]["programs"].items()):
        lines.append(f"| {name} | {runs / count:.2f} | {spent / runs:.0f} |")
    return "\n".join(lines) + "\n"
