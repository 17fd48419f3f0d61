#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/bench/stats.py: medians, ratios, noise, and what counts as a regression."""

import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, part) for part in ("lib", "bench")]

# pylint: disable=wrong-import-position
import python_unit
import stats
from stats import BETTER, COUNT, DIFFERENCE, RATIO, SAME, SIZE, TIME, WORSE


def run_of(rate, **cpu):
    return {"rate": rate, "cpu_us": cpu}


def row(value, kind=RATIO, better="less", around=0.0, n=1):
    """A summary row; its quartiles are so far `around` it."""
    return {"value": value, "q1": value - around, "q3": value + around, "n": n, "kind": kind,
            "better": better}


STEADY = (row(1), row(1))


def judged(old, new, controls=STEADY, speed=1.0):
    return stats.verdict(old, new, controls, speed)[0]


class Spread(unittest.TestCase):
    def test_one_value_is_all_of_it(self):
        self.assertEqual(stats.spread([7]), {"q1": 7, "median": 7, "q3": 7, "n": 1})

    def test_quartiles(self):
        self.assertEqual(stats.spread([5, 1, 4, 2, 3]), {"q1": 2, "median": 3, "q3": 4, "n": 5})

    def test_an_outlier_moves_nothing(self):
        self.assertEqual(stats.spread([1, 2, 3, 4, 1000])["median"], 3)

    def test_takes_an_iterator(self):
        self.assertEqual(stats.spread(iter([1, 3]))["median"], 2)


class Compared(unittest.TestCase):
    PAIRS = [[run_of(100, server=2, load=2), run_of(90, server=3, load=2, watcher=1, pipeline=2)],
             [run_of(50, server=4, load=4), run_of(45, server=6, load=6, watcher=2, pipeline=2)],
             [run_of(10, server=1, load=0), run_of(8, server=1, load=0.5)]]

    def test_ratio_is_that_of_each_pair(self):
        # of the medians it would be 45 / 50 too, but the rates drift by ten times
        self.assertAlmostEqual(stats.compared(self.PAIRS)["rate_ratio"]["median"], 0.9)
        self.assertAlmostEqual(stats.compared(self.PAIRS)["rate_ratio"]["q1"], 0.85)

    def test_cpu_is_of_all_that_take_part(self):
        found = stats.compared(self.PAIRS)
        self.assertEqual([one["median"] for one in found["cpu_us"]], [4, 8])
        self.assertEqual(found["cpu_ratio"]["median"], 2)

    def test_tracer_is_what_neither_serves_nor_asks(self):
        self.assertEqual([stats.tracer_us(other) for _, other in self.PAIRS], [3, 4, 0])
        self.assertEqual(stats.tracer_us(run_of(1, server=1, load=1, peer=5, peer1=2)), 7)

    def test_pairs_on_a_busy_machine_do_not_count(self):
        def busy(rate, others):
            return [{**run_of(rate * side, server=1, load=1), "taken": {"others": others, "stolen": 0}}
                    for side in (10, 9)]
        three = [busy(1, 0.0), busy(1, 0.05), busy(1, 0.02)]
        pairs = [*three, [busy(1, 0.0)[0], busy(0.1, 0.5)[1]]]
        found = stats.compared(pairs)
        self.assertEqual((found["n_counted"], len(found["pairs"])), (3, 4))
        self.assertAlmostEqual(found["rate_ratio"]["q1"], 0.9)
        self.assertEqual(stats.compared(pairs[1:])["n_counted"], 3)
        self.assertEqual(stats.compared(pairs[2:])["n_counted"], 2)

    def test_added_is_of_each_turn(self):
        turns = [{"with": {"p50_us": 15, "p99_us": 40}, "without": {"p50_us": 10, "p99_us": 50}},
                 {"with": {"p50_us": 107, "p99_us": 90}, "without": {"p50_us": 100, "p99_us": 90}}]
        found = stats.added(turns, "with", "without")
        self.assertEqual((found["p50_us"]["median"], found["p99_us"]["median"]), (6, -5))

    def test_turns_go_there_and_back(self):
        self.assertEqual([stats.in_turns("AB", i) for i in range(4)],
                         [["A", "B"], ["B", "A"], ["A", "B"], ["B", "A"]])


class Verdict(unittest.TestCase):
    def test_direction(self):
        self.assertEqual(judged(row(0.9, better="more"), row(0.8, better="more")), WORSE)
        self.assertEqual(judged(row(0.8, better="more"), row(0.9, better="more")), BETTER)
        self.assertEqual(judged(row(1.1), row(1.3)), WORSE)
        self.assertEqual(judged(row(1.3), row(1.1)), BETTER)

    def test_same_is_same(self):
        for kind in stats.KINDS:
            for value in (0, 1, 5.5):
                self.assertEqual(judged(row(value, kind), row(value, kind)), SAME, (kind, value))

    def test_the_control_s_distance_from_one_is_allowed(self):
        old, new = row(0.9, better="more"), row(0.81, better="more")
        self.assertEqual(judged(old, new, (row(1), row(1.11))), SAME)
        self.assertEqual(judged(old, new, (row(0.89), row(1))), SAME)
        self.assertEqual(judged(old, new, (row(1.09), row(1))), WORSE)

    def test_own_spread_is_allowed(self):
        self.assertEqual(judged(row(1.0, around=0.03), row(1.1, around=0.03)), SAME)
        self.assertEqual(judged(row(1.0), row(1.1)), WORSE)

    def test_more_runs_know_it_better(self):
        self.assertEqual(judged(row(1.0, around=0.03, n=3), row(1.1, around=0.03, n=3)), SAME)
        self.assertEqual(judged(row(1.0, around=0.03, n=12), row(1.1, around=0.03, n=12)), WORSE)

    def test_no_row_is_steadier_than_its_control(self):
        old, new = row(1.0, n=4), row(1.1, n=4)
        self.assertEqual(judged(old, new, (row(1, around=0.03), row(1, around=0.03))), SAME)
        self.assertEqual(judged(old, new, (row(1, around=0.01), row(1, around=0.01))), WORSE)

    def test_noise_alone_is_hardly_ever_a_regression(self):
        self.assertLess(self._share(1.0), 0.01)

    def test_what_is_far_beyond_it_nearly_always_is(self):
        self.assertGreater(self._share(0.75), 0.95)

    @staticmethod
    def _share(factor):
        """How many of many made-up comparisons of 7 pairs find a regression; always the same."""
        chance = random.Random(1)

        def measured(of):
            one = stats.spread(of * chance.lognormvariate(0, 0.05) for _ in range(7))
            return {**row(one["median"], better="more", n=7), "q1": one["q1"], "q3": one["q3"]}
        return sum(judged(measured(1), measured(factor), (measured(1), measured(1))) == WORSE
                   for _ in range(1000)) / 1000

    def test_hardly_anything_is_allowed_always(self):
        self.assertEqual(judged(row(1.0), row(1.0 + stats.LEAST_NOISE * 0.9)), SAME)
        self.assertEqual(judged(row(1.0), row(1.0 + stats.LEAST_NOISE * 1.1)), WORSE)

    def test_speed_of_the_machine_is_taken_out_of_times_alone(self):
        self.assertEqual(judged(row(10, TIME), row(15, TIME), speed=1.5), SAME)
        self.assertEqual(judged(row(10, TIME), row(10, TIME), speed=0.5), WORSE)
        self.assertEqual(judged(row(10, SIZE), row(15, SIZE), speed=1.5), WORSE)
        self.assertEqual(judged(row(1, RATIO), row(1.5, RATIO), speed=1.5), WORSE)

    def test_sizes_know_no_machine_noise(self):
        self.assertEqual(judged(row(100, SIZE), row(110, SIZE), (row(1.5), row(1.5))), WORSE)

    def test_differences_are_absolute(self):
        near, far = row(-1, DIFFERENCE), row(-1 + stats.LEAST_DIFFERENCE * 1.1, DIFFERENCE)
        self.assertEqual(judged(near, row(2, DIFFERENCE)), SAME)
        self.assertEqual(judged(near, far), WORSE)
        self.assertEqual(judged(far, near), BETTER)
        self.assertEqual(judged(row(0, DIFFERENCE, around=10), far), SAME)

    def test_counts_are_exact(self):
        self.assertEqual(judged(row(0, COUNT), row(1, COUNT), (row(9), row(9))), WORSE)
        self.assertEqual(judged(row(1, COUNT), row(0, COUNT), (row(9), row(9))), BETTER)

    def test_what_was_not_told_is_worse(self):
        self.assertEqual(judged(row(0, COUNT), {**row(0, COUNT), "value": None}), WORSE)

    def test_from_nothing_to_something(self):
        self.assertEqual(judged(row(0, TIME), row(3, TIME)), WORSE)

    def test_tells_change_and_allowance(self):
        _, change, allowed = stats.verdict(row(2.0, around=0.1, n=4), row(3.0, around=0.15, n=4),
                                           STEADY, 1)
        self.assertAlmostEqual(change, 0.5)
        self.assertAlmostEqual(allowed, 3.5 * 0.93 * 0.1 / 2 * 2 ** 0.5)


if __name__ == "__main__":
    sys.exit(python_unit.main())
