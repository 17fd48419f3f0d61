#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Tests of the tests: the span analysis with made-up spans. tests/e2e/run calls it first; alone:
/usr/bin/python3 tests/e2e/selftest.py
"""

import io
import json
import math
import os
import random
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), part)
                for part in ("../lib", "cases")]

# pylint: disable=wrong-import-position
import common
import judge
import propagation
import shapes
import weft
from propagation import MAY, MUST, NEVER
from recorder import WHOLE, Record
from spans import CLIENT, SERVER, Malformed, Spans, by_port, chain, load, span_from_json
from trend import Trend

FRONT, MIDDLE, BACK = 80, 81, 82


def attribute(key, value):
    kind = "intValue" if isinstance(value, int) else "stringValue"
    return {"key": key, "value": {kind: str(value)}}


def raw(number, kind, port, span_id, parent="", **more):
    """One span as OTLP JSON. `more`: trace (1), status (200)."""
    attributes = [attribute("http.request.method", "GET"), attribute("server.port", port),
                  attribute("url.path", f"/chain/{number}"),
                  attribute("http.response.status_code", more.get("status", 200))]
    return {"traceId": f"{more.get('trace', 1):032x}", "spanId": f"{span_id:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "", "name": "GET", "kind": kind,
            "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", "attributes": attributes}


def request_of(number):
    """A right tree of six spans: client, front, client, middle, client, back."""
    base = number * 10 + 1
    kinds = [(CLIENT, FRONT), (SERVER, FRONT), (CLIENT, MIDDLE), (SERVER, MIDDLE), (CLIENT, BACK),
             (SERVER, BACK)]
    return [raw(number, kind, port, base + i, base + i - 1 if i else "",
                trace=number + 1)
            for i, (kind, port) in enumerate(kinds)]


def spans_of(*raws):
    return Spans([span_from_json(one, {}) for one in raws])


def hops_of(spans, count):
    hops = [(name, by_port(port)) for name, port in (("front", FRONT), ("middle", MIDDLE),
                                                     ("back", BACK))]
    return chain(spans, hops, range(count))


class Recorder:
    """Stands in for a case: only the failures."""

    def __init__(self):
        self.failures = []

    def fail(self, text):
        self.failures.append(text)

    def note(self, text):
        pass


class Chains(unittest.TestCase):
    def setUp(self):
        self.raws = [one for n in range(10) for one in request_of(n)]

    def test_right_trees(self):
        for hop in hops_of(spans_of(*self.raws), 10):
            self.assertEqual((hop.seen, hop.several, hop.client_above), (100.0, 0, 10))
        self.assertEqual((hop.precision, hop.recall), (100.0, 100.0))
        self.assertEqual((hop.entry_precision, hop.entry_recall), (100.0, 100.0))

    def test_missing_server_span(self):
        del self.raws[3]  # the middle of request 0
        front, middle, back = hops_of(spans_of(*self.raws), 10)
        self.assertEqual((front.once, middle.once, back.once), (10, 9, 10))
        self.assertEqual((back.right, back.wrong, back.recall), (9, 0, 90.0))

    def test_missing_parent(self):
        self.raws[4]["parentSpanId"] = ""  # the call to the back of request 0 is a root
        _, middle, back = hops_of(spans_of(*self.raws), 10)
        self.assertEqual((middle.recall, back.recall, back.precision), (100.0, 90.0, 100.0))
        self.assertEqual((back.entry_right, back.entry_wrong), (9, 0))

    def test_wrong_parent(self):
        other = self.raws[6 + 3]  # the middle of request 1
        self.raws[4]["traceId"], self.raws[4]["parentSpanId"] = other["traceId"], other["spanId"]
        self.raws[5]["traceId"] = other["traceId"]
        _, _, back = hops_of(spans_of(*self.raws), 10)
        self.assertEqual((back.right, back.wrong, back.entry_wrong), (9, 1, 1))
        self.assertEqual((back.precision, back.entry_precision), (90.0, 90.0))
        self.assertIn("hangs under", back.examples[0])

    def test_several_server_spans(self):
        self.raws.append(raw(0, SERVER, BACK, 9999, 5))
        self.assertEqual([h.several for h in hops_of(spans_of(*self.raws), 10)], [0, 0, 1])

    def test_parents_in_a_circle(self):
        self.raws[0]["parentSpanId"] = self.raws[5]["spanId"]
        self.assertEqual(hops_of(spans_of(*self.raws), 10)[2].right, 10)

    def test_client_span_of_another_request_above(self):
        self.raws[5]["traceId"] = self.raws[6 + 4]["traceId"]
        self.raws[5]["parentSpanId"] = self.raws[6 + 4]["spanId"]
        self.assertEqual(hops_of(spans_of(*self.raws), 10)[2].client_above, 9)


class Exchanges(unittest.TestCase):
    def judge(self, raws, count=3, **options):
        test = Recorder()
        common.exchanges(test, spans_of(*raws), range(count), FRONT, **options)
        return test.failures

    def setUp(self):
        self.raws = [one for n in range(3) for one in request_of(n)[:2]]

    def test_right(self):
        self.assertEqual(self.judge(self.raws), [])

    def test_one_missing(self):
        self.assertEqual(len(self.judge(self.raws[:-1])), 1)

    def test_one_too_many(self):
        self.assertEqual(len(self.judge(self.raws + [raw(0, SERVER, FRONT, 777, 1)])), 1)

    def test_one_that_nobody_sent(self):
        self.assertEqual(len(self.judge(self.raws + [raw(70, CLIENT, FRONT, 777)])), 1)

    def test_not_joined(self):
        self.raws[1]["parentSpanId"] = ""
        self.assertIn("directly above", self.judge(self.raws)[0])

    def test_other_port(self):
        self.assertEqual(len(self.judge(self.raws + request_of(3)[2:4], 4)), 1)

    def test_status_rules(self):
        raws = [raw(0, SERVER, FRONT, 2, 1, status=404), raw(0, CLIENT, FRONT, 1, status=404)]
        self.assertIn("span status and error.type", self.judge(raws, 1, status=404)[0])
        raws[1]["status"] = {"code": 2}
        raws[1]["attributes"].append(attribute("error.type", "404"))
        self.assertEqual(self.judge(raws, 1, status=404), [])


HEADER = b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n"


def head(number, header=b"", fields=b"Host: wire\r\n"):
    line = b"GET %s HTTP/1.1\r\n" % shapes.target("p", 0, 8, number).encode()
    return line + header + fields + b"\r\n"


class Judge(unittest.TestCase):
    """Each kind of harm is found, and told apart."""

    def judge(self, *arrived, mode="every", sent=None, **record):
        """`arrived`: heads of requests 0, 1 ... of one connection."""
        records = [Record(**{"connection": 1, "nth": i + 1, "flags": WHOLE, "urgent": 0,
                             "body_len": 0, "body_wrong": -1, "head": one, "tail": b"", **record})
                   for i, one in enumerate(arrived)]
        sent = sent or {n: judge.Sent(head(n)) for n in range(len(arrived))}
        return judge.judge(records, sent.get, sent, mode)

    def expect(self, verdict, **figures):
        self.assertEqual(figures, {name: count for name, count in verdict.faults.items() if count},
                         verdict.examples)
        test = Recorder()
        judge.expect(test, verdict, "every")
        self.assertEqual(len(figures), len(test.failures))

    def test_as_sent(self):
        self.expect(self.judge(head(0), head(1), mode="none"))

    def test_inserted(self):
        verdict = self.judge(head(0, HEADER), head(1, HEADER))
        self.expect(verdict)
        self.assertEqual((verdict.inserted, verdict.headers[1]), (2, ("a" * 32, "b" * 16)))

    def test_modes(self):
        self.expect(self.judge(head(0, HEADER), head(1), mode="first"))
        self.expect(self.judge(head(0, HEADER), head(1, HEADER), mode="first"), unwanted=1)
        self.expect(self.judge(head(0), head(1), mode="first"), wanting=1)
        self.expect(self.judge(head(0), head(1), mode="every"), wanting=2)
        self.expect(self.judge(head(0, HEADER), mode="none"), unwanted=1)

    def test_twice(self):
        self.expect(self.judge(head(0, HEADER + HEADER)), duplicates=1)

    def test_beside_its_own(self):
        for own in (HEADER, HEADER.title(), b"A: b\r\nTRACEPARENT : x\r\n"):
            sent = {0: judge.Sent(head(0, own), NEVER)}
            self.expect(self.judge(head(0, own), sent=sent))
            self.expect(self.judge(head(0, HEADER + own), sent=sent), duplicates=1, unwanted=1)

    def test_elsewhere(self):
        self.expect(self.judge(head(0, fields=b"Host: wire\r\n" + HEADER)), altered=1, wanting=1)

    def test_malformed(self):
        for wrong in (HEADER.upper(), HEADER.replace(b"a" * 32, b"0" * 32), HEADER[:-2] + b"\n",
                      HEADER.replace(b": ", b":"), HEADER.replace(b"-01", b"-1"),
                      b"X: y\r\n" + HEADER):
            self.expect(self.judge(head(0, wrong)), altered=1, wanting=1)

    def test_any_other_byte(self):
        for at in range(len(head(0))):
            arrived = bytearray(head(0))
            arrived[at] ^= 1
            verdict = self.judge(bytes(arrived), mode="none")
            self.assertTrue(verdict.faults["altered"] or verdict.faults["surplus"], bytes(arrived))

    def test_lost_and_repeated(self):
        sent = {n: judge.Sent(head(n)) for n in range(3)}
        self.expect(self.judge(head(0), head(0), head(7), sent=sent, mode="none"), missing=2,
                    repeated=1, surplus=1)
        self.expect(self.judge(head(0), flags=0, mode="none"), missing=1)

    def test_bodies(self):
        self.expect(self.judge(head(0), body_len=1, mode="none"), altered=1)
        self.expect(self.judge(head(0), body_wrong=3, mode="none"), altered=1)

    def test_wants(self):
        self.assertEqual([propagation.allowed("first", want, nth) for want in (MUST, MAY, NEVER)
                          for nth in (1, 2)], [MUST, NEVER, MAY, MAY, NEVER, NEVER])
        self.assertEqual(propagation.allowed("none", MUST, 1), NEVER)

    def test_reference(self):
        records = [Record(1, 1, WHOLE, 0, 0, -1, head(n), b"") for n in range(2)]
        sent_of = judge.reference(records, [MUST, NEVER])
        self.assertEqual([sent_of(n).want for n in (6, 7)], [MUST, NEVER])
        self.expect(self.judge(head(0), head(1), mode="none",
                               sent={0: sent_of(8), 1: sent_of(9)}))
        with self.assertRaises(RuntimeError):
            judge.reference(records[:1], [MUST, NEVER])


class Files(unittest.TestCase):
    def load(self, *lines):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as handle:
            handle.write("".join(lines))
            handle.flush()
            return load(handle.name)

    @staticmethod
    def line(*raws):
        group = {"resource": {"attributes": [attribute("process.pid", 7)]},
                 "scopeSpans": [{"scope": {"name": "weft"}, "spans": list(raws)}]}
        return json.dumps({"resourceSpans": [group]}) + "\n"

    def test_loads(self):
        spans = self.load(self.line(*request_of(0)), self.line(*request_of(1)))
        self.assertEqual((len(spans), spans[0].resource["process.pid"]), (12, 7))
        self.assertEqual(spans.parent(spans[1]), spans[0])

    def test_unfinished_last_line(self):
        self.assertEqual(len(self.load(self.line(*request_of(0)), '{"resource')), 6)

    def test_torn_line(self):
        torn = '{"resource' + self.line(*request_of(0))
        with self.assertRaises(json.JSONDecodeError):
            self.load(torn)
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as handle:
            handle.write(torn + self.line(*request_of(1)))
            handle.flush()
            self.assertEqual(len(load(handle.name, torn=True)), 6)

    def test_malformed(self):
        for key, value in (("traceId", "0" * 32), ("spanId", "ABCDEF0123456789"),
                           ("startTimeUnixNano", 1000), ("parentSpanId", "12")):
            with self.assertRaises(Malformed, msg=key):
                self.load(self.line({**request_of(0)[0], key: value}))

    def test_same_id_twice(self):
        with self.assertRaises(Malformed):
            self.load(self.line(*request_of(0)), self.line(*request_of(0)))


class Counters(unittest.TestCase):
    def test_text(self):
        wanted = {"captured": 12, "exported": 10, "dropped": 2, "open": 0}
        for line in ("weft: captured=12 exported=10 dropped=2 (ring=2)",
                     "weft: captured 12 = exported 10 + dropped 2",
                     "12 captured, 10 exported, 2 dropped"):
            self.assertEqual(weft.counters_from_text("ready\n" + line + "\nbye\n"), wanted)
        line = "captured 9 = exported 3 + dropped 2 (ring_full 2) + open 4"
        self.assertEqual(weft.counters_from_text(line)["open"], 4)
        self.assertIsNone(weft.counters_from_text("ready\ncaptured 3\n"))

    def test_json(self):
        tree = {"counters": {"captured": 5, "exported": 3, "dropped": {"ring": 1, "queue": 1}}}
        self.assertEqual(weft.counters_from_json(tree),
                         {"captured": 5, "exported": 3, "dropped": 2, "open": 0})
        self.assertIsNone(weft.counters_from_json({"captured": 5}))


class Trends(unittest.TestCase):
    """The soak's verdict: what grows is told from what only goes up and down."""

    @staticmethod
    def points(value):
        noise = random.Random(7)
        return [(2 * n, value(n, noise.uniform(-50, 50))) for n in range(120)]

    def test_grows(self):
        trend = Trend(self.points(lambda n, noise: 1000 + 3 * n + noise))
        self.assertGreater(trend.low, 0)
        self.assertLess(trend.low, 1.5)
        self.assertGreater(trend.high, 1.5)

    def test_flat(self):
        for value in (lambda n, noise: 1000 + noise, lambda n, noise: 1000,
                      lambda n, noise: 1000 + 200 * math.sin(n / 3) + noise):
            trend = Trend(self.points(value))
            self.assertLessEqual(trend.low, 0)
            self.assertGreaterEqual(trend.high, 0)
            self.assertAlmostEqual(trend.mean, 1000, delta=20)

    def test_shrinks(self):
        self.assertLess(Trend(self.points(lambda n, noise: 1000 - 3 * n + noise)).high, 0)

    def test_too_few(self):
        with self.assertRaises(ValueError):
            Trend([(0, 1), (1, 1)])


def passes():
    """Runs all of it quietly; prints what fails."""
    out = io.StringIO()
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(stream=out).run(suite)
    if not result.wasSuccessful():
        print(out.getvalue())
    return result.wasSuccessful()


if __name__ == "__main__":
    unittest.main()
