# SPDX-License-Identifier: Apache-2.0
"""Unit tests in Python, told as the runner wants it: a last line "N passed, N failed"."""

import sys
import unittest


def main():
    """Runs the tests of the calling program; its exit code."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    wrong = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - wrong - len(result.skipped)} passed, {wrong} failed, "
          f"{len(result.skipped)} skipped")
    return 1 if wrong else 0
