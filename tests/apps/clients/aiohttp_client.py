#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiohttp: a task for each worker, one session. Arguments: tests/lib/client_main.py."""

import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

# pylint: disable=wrong-import-position
import aiohttp

import client_main


async def pieces(data):
    """Makes it the chunked coding: the length is not known."""
    for begin in range(0, len(data), 3000):
        yield data[begin:begin + 3000]


async def ask(session, plan, number):
    shape = plan.shape(number)
    fields = {"X-Pad": "p" * shape.pad} if shape.pad else {}
    data = plan.body(number) if shape.body else None
    if "chunked" in shape.flags:
        data = pieces(data)
    async with session.request(shape.method, plan.base + plan.target(number), headers=fields,
                               data=data, expect100="expect" in shape.flags) as answer:
        return answer.status, await answer.read()


async def work(session, plan, report, numbers):
    for number in numbers:
        begin = report.begin()
        try:
            status, body = await ask(session, plan, number)
            report.expect_answer(number, status, body, plan.shape(number).answer)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            report.error(number, f"{type(error).__name__}: {error}")
        report.done(begin)


async def main(plan):
    report = client_main.Report()
    limit = aiohttp.ClientTimeout(total=client_main.TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        await asyncio.gather(*[work(session, plan, report, plan.numbers(worker))
                               for worker in range(plan.workers)])
    report.print()


if __name__ == "__main__":
    the_plan = client_main.Plan(sys.argv[1:])
    client_main.wait_for_go()
    asyncio.run(main(the_plan))
