# SPDX-License-Identifier: Apache-2.0
"""
What weft is expected to put on the wire, in one place.

A mode says which requests of a traced client get a header:

    none    no request
    first   the first request of each connection
    every   every request

weft tells its mode as "propagation" in `weft doctor --json`, one of these words or an object in
which "headers" is one of them. The variable WEFT_HEADERS overrides that. A weft that tells nothing
inserts nothing.
"""

import json
import os

from weft import find_key

MODES = ("none", "first", "every")
# Whether weft leaves processes alone that export spans of their own, so that none is doubled.
SPARES_SDK = False
MUST, MAY, NEVER = "must", "may", "never"


def _told(t):
    told = find_key(json.loads(t.weft_command("doctor", "--json").stdout), "propagation")
    return told.get("headers") if isinstance(told, dict) else told


def mode(t):
    """The mode of this weft on this kernel, asked for once in a case."""
    if not hasattr(t, "propagation_mode"):
        wanted = os.environ.get("WEFT_HEADERS") or _told(t) or "none"
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
