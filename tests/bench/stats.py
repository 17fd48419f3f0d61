# SPDX-License-Identifier: Apache-2.0
"""What many runs come to, and whether two reports differ by more than their noise. Plain numbers."""

import statistics

LEAST_NOISE = 0.02       # of a relative change: no row is known better than that
LEAST_DIFFERENCE = 10.0  # the same for rows that are differences, in their unit
WORSE, BETTER, SAME = "worse", "better", "same"

# How a row of a summary is compared with an earlier one.
RATIO = "ratio"            # relative; what the machine's speed cancels out of
TIME = "time"              # relative, after the machine's speed was taken out
SIZE = "size"              # relative; nothing but its own spread
DIFFERENCE = "difference"  # around zero: absolute
COUNT = "count"            # exact
KINDS = (RATIO, TIME, SIZE, DIFFERENCE, COUNT)


def spread(values):
    """Median and quartiles."""
    values = list(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") \
        if len(values) > 1 else values * 3
    return {"q1": low, "median": middle, "q3": high}


def cpu_us(run):
    """CPU time of all that takes part, for each request."""
    return sum(run["cpu_us"].values())


def tracer_us(run):
    """That of the tracer's processes alone."""
    return sum(spent for who, spent in run["cpu_us"].items() if who not in ("server", "load"))


def compared(pairs):
    """What pairs of runs come to. A ratio is that of a pair, so a slow drift cancels out."""
    return {"rate": [spread(pair[side]["rate"] for pair in pairs) for side in (0, 1)],
            "rate_ratio": spread(other["rate"] / base["rate"] for base, other in pairs),
            "cpu_us": [spread(cpu_us(pair[side]) for pair in pairs) for side in (0, 1)],
            "cpu_ratio": spread(cpu_us(other) / cpu_us(base) for base, other in pairs),
            "pairs": pairs}


def added(turns, mode, less):
    """What the one mode adds to the other one, turn by turn."""
    return {key: spread(turn[mode][key] - turn[less][key] for turn in turns)
            for key in ("p50_us", "p99_us")}


def in_turns(keys, i):
    """There and back again: ABBA."""
    return list(keys) if i % 2 == 0 else list(reversed(keys))


def width(row):
    """Distance of a summary row's quartiles, 0 without them."""
    return row.get("q3", 0) - row.get("q1", 0)


def noise(control):
    """What a control row, nothing against nothing, says of every ratio: how far it is from 1."""
    return abs(control["value"] - 1) + width(control)


def _relative_change(old, new, speed):
    """The change, and how much of it may be the rows' own spread."""
    expected = old["value"] * (speed if old["kind"] == TIME else 1)
    if not expected:
        return (0.0 if not new["value"] else float("inf")), 0.0
    own = sum(width(row) / abs(row["value"]) for row in (old, new) if row["value"])
    return new["value"] / expected - 1, own


def verdict(old, new, machine_noise, speed):
    """
    (WORSE, BETTER or SAME; the change; what it may be): two summary rows of one key. Relative, but
    for differences and counts. `machine_noise`: of the control rows. `speed`: time that this
    machine takes now for what took 1 in the old report.
    """
    if new["value"] is None or old["value"] is None:
        return (SAME if new["value"] == old["value"] else WORSE), None, 0
    if old["kind"] == COUNT:
        change, allowed = new["value"] - old["value"], 0
    elif old["kind"] == DIFFERENCE:
        change = new["value"] - old["value"]
        allowed = max(LEAST_DIFFERENCE, width(old) + width(new))
    else:
        change, own = _relative_change(old, new, speed)
        allowed = max(LEAST_NOISE, own + (0 if old["kind"] == SIZE else machine_noise))
    gain = change if old["better"] == "more" else -change
    return (WORSE if gain < -allowed else BETTER if gain > allowed else SAME), change, allowed
