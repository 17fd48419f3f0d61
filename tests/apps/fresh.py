#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Connections that are opened long before their first request, as pools and browsers have them.

    fresh.py PORT CONNECTIONS PAUSE_US

At a line on standard input opens them all and prints "open"; at the next one makes a request on each, one
every so many microseconds. Prints a JSON object: how many answers came, and on how many connections
FIONREAD said that nothing is there although an answer was.
"""

import fcntl
import json
import select
import socket
import struct
import sys
import termios
import time

WAIT_MS = 10_000


def waiting(sock):
    """Bytes that can be read, as FIONREAD tells."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def stalled(number, sock, begin):
    """What the kernel says of a connection on which no answer has come."""
    sock.setblocking(False)
    try:
        late = len(sock.recv(65536))
    except BlockingIOError:
        late = -1
    unsent = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    names = ("state", "ca_state", "retransmits", "probes", "backoff")
    return {"number": number, "after_ms": round((time.monotonic() - begin) * 1e3), "late": late,
            "unacknowledged": unsent, "port": sock.getsockname()[1], **dict(zip(names, info))}


def main():
    port, count, pause_us = map(int, sys.argv[1:])
    sys.stdin.readline()
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    print("open", flush=True)
    sys.stdin.readline()
    answered, wrong, silent = 0, [], []
    begin = time.monotonic()
    for number, sock in enumerate(socks):
        sock.sendall(b"GET /plain/0/%d HTTP/1.1\r\nHost: fresh\r\n\r\n" % number)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if poll.poll(WAIT_MS):
            told = waiting(sock)
            there = len(sock.recv(65536))
            answered += there > 0
            if told < min(there, 1):
                wrong.append(round((time.monotonic() - begin) * 1e3))
        else:
            silent.append(stalled(number, sock, begin))
        time.sleep(pause_us / 1e6)
    print(json.dumps({"answered": answered, "fionread_wrong": len(wrong), "wrong_after_ms": wrong[:5],
                      "wrong_until_ms": wrong[-1:], "silent": silent[:3]}), flush=True)


main()
