# SPDX-License-Identifier: Apache-2.0
"""
What weft is expected to put on the wire, in one place.

A mode says which requests of a traced client get a header:

    none    no request
    first   the first request of each connection
    every   every request

weft tells its mode as "propagation" in `weft doctor --json`, by names of its own (TOLD); the variable
WEFT_HEADERS overrides that. A weft that tells nothing inserts nothing.
"""

import json
import os

from weft import BINARY, BUILD, find_key

MODES = ("none", "first", "every")
TOLD = {"off": "none", "early_leave": "first", "full": "every"}
MUST, MAY, NEVER = "must", "may", "never"


def _told(t):
    told = find_key(json.loads(t.weft_command("doctor", "--json").stdout), "propagation")
    return TOLD[told["mode"]] if told else "none"


def _told_once(t):
    """weft loads all that it has to tell this, so it is asked once for each weft and kernel."""
    about = f"{os.stat(BINARY).st_mtime_ns} {os.uname().release}"
    path = os.path.join(BUILD, "e2e", "propagation")
    try:
        with open(path, encoding="utf-8") as handle:
            known, wanted = handle.read().rsplit(" ", 1)
            if known == about:
                return wanted
    except (FileNotFoundError, ValueError):
        pass
    wanted = _told(t)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(f"{about} {wanted}")
    return wanted


def mode(t):
    """The mode of this weft on this kernel."""
    wanted = os.environ.get("WEFT_HEADERS") or _told_once(t)
    if wanted not in MODES:
        raise RuntimeError(f"propagation: expected one of {', '.join(MODES)}, got {wanted!r}")
    return wanted


def allowed(mode_name, want, nth):
    """
    Whether a request gets a header. `want`: whether it would where every request can; `nth`: its
    place among the requests of its connection, from 1.
    """
    if mode_name == "none" or (mode_name == "first" and nth > 1 and want == MUST):
        return NEVER
    return want
