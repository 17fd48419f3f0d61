# SPDX-License-Identifier: Apache-2.0
"""What many runs come to, and whether two reports differ by more than their noise. Plain numbers."""

import math
import statistics

BUSY_SHARE = 0.1         # of the processors, that others may take during a run
LEAST_CALM = 3           # pairs without such runs, or all pairs count
ERRORS = 3.5             # standard errors of the difference of two medians that may be chance
ERROR_OF_MEDIAN = 0.93   # of the distance of quartiles of normal values, over the root of how many
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
    """Median and quartiles of n values."""
    values = list(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") \
        if len(values) > 1 else values * 3
    return {"q1": low, "median": middle, "q3": high, "n": len(values)}


def cpu_us(run):
    """CPU time of all that takes part, for each request."""
    return sum(run["cpu_us"].values())


def tracer_us(run):
    """That of the tracer's processes alone."""
    return sum(spent for who, spent in run["cpu_us"].items() if who not in ("server", "load"))


def taken(run):
    """What others took of the processors during a run, this machine's programs and other ones."""
    return sum(run.get("taken", {}).values())


def calm(pairs):
    """
    The pairs during which others took little, which says nothing of what was measured; all of them
    if those are too few.
    """
    found = [pair for pair in pairs if max(map(taken, pair)) <= BUSY_SHARE]
    return found if len(found) >= LEAST_CALM else pairs


def _followed(pairs):
    """Share of requests that weft followed, None: not told."""
    shares = [other["followed"] for _, other in pairs if "followed" in other]
    return spread(shares) if shares else None


def compared(pairs):
    """What pairs of runs come to. A ratio is that of a pair, so a slow drift cancels out."""
    all_pairs, pairs = pairs, calm(pairs)
    return {"rate": [spread(pair[side]["rate"] for pair in pairs) for side in (0, 1)],
            "rate_ratio": spread(other["rate"] / base["rate"] for base, other in pairs),
            "cpu_us": [spread(cpu_us(pair[side]) for pair in pairs) for side in (0, 1)],
            "cpu_ratio": spread(cpu_us(other) / cpu_us(base) for base, other in pairs),
            "followed": _followed(pairs),
            "pairs": all_pairs, "n_counted": len(pairs)}


def added(turns, mode, less):
    """What the one mode adds to the other one, turn by turn."""
    return {key: spread(turn[mode][key] - turn[less][key] for turn in turns)
            for key in ("p50_us", "p99_us")}


def in_turns(keys, i):
    """There and back again: ABBA."""
    return list(keys) if i % 2 == 0 else list(reversed(keys))


def _width(row):
    """Distance of a summary row's quartiles, 0 without them."""
    return row.get("q3", 0) - row.get("q1", 0)


def _relative_width(row):
    return _width(row) / abs(row["value"]) if row["value"] else 0.0


def _error(width, row):
    """Standard error of the median of as many as the row has, whose quartiles are so far apart."""
    return ERROR_OF_MEDIAN * width / math.sqrt(row.get("n", 1))


def _relative(old, new, controls, speed):
    """The relative change, and how much of it may be noise."""
    expected = old["value"] * (speed if old["kind"] == TIME else 1)
    if not expected:
        return (0.0 if not new["value"] else math.inf), 0.0
    if old["kind"] == SIZE:
        controls = ({"value": 1}, {"value": 1})
    errors = [_error(max(_relative_width(row), _relative_width(control)), row)
              for row, control in zip((old, new), controls)]
    offset = max(abs(control["value"] - 1) for control in controls)
    return new["value"] / expected - 1, max(LEAST_NOISE, offset, ERRORS * math.hypot(*errors))


def verdict(old, new, controls, speed):
    """
    (WORSE, BETTER or SAME; the change; what noise may make of it): two summary rows of one key.
    Relative, but for differences and counts. `controls`: the rows of nothing against nothing, of
    the old report and of the new one; no row is taken for steadier than its control. `speed`: time
    that this machine takes now for what took 1 in the old report.
    """
    if new["value"] is None or old["value"] is None:
        return (SAME if new["value"] == old["value"] else WORSE), None, 0
    change, allowed = new["value"] - old["value"], 0
    if old["kind"] == DIFFERENCE:
        allowed = max(LEAST_DIFFERENCE,
                      ERRORS * math.hypot(*(_error(_width(row), row) for row in (old, new))))
    elif old["kind"] != COUNT:
        change, allowed = _relative(old, new, controls, speed)
    gain = change if old["better"] == "more" else -change
    return (WORSE if gain < -allowed else BETTER if gain > allowed else SAME), change, allowed
