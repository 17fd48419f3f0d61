# SPDX-License-Identifier: Apache-2.0
"""
What arrived against what was sent: byte for byte the same, but for one header that may stand
directly behind the request line.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import propagation
from propagation import MUST, NEVER
from recorder import CHUNKED, OPAQUE, WHOLE

HEADER = re.compile(rb"traceparent: 00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0[0-3]\r\n")
NUMBER = re.compile(rb"/wire/[a-z]+/(\d+)/\d+/(\d{8})|CONNECT (\d{8})\.|X-Number: (\d{8})")
OWN = re.compile(rb"^[Tt][Rr][Aa][Cc][Ee][Pp][Aa][Rr][Ee][Nn][Tt][ \t]*:", re.MULTILINE)
EXAMPLES_MAX = 3


def number_of(head):
    """The request's number, None if its head has none."""
    found = NUMBER.search(head)
    return int(found[2] or found[3] or found[4]) if found else None


def masked(head):
    """The head without its number."""
    return re.sub(rb"(/wire/[a-z]+/\d+/\d+/)\d{8}", rb"\1--------", head, count=1)


def behind_request_line(head):
    """Empty lines may stand before the request line."""
    begin = len(head) - len(head.lstrip(b"\r\n"))
    return head.find(b"\n", begin) + 1


def inserted(sent, arrived):
    """The headers that were inserted, as matches of HEADER; None: something else was changed."""
    at = behind_request_line(sent)
    if arrived[:at] != sent[:at]:
        return None
    found, rest = [], arrived[at:]
    while rest != sent[at:]:
        match = HEADER.match(rest)
        if not match:
            return None
        found.append(match)
        rest = rest[match.end():]
    return found


@dataclass
class Sent:
    """What is known of a request: its head, and whether it may get a header."""
    head: bytes
    want: str = MUST
    masked: bool = False  # the head of another request of the same shape


@dataclass
class Verdict:
    requests: int = 0
    inserted: int = 0
    duplicates: int = 0
    altered: int = 0
    missing: int = 0       # sent, and did not arrive whole
    repeated: int = 0      # arrived several times
    surplus: int = 0       # arrived, and nobody sent it
    headers: dict = field(default_factory=dict)  # request number: (trace id, span id)
    unwanted: int = 0      # a header where none is allowed
    wanting: int = 0       # none where there has to be one
    examples: list = field(default_factory=list)

    def example(self, text):
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(text)


def _place(verdict, sent, record, number, mode):
    """Judges whether the header is where the mode allows it."""
    allowed = propagation.allowed(mode, sent.want, record.nth)
    if allowed == NEVER and number in verdict.headers:
        verdict.unwanted += 1
        verdict.example(f"a header in {record}")
    if allowed == MUST and number not in verdict.headers:
        verdict.wanting += 1
        verdict.example(f"no header in {record}")


def _head(verdict, sent, record, number):
    arrived = masked(record.head) if sent.masked else record.head
    headers = inserted(sent.head, arrived)
    if headers is None:
        verdict.altered += 1
        verdict.example(f"sent {sent.head[:200]!r}, arrived {arrived[:300]!r}")
        return
    if headers:
        verdict.inserted += 1
        verdict.headers[number] = tuple(part.decode() for part in headers[0].groups())
    if len(headers) > 1 or (headers and OWN.search(sent.head)):
        verdict.duplicates += 1
        verdict.example(f"several headers: {arrived[:300]!r}")


def _body(verdict, record):
    """The body is whole and of the right bytes, as the target tells."""
    told = NUMBER.search(record.head)
    size = int(told[1]) if told and told[1] else 0
    if record.body_wrong >= 0 or record.body_len != size:
        verdict.altered += 1
        verdict.example(f"body of {size} bytes: {record.body_len} arrived, wrong from "
                        f"{record.body_wrong} on, {'chunked, ' if record.flags & CHUNKED else ''}"
                        f"{record}")


def judge(records, sent_of, numbers, mode):
    """
    `sent_of`: the Sent of a request's number, None if there is none; `numbers`: of the requests
    that ought to arrive.
    """
    verdict, seen = Verdict(), Counter()
    for record in records:
        if record.flags & OPAQUE:
            continue
        number = number_of(record.head)
        sent = sent_of(number)
        if sent is None:
            verdict.surplus += 1
            verdict.example(f"nobody sent {record}")
            continue
        if not record.flags & WHOLE:
            verdict.example(f"broken off: {record}")
            continue
        seen[number] += 1
        verdict.requests += 1
        _head(verdict, sent, record, number)
        _body(verdict, record)
        _place(verdict, sent, record, number, mode)
    verdict.missing = sum(seen[number] == 0 for number in numbers)
    verdict.repeated = sum(count > 1 for count in seen.values())
    return verdict


def reference(records, wants):
    """
    A `sent_of` from a run without weft: records of requests 0 to the number of shapes, each of
    which stands for all of its shape. `wants`: of each shape.
    """
    heads = {number_of(r.head): masked(r.head) for r in records if r.flags & WHOLE}
    missing = [n for n in range(len(wants)) if n not in heads]
    if missing:
        raise RuntimeError(f"without weft, requests {missing[:5]} did not arrive")

    def sent_of(number):
        if number is None:
            return None
        shape = number % len(wants)
        return Sent(heads[shape], wants[shape], masked=True)
    return sent_of


def expect(t, verdict, mode):
    """Every figure is what it has to be; a line that says so."""
    about = f" {verdict.examples}" if verdict.examples else ""
    for name in ("duplicates", "altered", "missing", "repeated", "surplus"):
        t.expect(f"requests: {name}{about}", 0, getattr(verdict, name))
    t.expect(f"headers where mode {mode!r} allows none{about}", 0, verdict.unwanted)
    t.expect(f"headers that mode {mode!r} ought to insert, and did not{about}", 0, verdict.wanting)
    exact = not (verdict.duplicates or verdict.altered)
    t.note(f"{verdict.requests} requests, {verdict.inserted} headers inserted, bytes "
           f"{'exact' if exact else 'ALTERED'}")


def expect_agreement(t, verdict, spans):
    """What is on the wire is what is exported: the header names the request's client span."""
    clients = {(s.trace, s.id): s.number for s in spans.clients()}
    wrong = [n for n, ids in verdict.headers.items() if clients.get(ids) != n]
    t.expect(f"headers that do not name their request's client span, as of requests {wrong[:5]}",
             0, len(wrong))
