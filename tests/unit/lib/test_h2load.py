#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/lib/h2load.py: what a run has told."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TESTS, "lib"))

# pylint: disable=wrong-import-position
import h2load
import python_unit

TEXT = """starting benchmark...
spawning thread #0: 10 total client(s). 1000 total requests
Application protocol: h2c
progress: 10% done

finished in 1.93s, 10369.94 req/s, 1.19MB/s
requests: 20000 total, 19999 started, 19998 done, 19990 succeeded, 5 failed, 3 errored, 2 timeout
status codes: 19990 2xx, 0 3xx, 5 4xx, 0 5xx
traffic: 2.30MB (2411324) total, 390.69KB (400064) headers (space savings 90.00%), 1.14MB (1200000) data
                     min         max         mean         sd        +/- sd
time for request:      913us    223.78ms     95.52ms     22.16ms    81.39%
time for connect:      138us      1.10ms       685us       330us    60.00%
"""


class H2load(unittest.TestCase):
    def test_done(self):
        self.assertEqual(h2load.told(TEXT), {
            "total": 20000, "started": 19999, "done": 19998, "succeeded": 19990, "failed": 5, "errored": 3,
            "timeout": 2, "rate": 10369.94, "longest": "223.78ms", "mean": "95.52ms"})

    def test_not_done(self):
        self.assertIsNone(h2load.told(""))
        self.assertIsNone(h2load.told(TEXT[:TEXT.index("finished")]))
        self.assertIsNone(h2load.told(TEXT[:TEXT.index("time for")]))


if __name__ == "__main__":
    sys.exit(python_unit.main())
