#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Sends what a plan says (tests/lib/frames.py), over one connection after the other, once a line comes on
standard input. Prints a line for each that it has ended with all answers.

  frames_client.py PORT PLAN [SNDBUF]

SNDBUF: of each socket, which then is never waited for between two calls.
"""
import json
import socket
import sys
import time

HEADERS, END_STREAM = 1, 1
# So that each call is a message of its own, and the one before it has been acknowledged.
GAP_S = 0.002


def main():
    with open(sys.argv[2], encoding="ascii") as handle:
        plan = json.load(handle)
    narrow = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    sys.stdin.readline()
    for steps in plan:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if narrow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, narrow)
            answered, data = 0, b""
            for step in steps:
                if isinstance(step, str):
                    sock.sendall(bytes.fromhex(step))
                    time.sleep(0 if narrow else GAP_S)
                while isinstance(step, int) and answered < step:
                    more = sock.recv(65536)
                    if not more:
                        sys.exit("the server has closed the connection")
                    data += more
                    while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
                        answered += data[3] == HEADERS and data[4] & END_STREAM
                        data = data[end:]
        print("done", flush=True)


if __name__ == "__main__":
    main()
