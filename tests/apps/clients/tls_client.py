#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
HTTPS requests by Python's ssl module, over one connection: tls_client.py KIND PORT FIRST LAST. Prints
a line with the number of good answers. KIND: plain (http.client), requests, asyncio,
aiohttp (eight at a time, on as many connections).
"""

import asyncio
import http.client
import ssl
import sys


def context():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def plain(port, numbers):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context())
    good = 0
    for number in numbers:
        connection.request("GET", f"/item/{number}")
        answer = connection.getresponse()
        answer.read()
        good += answer.status == 200
    connection.close()
    return good


def by_requests(port, numbers):
    import requests  # pylint: disable=import-outside-toplevel
    import urllib3   # pylint: disable=import-outside-toplevel
    urllib3.disable_warnings()
    with requests.Session() as session:
        return sum(session.get(f"https://127.0.0.1:{port}/item/{number}", verify=False,
                               timeout=10).status_code == 200 for number in numbers)


async def by_asyncio(port, numbers):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context())
    good = 0
    for number in numbers:
        writer.write(f"GET /item/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = [line for line in head.split("\r\n") if line.lower().startswith("content-length")]
        await reader.readexactly(int(length[0].split(":")[1]))
        good += " 200 " in head.split("\r\n")[0]
    writer.close()
    return good


async def by_aiohttp(port, numbers):
    import aiohttp  # pylint: disable=import-outside-toplevel
    room = asyncio.Semaphore(8)

    async def one(session, number):
        async with room, session.get(f"https://127.0.0.1:{port}/item/{number}", ssl=context()) as answer:
            await answer.read()
            return answer.status == 200

    async with aiohttp.ClientSession() as session:
        return sum(await asyncio.gather(*(one(session, number) for number in numbers)))


def main():
    kind, port, first, last = sys.argv[1], *map(int, sys.argv[2:])
    numbers = range(first, last + 1)
    if kind == "aiohttp":
        print(asyncio.run(by_aiohttp(port, numbers)))
    elif kind == "asyncio":
        print(asyncio.run(by_asyncio(port, numbers)))
    else:
        print({"plain": plain, "requests": by_requests}[kind](port, numbers))


if __name__ == "__main__":
    main()
