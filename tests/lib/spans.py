# SPDX-License-Identifier: Apache-2.0
"""Spans read back from an OTLP JSON lines file, and the questions that tests ask about them."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SERVER, CLIENT = 2, 3
UNSET, ERROR = 0, 2


class Malformed(Exception):
    """The file is not OTLP JSON as the specification says."""


@dataclass
class Span:
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    attributes: dict
    resource: dict
    flags: int = 0
    state: str = ""
    links: list = field(default_factory=list)  # (trace, span)
    link_states: list = field(default_factory=list)

    def __getitem__(self, key):
        return self.attributes.get(key)

    @property
    def path(self):
        """url.path, or the path of url.full where only that is given (client spans)."""
        path = self["url.path"]
        return path if path is not None else urlsplit(self["url.full"] or "").path

    @property
    def number(self):
        """The request's number: the last run of digits in its path, None if it has none."""
        digits = re.findall(r"\d+", self.path or "")
        return int(digits[-1]) if digits else None

    @property
    def milliseconds(self):
        return (self.end - self.start) / 1e6

    def __str__(self):
        kind = {SERVER: "server", CLIENT: "client"}.get(self.kind, f"kind {self.kind}")
        return (f"{kind} {self['http.request.method']} {self.path} port {self['server.port']} "
                f"{self['http.response.status_code']} pid {self.resource.get('process.pid')}")


def _value(value):
    (kind, content), = value.items()
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [_value(one) for one in content.get("values", [])]
    if kind not in ("stringValue", "boolValue", "doubleValue"):
        raise Malformed(f"unexpected attribute value {value}")
    return content


def _attributes(pairs):
    result = {}
    for pair in pairs or []:
        if pair["key"] in result:
            raise Malformed(f"attribute {pair['key']} is given twice")
        result[pair["key"]] = _value(pair["value"])
    return result


def _id(text, digits, empty_allowed=False):
    if text == "" and empty_allowed:
        return ""
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", text) or set(text) == {"0"}:
        raise Malformed(f"not an id of {digits} hex digits: {text!r}")
    return text


def _time(text):
    if not isinstance(text, str) or not text.isdigit():
        raise Malformed(f"not a time as a decimal string: {text!r}")
    return int(text)


def span_from_json(raw, resource):
    """One Span from its OTLP JSON object; Malformed or KeyError if it is not one."""
    return Span(trace=_id(raw["traceId"], 32), id=_id(raw["spanId"], 16),
                parent=_id(raw.get("parentSpanId", ""), 16, True), name=raw["name"],
                kind=raw["kind"], start=_time(raw["startTimeUnixNano"]),
                end=_time(raw["endTimeUnixNano"]), status=raw.get("status", {}).get("code", 0),
                attributes=_attributes(raw.get("attributes")), resource=resource,
                flags=raw.get("flags", 0), state=raw.get("traceState", ""),
                links=[(_id(link["traceId"], 32), _id(link["spanId"], 16))
                       for link in raw.get("links", ())],
                link_states=[link.get("traceState", "") for link in raw.get("links", ())])


def spans_of_request(request):
    """All spans of one ExportTraceServiceRequest."""
    for group in request["resourceSpans"]:
        resource = _attributes(group.get("resource", {}).get("attributes"))
        for scope in group["scopeSpans"]:
            for raw in scope["spans"]:
                yield span_from_json(raw, resource)


class Spans(list):
    """A list of Span with an index by id; filters give a Spans that keeps the whole index."""

    def __init__(self, spans, index=None):
        super().__init__(spans)
        self.index = {(s.trace, s.id): s for s in self} if index is None else index

    def where(self, test):
        return Spans([s for s in self if test(s)], self.index)

    def servers(self, port=None):
        return self.where(lambda s: s.kind == SERVER and port in (None, s["server.port"]))

    def clients(self, port=None):
        return self.where(lambda s: s.kind == CLIENT and port in (None, s["server.port"]))

    def under(self, prefix):
        return self.where(lambda s: (s.path or "").startswith(prefix))

    def numbered(self, number):
        return self.where(lambda s: s.number == number)

    def parent(self, span):
        return self.index.get((span.trace, span.parent)) if span.parent else None

    def ancestors(self, span):
        """Parent, grandparent ...; stops where a parent is not among the spans, or at a circle."""
        seen = {span.id}
        span = self.parent(span)
        while span is not None and span.id not in seen:
            seen.add(span.id)
            yield span
            span = self.parent(span)


def load(path, torn=False):
    """
    The file's spans. Ids must be unique; the last line may be cut only if it has no newline.
    `torn`: a writer was killed, lines that cannot be parsed are passed over.
    """
    spans = []
    with open(path, encoding="utf-8") as handle:
        lines = handle.read().splitlines(keepends=True)  # at once: it may be growing
    for line in lines:
        try:
            request = json.loads(line)
        except json.JSONDecodeError:
            if torn or not line.endswith("\n"):
                continue
            raise
        spans.extend(spans_of_request(request))
    result = Spans(spans)
    if len(result.index) != len(result):
        raise Malformed(f"{len(result) - len(result.index)} spans have an id that is used already")
    return result


def by_port(port):
    """A hop's server spans are those with this server.port."""
    return lambda span: span["server.port"] == port


def by_pids(pids):
    """A hop's server spans are those of these processes (unix sockets have no port)."""
    return lambda span: span.resource.get("process.pid") in pids


@dataclass
class Hop:
    """What became of the requests at one server of a chain."""
    name: str
    expected: int
    once: int = 0       # requests with exactly one server span here
    several: int = 0
    client_above: int = 0  # server spans with a client span of the same request directly above
    right: int = 0      # nearest server span above is the previous hop's of the same request
    wrong: int = 0      # ... is another one
    entry_right: int = 0  # the chain of parents reaches the request's own entry span
    entry_wrong: int = 0  # ... reaches another request's
    examples: list = field(default_factory=list)

    @staticmethod
    def _share(part, whole):
        return 100.0 * part / whole if whole else 100.0

    @property
    def seen(self):
        return self._share(self.once, self.expected)

    @property
    def precision(self):
        return self._share(self.right, self.right + self.wrong)

    @property
    def recall(self):
        return self._share(self.right, self.expected)

    @property
    def entry_precision(self):
        return self._share(self.entry_right, self.entry_right + self.entry_wrong)

    @property
    def entry_recall(self):
        return self._share(self.entry_right, self.expected)

    def example(self, text):
        if len(self.examples) < 3:
            self.examples.append(text)


def _judge(spans, hop, span, previous, entry):
    above = [s for s in spans.ancestors(span) if s.kind == SERVER]
    nearest = above[0] if above else None
    if nearest is not None:
        good = previous(nearest) and nearest.number == span.number
        hop.right += good
        hop.wrong += not good
        if not good:
            hop.example(f"{span} hangs under {nearest}")
    entries = [s for s in above if entry(s)]
    if entries:
        hop.entry_right += entries[-1].number == span.number
        hop.entry_wrong += entries[-1].number != span.number


def _client_above(spans, span):
    parent = spans.parent(span)
    return parent is not None and parent.kind == CLIENT and parent.number == span.number


def chain(spans, hops, numbers):
    """
    `hops`: (name, match) of each server from the entry inwards; `numbers`: of the requests sent.
    Returns one Hop each. The entry's own parent fields stay zero.
    """
    servers, wanted, result = spans.servers(), set(numbers), []
    for i, (name, match) in enumerate(hops):
        hop = Hop(name, len(wanted))
        counts = defaultdict(int)
        for span in servers:
            if not match(span) or span.number not in wanted:
                continue
            counts[span.number] += 1
            hop.client_above += _client_above(spans, span)
            if i > 0:
                _judge(spans, hop, span, hops[i - 1][1], hops[0][1])
        hop.once = sum(n == 1 for n in counts.values())
        hop.several = sum(n > 1 for n in counts.values())
        for number in sorted(wanted - set(counts))[:3]:
            hop.example(f"request {number} has no server span")
        result.append(hop)
    return result
