#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Plain sockets, a kept connection for each worker: what stands in front of proxies. Arguments:
tests/lib/client_main.py.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

# pylint: disable=wrong-import-position
import client_main
import traffic


def framed(shape, data):
    """Field lines and bytes of a body."""
    if "chunked" in shape.flags:
        chunks = [data[i:i + 3000] for i in range(0, len(data), 3000)]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        return ["Transfer-Encoding: chunked"], coded + b"0\r\n\r\n"
    return [f"Content-Length: {len(data)}"] if data else [], data


def ask(client, plan, number):
    shape = plan.shape(number)
    fields, body = framed(shape, plan.body(number))
    if shape.pad:
        fields.append("X-Pad: " + "p" * shape.pad)
    client.send(traffic.head(shape.method, plan.target(number), *fields) + body)
    return client.answer(shape.method)


def work(plan, report, worker):
    client = None
    for number in plan.until_stopped(worker):
        begin = report.begin()
        try:
            client = client or traffic.Client(("127.0.0.1", plan.port), client_main.TIMEOUT_S)
            answer = ask(client, plan, number)
            report.expect_answer(number, answer.status, answer.body, plan.shape(number).answer)
            closing = answer.fields.get("connection", "").lower() == "close"
        except (OSError, traffic.Broken, ValueError) as error:
            report.error(number, f"{type(error).__name__}: {error}")
            closing = True
        if client and closing:
            client.close()
            client = None
        report.done(begin)


if __name__ == "__main__":
    client_main.run_threads(work)
