# SPDX-License-Identifier: Apache-2.0
"""The server that writes down what arrives (tests/apps/recorder.c), and its log read back."""

import os
import struct
from dataclasses import dataclass

import apps

WHOLE, CHUNKED, OPAQUE, MALFORMED = 1, 2, 4, 8
_RECORD = struct.Struct("<IIIIIHHQq")


@dataclass
class Record:
    """One request as it arrived; or, with OPAQUE, bytes that were sent back."""
    connection: int
    nth: int          # of the connection's requests, from 1
    flags: int
    urgent: int       # the byte of urgent data before the head's end, 0: none
    body_len: int     # without the chunked coding
    body_wrong: int   # the first byte that is not what the target says, -1: none
    head: bytes
    tail: bytes       # trailer section

    def __str__(self):
        return f"request {self.nth} of connection {self.connection}: {self.head[:60]!r}"


def read_log(path):
    """The records in the order in which their requests ended."""
    with open(path, "rb") as handle:
        data = handle.read()
    at, records = 0, []
    while at < len(data):
        size, connection, nth, head_len, tail_len, *rest = _RECORD.unpack_from(data, at)
        head = at + _RECORD.size
        tail = head + head_len
        records.append(Record(connection, nth, *rest, data[head:tail], data[tail:tail + tail_len]))
        at += size
    return records


class Recorder:
    """
    Can be stopped and started again at the same ports, so that requests of one run can be compared
    with those of another, `Host` and all.
    """

    def __init__(self, t):
        self.t = t
        self.program = apps.c_program("recorder", "-lpthread")
        self.port, self.echo_port = t.port(), t.port()
        self.runs, self.app = 0, None
        self.start()

    @property
    def pid(self):
        return self.app.process.pid

    def _log(self):
        return self.t.path(f"recorder{self.port}.{self.runs}.log")

    def start(self):
        self.runs += 1
        words = [self.program, self._log(), "127.0.0.1", self.port, self.echo_port]
        self.app = apps.App(self.t, words, self.port)

    def stop(self):
        """Ends it; what it has written."""
        self.app.process.terminate()
        self.t.expect("exit status of the recorder", 0, self.app.process.wait(10))
        records = read_log(self._log())
        os.unlink(self._log())
        return records

    def again(self):
        """What it has written until now; a new one takes its place, and every connection ends."""
        records = self.stop()
        self.start()
        return records
