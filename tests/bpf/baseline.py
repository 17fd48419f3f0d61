# SPDX-License-Identifier: Apache-2.0
"""
What build/tests/bpf/verify tells of each BPF program, compared with baseline.tsv: a row for each program
of a kernel series, machine and compiler. Where there are no rows for those, only the limits count.
"""

import collections
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.tsv")
GROWTH = 1.10  # of processed instructions, before it is a failure
SMALL = 1000  # instructions that a program may gain at any rate
INSTRUCTIONS_MAX = 250_000  # a quarter of what a kernel takes; loading time grows with them
SKIPPED = {"absent": "this kernel lacks what they hook", "forbidden": "this kernel forbids them"}
STACK_MAX = 512  # MAX_BPF_STACK, of the deepest chain of calls

Place = collections.namedtuple("Place", "linux machine clang")  # "6.18", "x86_64", "14"
Program = collections.namedtuple("Program", "outcome instructions stack reason")


def here(clang):
    """The place that this kernel and a compiler's major version are."""
    system = os.uname()
    return Place(re.match(r"\d+\.\d+", system.release)[0], system.machine, str(clang))


def parse(text):
    """What `verify` printed: programs by name."""
    programs = {}
    for line in text.splitlines():
        name, outcome, *rest = line.split("\t")
        loaded = outcome == "loaded"
        programs[name] = Program(outcome, int(rest[0]) if loaded else None,
                                 int(rest[1]) if loaded else None, None if loaded else rest[0])
    return programs


def load():
    """Instructions and stack by place and name."""
    rows = collections.defaultdict(dict)
    with open(PATH, encoding="ascii") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            *place, name, instructions, stack = line.split()
            rows[Place(*place)][name] = (int(instructions), int(stack))
    return rows


def save(place, programs):
    """Puts what was loaded in the place of the rows that were there."""
    rows = load()
    rows[place] = {name: (p.instructions, p.stack) for name, p in programs.items()
                   if p.outcome == "loaded"}
    with open(PATH, encoding="ascii") as lines:
        head = [line for line in lines if line.startswith("#")]
    key = lambda place: ([int(part) for part in place.linux.split(".")], place.machine, int(place.clang))
    with open(PATH, "w", encoding="ascii") as out:
        out.writelines(head)
        for other in sorted(rows, key=key):
            for name, (instructions, stack) in rows[other].items():
                out.write("\t".join((*other, name, str(instructions), str(stack))) + "\n")


def problems(program, known):
    """What is wrong with a program that was loaded; `known` is its baseline or None."""
    if program.instructions > INSTRUCTIONS_MAX:
        yield f"the verifier processed {program.instructions} instructions, {INSTRUCTIONS_MAX} are the limit"
    if program.stack > STACK_MAX:
        yield (f"the deepest chain of calls has {program.stack} bytes of stack, kernels before Linux 6.8 "
               f"take {STACK_MAX}: give what is not on the way down a function of its own")
    if known and program.instructions > max(known[0] * GROWTH, known[0] + SMALL):
        yield (f"the verifier processed {program.instructions} instructions, {known[0]} before; if that must "
               "be: tests/bpf/run --update")


def judge_loaded(program, known):
    """Outcome and text for a program that was loaded."""
    if wrong := "; ".join(problems(program, known)):
        return "failed", wrong
    before = f"{known[0]} in the baseline" if known else "no baseline"
    stack = f"{program.stack} bytes of stack" if program.stack else "stack not known: the verifier left functions out"
    return "ok", f"{program.instructions} instructions, {before}; {stack}"


def judge(place, programs, told):
    """Calls told(outcome, text, name=) for each program: "ok", "failed" or "skipped"."""
    known = load().get(place, {})
    for name, program in programs.items():
        if program.outcome == "loaded":
            told(*judge_loaded(program, known.get(name)), name=name)
        elif program.outcome == "rejected":
            told("failed", program.reason, name=name)
    for outcome, why in SKIPPED.items():
        if names := [name for name, program in programs.items() if program.outcome == outcome]:
            told("skipped", ', '.join(names), name=why)
    if not known:
        told("skipped", f"there is none for {' '.join(place)}: tests/bpf/run --update", name="baseline")
    for name in sorted(set(known) - set(programs)):
        told("failed", "is in the baseline, and no such program is in the table of hooks", name=name)
