#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
What was found on which kernel, from the results of the last run of each, as a table:

  tests/vm/matrix.py            prints it
  tests/vm/matrix.py --readme   puts it into README.md, between its two marks
"""

import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
README = os.path.join(ROOT, "README.md")
MARKS = ("<!-- tests/vm/matrix.py --readme: begin -->", "<!-- tests/vm/matrix.py --readme: end -->")
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import kernels
import verifier

# The beginnings of hooks' names (user/attach/hooks.c), and what the table says instead.
SHORT = (("tracepoints by way of perf", "perf"), ("tracepoints, preempted", "tracepoint, lossy"),
         ("fexit, preempted", "fexit, lossy"), ("tracepoint", "tracepoint"), ("fexit", "fexit"),
         ("kprobes", "kprobe"), ("sock_ops, sockhash", "sk_msg"), ("sock_ops (", "TCP option"), ("uprobes, many", "uprobes"),
         ("uprobes, by way of perf", "uprobes, perf"))
MODES = {"full": "every", "early_leave": "first", "off": "none"}
TITLES = {"chain of threads": "HTTP chain: spans, parents", "headers": "headers as received",
          "unprivileged pipeline": "pipeline without privileges"}
RUNS = {"all": "all sections", "perf": "through perf", "fexit": "through fexit", "kprobes": "through kprobes",
        "preempted": "preempt=full", "tls": "HTTPS: spans, parents", "lockdown": "lockdown=integrity"}
ABOUT = """\
Each column is a kernel of Debian's packages, under QEMU. A surface's row names the hook that `weft doctor` chose;
the others count what passed there: a section drives traffic through real programs and compares spans, parents, and
what the server received, with what was sent. "first": the header goes into the first request of each connection,
since FIONREAD does not work for sockets in a sockhash there, as the self-test found. "Killed": how often a process
of weft was killed with SIGKILL under load, while every request was answered, byte for byte, and the kernel logged
nothing. "Lossy": spans were missing since program runs were, as weft counted: programs may be preempted there,
which is rare unless a run takes as long as under emulation. "Verifier": the instructions it went through for the
largest program."""


def _path(work, name):
    return os.path.join(work, "results", f"{name}.json")


def _load(work, name):
    try:
        with open(_path(work, name), encoding="utf-8") as handle:
            return json.load(handle)
    except FileNotFoundError:
        return None


def keep(work, name, results):
    os.makedirs(os.path.join(work, "results"), exist_ok=True)
    with open(_path(work, name), "w", encoding="utf-8") as out:
        json.dump(results, out)


def keep_kills(work, name, results, binary):
    """Adds to what other runs of the same weft gave."""
    with open(binary, "rb") as handle:
        about = {"kind": "weft", "hash": hashlib.sha256(handle.read()).hexdigest()}
    before = _load(work, f"{name}.kills") or []
    keep(work, f"{name}.kills", (before if about in before else [about]) + results)


def _of(results, kind, **wanted):
    return [r for r in results if r["kind"] == kind and all(r.get(k) == v for k, v in wanted.items())]


def _title(name, results):
    """6.12.113, where the kernel's own name of its release may be another."""
    about = _of(results, "kernel")
    found = about and (re.search(r"Debian ([\d.]+)", about[0]["version"]) or
                       re.match(r"([\d.]+)", about[0]["release"]))
    arm = " arm64" if name.startswith("arm64") else ""
    return (found[1] if found else name) + arm


def _hook(told):
    if not told["hook"]:
        return "off"
    return next((short for begin, short in SHORT if told["hook"].startswith(begin)), told["hook"])


def _outcome(sections):
    """ok, or how many of them are not."""
    tried = [s for s in sections if s["status"] != "skipped"]
    bad = sum(s["status"] == "FAILED" for s in tried)
    lossy = sum(s["status"] == "lossy" for s in tried)
    if not tried:
        return "-"
    return f"{bad} of {len(tried)} FAILED" if bad else f"lossy: {lossy} of {len(tried)}" if lossy else "ok"


def _kills(results, more):
    """Of the last long run, else of the short one."""
    sections = [s for s in _of(more or results, "section") if s["name"].startswith("killed")]
    times = sum(int(m[1]) for s in sections
                for m in re.finditer(r"killed (\d+) times", " ".join(s["text"])))
    outcome = _outcome(sections)
    return f"{times} times" if outcome == "ok" else outcome


def _column(work, name, results):
    """{row: cell}"""
    cells = {}
    doctor = _of(results, "doctor")
    for told in doctor[0]["hooks"] if doctor else []:
        cells[told["surface"]] = _hook(told)
    if doctor:
        propagation = doctor[0]["propagation"]
        cells["header in requests"] = MODES[propagation["mode"]]
        cells["TCP option"] = "on" if propagation["tcp_option"] else "off"
    for section, title in TITLES.items():
        cells[title] = _outcome(_of(results, "section", name=section, run="all"))
    for run, title in RUNS.items():
        sections = _of(results, "section", run=run)
        if run == "tls":  # by itself: that the kernel had nothing to say is not what is asked
            sections = [s for s in sections if s["name"] == "inside TLS"]
            if sections and sections[0]["status"] == "skipped":
                sections = [{**sections[0], "status": "lossy"}]
        cells[title] = _outcome(sections)
        if run == "all" and cells[title] == "ok":
            cells[title] = str(len(sections))
    cells["killed"] = _kills(results, _load(work, f"{name}.kills"))
    most = verifier.most(results)
    cells["verifier"] = f"{most:,}" if most else "-"
    return cells


def table(work):
    columns = {}
    for kernel in kernels.KERNELS:
        results = _load(work, kernel.name)
        if results:
            columns[_title(kernel.name, results)] = _column(work, kernel.name, results)
    rows = dict.fromkeys(row for cells in columns.values() for row, cell in cells.items() if cell != "-")
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | {' | '.join(c.get(row, '-') for c in columns.values())} |" for row in rows]
    return lines if columns else []


def write(work):
    """The table's text; a copy lies in the directory."""
    text = "\n".join(table(work))
    with open(os.path.join(work, "matrix.md"), "w", encoding="utf-8") as out:
        out.write(f"{text}\n\n{ABOUT}\n")
    return text


def into_readme(lines, path):
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not lines or not begin or not end:
        sys.exit(f"matrix: no results, or {path} does not have the marks '{MARKS[0]}' and '{MARKS[1]}'")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("\n".join([before + begin, "", *lines, "", ABOUT, "", end + after]))


def main():
    work = os.path.join(ROOT, os.environ.get("BUILD", "build"), "vm")
    lines = table(work)
    if sys.argv[1:] == ["--readme"]:
        into_readme(lines, README)
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
