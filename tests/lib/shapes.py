# SPDX-License-Identifier: Apache-2.0
"""
Requests that a client program is told to make: request n has the shape n modulo their number. The
programs in tests/apps/clients read them from a file, a line each:

    METHOD KIND BODY ANSWER PAD FLAGS

KIND, BODY and ANSWER go into the target, as tests/apps/recorder.c has it; PAD is the size of a
field X-Pad (0: there is none); FLAGS are words joined by commas, or "-".
"""

from dataclasses import dataclass

PERIOD = 251
_PATTERN = bytes(range(PERIOD)) * 4
INNER_REQUEST = b"GET /wire/p/0/8/99999999 HTTP/1.1\r\nHost: inside\r\nContent-Length: 0\r\n\r\n"
KIB, MIB = 1 << 10, 1 << 20


def pattern(number, size):
    """The answer to request `number`, and its body if that is of kind p."""
    begin = number % PERIOD
    repeat = (begin + size) // len(_PATTERN) + 1
    return (_PATTERN * repeat)[begin:begin + size]


def inner_requests(size):
    """A body of kind r."""
    return (INNER_REQUEST * (size // len(INNER_REQUEST) + 1))[:size]


def body_bytes(kind, number, size):
    return inner_requests(size) if "r" in kind else pattern(number, size)


def target(kind, body, answer, number):
    return f"/wire/{kind}/{body}/{answer}/{number:08}"


@dataclass(frozen=True)
class Shape:
    method: str = "GET"
    body: int = 0
    answer: int = 16
    pad: int = 0
    kind: str = "p"
    flags: tuple = ()   # chunked, expect

    def line(self):
        return (f"{self.method} {self.kind} {self.body} {self.answer} {self.pad} "
                f"{','.join(self.flags) or '-'}\n")


def write(t, shapes, name="shapes"):
    """A file for a client program; its path."""
    return t.write(name, "".join(shape.line() for shape in shapes))


def get(answer=16, pad=0, kind="p"):
    return Shape("GET", 0, answer, pad, kind)


def post(body, *flags, answer=16, pad=0, kind="p"):
    return Shape("POST", body, answer, pad, kind, flags)
