#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
curl, a process for every few requests, which it makes over connections that it keeps. Arguments:
tests/lib/client_main.py.
"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

# pylint: disable=wrong-import-position
import client_main

AT_ONCE = 50  # requests of one process
PROCESS_S = 60


def settings(plan, number, place):
    """What curl's configuration file says of one request."""
    shape = plan.shape(number)
    yield f'url = "{plan.base}{plan.target(number)}"'
    yield f'output = "{place}/{number}"'
    yield f"max-time = {client_main.TIMEOUT_S}"
    yield 'write-out = "%{http_code} %{time_total}\\n"'
    if shape.body:
        with open(f"{place}/body{number}", "wb") as handle:
            handle.write(plan.body(number))
        yield f'data-binary = "@{place}/body{number}"'
    if shape.method != ("POST" if shape.body else "GET"):
        yield f'request = "{shape.method}"'
    if "chunked" in shape.flags:
        yield 'header = "Transfer-Encoding: chunked"'
    if "expect" in shape.flags:
        yield 'header = "Expect: 100-continue"'
    if shape.pad:
        yield f'header = "X-Pad: {"p" * shape.pad}"'
    yield "next"


def answer_body(place, number):
    try:
        with open(f"{place}/{number}", "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return b""


def judge(plan, report, place, numbers, lines):
    for number, line in zip(numbers, lines):
        status, seconds = line.split()
        report.expect_answer(number, int(status), answer_body(place, number),
                             plan.shape(number).answer)
        report.took(float(seconds))
    for number in numbers[len(lines):]:
        report.error(number, "curl says nothing of it")


def run_curl(plan, report, numbers):
    with tempfile.TemporaryDirectory(prefix="weft-curl-") as place:
        lines = [line for number in numbers for line in settings(plan, number, place)]
        with open(f"{place}/config", "w", encoding="ascii") as handle:
            handle.write("\n".join(lines[:-1]) + "\n")
        done = subprocess.run(["curl", "-q", "-sS", "-K", f"{place}/config"], text=True,
                              capture_output=True, timeout=PROCESS_S)
        if done.stderr:
            report.error(numbers[0], done.stderr.strip()[:200])
        judge(plan, report, place, numbers, done.stdout.splitlines())


def work(plan, report, worker):
    numbers = plan.numbers(worker)
    for begin in range(0, len(numbers), AT_ONCE):
        if plan.stopped.is_set():
            break
        part = numbers[begin:begin + AT_ONCE]
        try:
            run_curl(plan, report, part)
        except subprocess.TimeoutExpired:
            report.error(part[0], f"curl does not end within {PROCESS_S} s")


if __name__ == "__main__":
    client_main.run_threads(work)
