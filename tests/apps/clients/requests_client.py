#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Python's requests: a session for each worker. Arguments: tests/lib/client_main.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

# pylint: disable=wrong-import-position
import requests

import client_main


def pieces(data):
    """Makes it the chunked coding: the length is not known."""
    for begin in range(0, len(data), 3000):
        yield data[begin:begin + 3000]


def ask(session, plan, number):
    shape = plan.shape(number)
    fields = {"X-Pad": "p" * shape.pad} if shape.pad else {}
    data = plan.body(number) if shape.body else None
    if "chunked" in shape.flags:
        data = pieces(data)
    return session.request(shape.method, plan.base + plan.target(number), headers=fields, data=data,
                           timeout=client_main.TIMEOUT_S)


def work(plan, report, worker):
    with requests.Session() as session:
        session.trust_env = False
        for number in plan.until_stopped(worker):
            begin = report.begin()
            try:
                answer = ask(session, plan, number)
                report.expect_answer(number, answer.status_code, answer.content,
                                     plan.shape(number).answer)
            except requests.RequestException as error:
                report.error(number, error)
            report.done(begin)


if __name__ == "__main__":
    client_main.run_threads(work)
