#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Makes groups of requests by hand, once a line comes on standard input, and prints a report.

    main.py PORT ECHO_PORT FIRST ROUNDS MANIFEST GROUP...

GROUP is MODULE.FUNCTION of the modules here; all are made ROUNDS times. MANIFEST gets a line
for each request: its number, whether it may get a header, its head.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../../lib"), HERE]

# pylint: disable=wrong-import-position
import client_main
import heads
import sends
import streams
from engine import Run

MODULES = {"heads": heads, "sends": sends, "streams": streams}


def main(words):
    port, echo_port, first, rounds = map(int, words[:4])
    with open(words[4], "w", encoding="utf-8") as manifest:
        client_main.wait_for_go()
        run = Run(port, echo_port, first, manifest)
        for _ in range(rounds):
            for name in words[5:]:
                module, function = name.split(".")
                getattr(MODULES[module], function)(run)
    run.report.print()


if __name__ == "__main__":
    main(sys.argv[1:])
