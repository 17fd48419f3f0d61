# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the tree's files, C text without comments, and TAP rows."""
import functools
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOWN_MAX = 25  # findings of one rule
SKIPPED = {".git", "build", "vmlinux", "__pycache__", "node_modules"}


@functools.lru_cache(maxsize=None)
def files():
    """Every file of the repository, as paths relative to its root; no build products."""
    found = []
    for directory, names, entries in os.walk(ROOT):
        here = pathlib.Path(directory).relative_to(ROOT)
        names[:] = sorted(n for n in names if n not in SKIPPED and str(here / n) != "shared")
        # .git is a file in a linked worktree
        found += [here / entry for entry in sorted(entries)
                  if not entry.endswith("~") and entry not in SKIPPED]
    return found


def under(*places, suffixes=(".c", ".h")):
    """Files below one of the places with one of the endings."""
    return [f for f in files()
            if f.suffix in suffixes and any(f.is_relative_to(place) for place in places)]


@functools.lru_cache(maxsize=None)
def text(path):
    return (ROOT / path).read_text(errors="replace")


_TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def _blank(match):
    token = match[0]
    lines = "\n" * token.count("\n")
    return token[0] + token[0] if token[0] in "\"'" else " " + lines


@functools.lru_cache(maxsize=None)
def code(path):
    """C text with comments and the contents of strings taken out; line numbers stay."""
    return _TOKENS.sub(_blank, text(path))


def line_of(source, position):
    return source.count("\n", 0, position) + 1


class Rows:
    """TAP: one row for each rule; a rule that is broken lists where and says what to do."""

    def __init__(self):
        self.n = 0
        self.broken = 0

    def row(self, rule, findings, advice):
        self.n += 1
        findings = list(findings)
        print(f"{'not ok' if findings else 'ok'} {self.n} - {rule}")
        for finding in findings[:SHOWN_MAX]:
            print(f"# {finding}")
        if len(findings) > SHOWN_MAX:
            print(f"# ... and {len(findings) - SHOWN_MAX} more")
        if findings:
            self.broken += 1
            print(f"# what to do: {advice}")

    def skip(self, rule, reason):
        self.n += 1
        print(f"ok {self.n} - {rule} # SKIP {reason}")

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.broken else 0)
