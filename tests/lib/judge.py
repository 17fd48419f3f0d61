# SPDX-License-Identifier: Apache-2.0
"""
What arrived against what was sent: byte for byte the same, but for one header that may stand
directly behind the request line.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field

import propagation
from propagation import MUST, NEVER
from recorder import CHUNKED, OPAQUE, WHOLE

HEADER = re.compile(rb"traceparent: 00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0[0-3]\r\n")
NUMBER = re.compile(rb"/wire/[a-z]+/(\d+)/\d+/(\d{8})|CONNECT (\d{8})\.|X-Number: (\d{8})")
OWN = re.compile(rb"^[Tt][Rr][Aa][Cc][Ee][Pp][Aa][Rr][Ee][Nn][Tt][ \t]*:", re.MULTILINE)
SHOWN = 90  # bytes of an example


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


# What may be wrong, each a count of requests.
FAULTS = {
    "altered": "changed in another way",
    "duplicates": "with several headers",
    "missing": "that did not arrive whole",
    "repeated": "that arrived several times",
    "surplus": "that nobody sent",
    "unwanted": "with a header where none is allowed",
    "wanting": "without a header where there has to be one",
}


@dataclass
class Verdict:
    requests: int = 0
    inserted: int = 0
    headers: dict = field(default_factory=dict)  # request number: (trace id, span id)
    faults: Counter = field(default_factory=Counter)
    examples: dict = field(default_factory=dict)  # of each fault, the first

    def fault(self, name, example):
        self.faults[name] += 1
        self.examples.setdefault(name, str(example))


def _difference(sent, arrived):
    """The place from which two heads differ."""
    at = len(os.path.commonprefix([sent, arrived]))
    return (f"from byte {at} of {len(sent)} on, sent {sent[at:at + SHOWN]!r}, "
            f"arrived {arrived[at:at + SHOWN]!r}")


def _head(verdict, sent, record, number):
    arrived = masked(record.head) if sent.masked else record.head
    headers = inserted(sent.head, arrived)
    if headers is None:
        verdict.fault("altered", f"{record}: {_difference(sent.head, arrived)}")
        return
    if headers:
        verdict.inserted += 1
        verdict.headers[number] = tuple(part.decode() for part in headers[0].groups())
    if len(headers) > 1 or (headers and OWN.search(sent.head)):
        verdict.fault("duplicates", f"{record}: {arrived[:300]!r}")


def _body(verdict, record):
    """The body is whole and of the right bytes, as the target tells."""
    told = NUMBER.search(record.head)
    size = int(told[1]) if told and told[1] else 0
    if record.body_wrong >= 0 or record.body_len != size:
        coding = " in chunks" if record.flags & CHUNKED else ""
        verdict.fault("altered", f"{record}: of its body's {size} bytes {record.body_len} arrived"
                                 f"{coding}, wrong from byte {record.body_wrong} on")


def _place(verdict, sent, record, number, mode):
    """Judges whether the header is where the mode allows it."""
    allowed = propagation.allowed(mode, sent.want, record.nth)
    if allowed == NEVER and number in verdict.headers:
        verdict.fault("unwanted", record)
    if allowed == MUST and number not in verdict.headers:
        verdict.fault("wanting", record)


def judge(records, sent_of, numbers, mode):
    """
    `sent_of`: the Sent of a request's number, None if there is none; `numbers`: of the requests
    that ought to arrive.
    """
    verdict, seen, broken = Verdict(), Counter(), {}
    for record in records:
        if record.flags & OPAQUE:
            continue
        number = number_of(record.head)
        sent = sent_of(number)
        if sent is None:
            verdict.fault("surplus", record)
        elif not record.flags & WHOLE:
            broken[number] = record
        else:
            seen[number] += 1
            verdict.requests += 1
            _head(verdict, sent, record, number)
            _body(verdict, record)
            _place(verdict, sent, record, number, mode)
    for number in numbers:
        if not seen[number]:
            verdict.fault("missing", broken.get(number, f"request {number}"))
    for number, count in seen.items():
        if count > 1:
            verdict.fault("repeated", f"request {number}")
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
    """No fault; a line that says so."""
    for name, text in FAULTS.items():
        if verdict.faults[name]:
            t.fail(f"requests {text} (mode {mode!r}): expected 0 of {verdict.requests}, got "
                   f"{verdict.faults[name]}, as {verdict.examples[name]}")
    exact = not (verdict.faults["altered"] or verdict.faults["duplicates"])
    t.note(f"{verdict.requests} requests, {verdict.inserted} headers inserted, bytes "
           f"{'exact' if exact else 'ALTERED'}")


def expect_agreement(t, verdict, spans):
    """What is on the wire is what is exported: the header names the request's client span."""
    clients = {(s.trace, s.id): s.number for s in spans.clients()}
    # "OPTIONS *" has its number in a field, which spans do not tell
    wrong = [n for n, ids in verdict.headers.items() if clients.get(ids, -1) not in (n, None)]
    t.expect(f"headers that do not name their request's client span, as of requests {wrong[:5]}",
             0, len(wrong))
