# SPDX-License-Identifier: Apache-2.0
"""
What weft is expected to put on the wire, in one place.

A mode says which requests of a traced client get a header:

    none    no request
    first   the first request of each connection
    every   every request

weft tells its mode as "propagation" in `weft doctor --json`; the variable WEFT_HEADERS overrides
that. A weft without the option --inject inserts nothing.
"""

import json
import os

from weft import find_key

MODES = ("none", "first", "every")
# Whether weft leaves processes alone that export spans of their own, so that none is doubled.
SPARES_SDK = True
MUST, MAY, NEVER = "must", "may", "never"


def run_options(t):
    """Words for `weft run` that switch propagation on, if this weft has them."""
    return ["--inject", "auto"] if _has(t, "--inject") else []


def place_options(t, name, namespace):
    """Words for a `weft run` that is not the only one here: a name, and the namespace's path."""
    if not _has(t, "--netns"):
        return []
    return ["--instance", name, "--netns", namespace]


def _has(t, option):
    return option in t.weft_command("run", "--help").stdout


def _told(t):
    """What weft says; a weft that has the option and says nothing is an error of the caller's."""
    if not run_options(t):
        return "none"
    told = find_key(json.loads(t.weft_command("doctor", "--json").stdout), "propagation")
    return told.get("headers") if isinstance(told, dict) else told


def mode(t):
    """The mode of this weft on this kernel, asked for once in a case."""
    if not hasattr(t, "propagation_mode"):
        wanted = os.environ.get("WEFT_HEADERS") or _told(t)
        if wanted not in MODES:
            raise RuntimeError(f"propagation: expected one of {', '.join(MODES)}, got {wanted!r}")
        t.propagation_mode = wanted
    return t.propagation_mode


def allowed(mode_name, want, nth):
    """
    Whether a request gets a header. `want`: whether it would where every request can; `nth`: its
    place among the requests of its connection, from 1.
    """
    if mode_name == "none" or (mode_name == "first" and nth > 1 and want == MUST):
        return NEVER
    return want
