# SPDX-License-Identifier: Apache-2.0
"""What each kernel's verifier said of each BPF program, judged as tests/bpf does for the kernel at hand."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "bpf"))

import baseline  # pylint: disable=wrong-import-position


def _place(results, build):
    """The kernel, the machine, and the compiler that made the programs."""
    about = next(r for r in results if r["kind"] == "kernel")
    with open(os.path.join(build, "bpf", "maps.bpf.o"), "rb") as built:
        clang = re.search(rb"clang version (\d+)", built.read())[1].decode()
    return baseline.Place(re.match(r"\d+\.\d+", about["release"])[0], about["machine"], clang)


def programs(results):
    """Of the machine's results: each program of the table of hooks, {} if it was not told."""
    told = next((r for r in results if r["kind"] == "verified"), None)
    return baseline.parse(told["values"]) if told else {}


def most(results):
    """The largest count of instructions, None if there is none."""
    return max((p.instructions for p in programs(results).values() if p.instructions), default=None)


def judge(counts, name, results, build, update):
    found = programs(results)
    if not found:
        counts.fail(f"{name}: the verifier told nothing")
        return

    def told(outcome, text, name):
        program = name
        if outcome == "failed":
            counts.fail(f"{where}: {program}: {text}")
        elif outcome == "skipped":
            counts.skip(f"{where}: {program}: {text}")
        else:
            counts.passed += 1
            print(f"  {where}  {program:<18} {text}")

    where, place = name, _place(results, build)
    if update:
        baseline.save(place, found)
    baseline.judge(place, found, told)
