#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/bench: the table of rows, what is drawn from figures, and the report with rows left out."""

import os
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, part) for part in ("lib", "bench")]

# pylint: disable=wrong-import-position
import chart
import python_unit
import report
import rows
import stats
from load import WORKLOADS


def pair(factor):
    """A run without and one with weft, which takes `factor` of the throughput."""
    base = {"rate": 1000.0, "p99_us": 50.0, "cpu_us": {"server": 10.0, "load": 10.0}}
    other = {"rate": 1000.0 * factor, "p99_us": 60.0, "rss": 1 << 20, "map_bytes": 1 << 21,
             "cpu_us": {"server": 12.0, "load": 10.0, "watcher": 1.0, "pipeline": 3.0}}
    return [base, other]


def point(factor):
    pairs = [pair(factor)]
    return {**stats.compared(pairs), "tracer_us": stats.spread([4.0]),
            "p99_us": [stats.spread([50.0]), stats.spread([60.0])],
            "rss": stats.spread([1 << 20]), "map_bytes": stats.spread([1 << 21])}


def figures_of(**steps):
    versions = dict.fromkeys(("nginx", "wrk"), "some 1.0")
    machine = {"cpu": "c", "cpus": 2, "memory_mib": 1024, "kernel": "6.1", "arch": "a",
               "system": "s", "virtual": False, "versions": versions}
    figures = {"machine": machine, "options": {"rounds": 1, "seconds": 1.0}, "load_before": 0.0,
               "propagation": {"mode": "off", "tcp_option": False}, "binary_bytes": 1 << 20, **steps}
    return {**figures, "summary": rows.summary(figures)}


class Table(unittest.TestCase):
    def test_keys_are_unique(self):
        keys = [row.key for table in (*rows.STEPS.values(), rows.FIGURES) for row in table]
        self.assertEqual(sorted(set(keys)), sorted(keys))

    def test_no_row_has_a_step_s_name(self):
        rows_keys = {row.key for step, table in rows.STEPS.items() for row in table if step != row.key}
        self.assertEqual(rows_keys & set(rows.STEPS), {"peer"} & rows_keys)

    def test_workloads_are_there(self):
        for row in (*rows.RATIOS, *rows.KERNELS):
            self.assertIn(row.workload, WORKLOADS)

    def test_everything_is_defined(self):
        text = " ".join(rows.help_text().split())
        for table in (*rows.STEPS.values(), rows.FIGURES):
            for row in table:
                self.assertTrue(row.meaning)
                if row.key not in ("propagation",):
                    self.assertIn(" ".join(row.meaning.split()), text)

    def test_kinds_are_known(self):
        self.assertLessEqual({row.kind for row in rows.FIGURES}, set(stats.KINDS))

    def test_selection(self):
        self.assertEqual(list(rows.selected(["loads"], False)), ["propagation", "loads"])
        some = rows.selected(["noise", "idle", "connections"], False)
        self.assertEqual([row.key for row in some["comparisons"]], ["noise", "idle"])
        self.assertEqual([row.key for row in some["curve"]], ["connections"])
        quick = rows.selected([], True)
        self.assertNotIn("curve", quick)
        self.assertTrue(all(row.quick for table in quick.values() for row in table))
        with self.assertRaisesRegex(ValueError, "nonsense"):
            rows.selected(["nonsense"], False)


class Summary(unittest.TestCase):
    def test_ratios_and_what_is_aimed_at(self):
        figures = figures_of(comparisons={"noise": stats.compared([pair(1.0)]),
                                          "selected": stats.compared([pair(0.85)])})
        found = {row["key"]: row for row in figures["summary"]}
        self.assertAlmostEqual(found["selected"]["value"], 0.85)
        self.assertIs(found["selected"]["met"], False)
        self.assertIsNone(found["noise"]["met"])
        self.assertAlmostEqual(found["selected_cpu"]["value"], 1.3)
        self.assertEqual(found["machine_us"]["value"], 20)

    def test_doubt(self):
        pairs = [pair(0.88), pair(0.91), pair(0.95)]
        figures = figures_of(comparisons={"selected": stats.compared(pairs)})
        row = next(row for row in figures["summary"] if row["key"] == "selected")
        self.assertEqual((row["met"], row["in_doubt"]), (True, True))

    def test_what_was_not_measured_is_left_out(self):
        self.assertEqual([row["key"] for row in figures_of()["summary"]], ["binary"])


class Report(unittest.TestCase):
    CURVE = {"connections": {"1": point(0.9), "1000": point(0.7)}}

    def test_any_part_can_be_told(self):
        for steps in ({}, {"curve": self.CURVE},
                      {"comparisons": {"selected": stats.compared([pair(0.85)])}}):
            self.assertIn("binary", report.markdown(figures_of(**steps)))

    def test_what_could_not_be_measured_is_told(self):
        text = report.markdown(figures_of(left_out=["go: not installed: go"]))
        self.assertIn("- go: not installed: go", text)

    def test_a_busy_machine_is_told(self):
        for others, warned in ((0.01, False), (0.3, True)):
            pairs = [[{**run, "taken": {"others": others, "stolen": 0.0}} for run in pair(0.85)]]
            text = " ".join(report.markdown(figures_of(
                comparisons={"selected": stats.compared(pairs)})).split())
            self.assertIn(f"other programs took {others:.0%}", text)
            self.assertIs("tell little" in text, warned)

    def test_numbers_come_through(self):
        text = report.markdown(figures_of(comparisons={"selected": stats.compared([pair(0.85)])}))
        self.assertIn("| nginx | 1,000 -> 850 | 0.850 (0.850 to 0.850) | 20.0 -> 26.0 | 1.300", text)
        self.assertIn("| >= 0.90 | **no** |", text)

    def test_rows_that_are_not_quick_are_not_in_the_readme(self):
        figures = figures_of(comparisons={key: stats.compared([pair(0.85)])
                                          for key in ("selected", "idle")})
        self.assertNotIn("idle", "\n".join(report.tables(figures)))
        self.assertIn("idle", report.markdown(figures))

    def test_parts_are_joined(self):
        old = {"comparisons": {"noise": 1, "selected": 2}, "curve": {"services": {"1": 3}}}
        new = {"comparisons": {"selected": 4}, "curve": {"connections": {"1": 5}}}
        both = report.joined(old, new)
        self.assertEqual(both["comparisons"], {"noise": 1, "selected": 4})
        self.assertEqual(both["curve"], {"services": {"1": 3}, "connections": {"1": 5}})

    def test_the_picture_is_xml_with_a_point_for_each_number(self):
        tree = xml.etree.ElementTree.fromstring(report.svg(figures_of(curve=self.CURVE)))
        dots = tree.findall(".//{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(dots), 2 * len(report.CURVES))
        self.assertIsNone(report.svg(figures_of()))

    def test_higher_is_higher(self):
        plot = chart.Plot("t", "x", [(1, stats.spread([1.0])), (100, stats.spread([3.0]))])
        tree = xml.etree.ElementTree.fromstring(chart.svg([plot], 1))
        low, high = tree.findall(".//{http://www.w3.org/2000/svg}circle")
        self.assertLess(float(high.get("cy")), float(low.get("cy")))
        self.assertLess(float(low.get("cx")), float(high.get("cx")))


if __name__ == "__main__":
    sys.exit(python_unit.main())
