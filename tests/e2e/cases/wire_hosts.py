# SPDX-License-Identifier: Apache-2.0
"""
Two hosts: two network namespaces with a cable between them, each traced by a weft of its own that
knows nothing of the other. What is one trace then was carried by the wire.
"""

import json
import re
import subprocess
from collections import Counter

import apps
import netns
import propagation
import traffic
from case import Skip
from spans import Spans, by_port, chain
from weft import until
from wire_common import sized, start_weft, wire_case

AT_ONCE = 16
RECALL_MIN = 99.9  # % of the requests whose parents are found, once context crosses


class Hosts:
    """The case's namespace and a second one; what runs where; a weft for each."""

    def __init__(self, t):
        self.t, self.far = t, apps.Place("10.77.0.2", t.second_host())
        self.near = apps.Place("10.77.0.1")
        self.programs = {"near": [], "far": []}

    def add(self, name, app):
        self.programs[name].append(app)
        return app

    def _weft(self, name, options):
        pids = set().union(*[app.pids for app in self.programs[name]])
        return start_weft(self.t, pids, *options)

    def traced(self, entry, count, *options, body=b"", told=""):
        """
        The spans of both hosts of `count` requests of the entry, which begin when each weft has told
        that (with --log-level debug).
        """
        t = self.t
        # before the first connection: one that is older than weft carries nothing
        wefts = [self._weft(name, options) for name in self.programs]
        for weft in wefts:
            t.expect_true(f"weft tells: {told}", until(lambda w=weft: told in w.log, 10))
        t.expect("wrong answers", [], traffic.load(entry.address, count, AT_ONCE, body=body))
        found = [span for weft in wefts for span in t.stop(weft, settle=0.5)]
        return Spans(found)


def _evidence(spans, app):
    found = Counter(str(s["weft.parent.evidence"]) for s in spans.servers(app.port))
    return ", ".join(f"{name} {number}" for name, number in sorted(found.items()))


def _judge(t, spans, named, crossing, count, recall=RECALL_MIN):
    """
    `named`: (name, app) from the entry inwards; `crossing`: those whose caller is on the other
    host. Without headers some of these have no parent, yet none has a wrong one.
    """
    hops = chain(spans, [(name, by_port(app.port)) for name, app in named], range(count))
    carried = propagation.mode(t) != "none"
    for (name, app), hop in zip(named, hops):
        t.expect(f"{name}: requests with one server span, % {hop.examples}", 100.0, hop.seen)
        t.expect(f"{name}: wrong parents {hop.examples}", 0, hop.wrong)
        if name in crossing:
            t.note(f"{name}: {hop.right} of {count} joined ({_evidence(spans, app)})")
        if name != named[0][0] and (carried or name not in crossing):
            t.expect_range(f"{name}: % of parents {hop.examples}", recall, 100, hop.recall)
    orphans = [s for s in spans if s.parent and spans.parent(s) is None]
    if orphans:
        t.note(f"{len(orphans)} spans whose parent nobody exports")
    last = hops[-1]
    t.expect(f"under another request's entry {last.examples}", 0, last.entry_wrong)
    if carried:
        t.expect(f"spans whose parent nobody exports, as {orphans[:1]}", 0, len(orphans))
        t.expect_range("% under the entry", recall, 100, last.entry_recall)


@wire_case(needs=["nginx", "gunicorn", "ip"])
def wire_two_hosts(t):
    """client -> nginx here -> Flask there -> Python there."""
    hosts, count = Hosts(t), sized(300, 5000)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    middle = hosts.add("far", apps.flask(t, inner.authority, place=hosts.far))
    entry = hosts.add("near", apps.nginx(t, middle.authority, workers=2))
    spans = hosts.traced(entry, count)
    _judge(t, spans, [("nginx", entry), ("flask", middle), ("python", inner)], ["flask"], count)


@wire_case(needs=["nginx", "gunicorn", "ip"])
def wire_two_hosts_and_back(t):
    """client -> nginx here -> Flask there, a new connection for each call -> Python here."""
    hosts, count = Hosts(t), sized(200, 3000)
    inner = hosts.add("near", apps.backend(t, place=hosts.near))
    middle = hosts.add("far", apps.flask(t, inner.authority, reuse=False, place=hosts.far))
    entry = hosts.add("near", apps.nginx(t, middle.authority))
    spans = hosts.traced(entry, count)
    _judge(t, spans, [("nginx", entry), ("flask", middle), ("python", inner)], ["flask", "python"],
           count)


@wire_case(needs=["nginx", "openssl", "ip"])
def wire_two_hosts_tls(t):
    """
    client -> nginx here -> TLS -> nginx there -> Python there: no header can be inserted, only the
    TCP option tells. What TLS carries is seen at both ends.
    """
    hosts, count = Hosts(t), sized(200, 3000)
    apps.certificate(t)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    middle = hosts.add("far", apps.nginx(t, inner.authority, place=hosts.far, tls=True))
    entry = hosts.add("near", apps.nginx(t, f"https://{middle.authority}"))
    spans = hosts.traced(entry, count, "--tls", "on")
    _judge(t, spans, [("nginx", entry), ("TLS", middle), ("python", inner)], ["TLS"], count)


@wire_case(needs=["nginx", "openssl", "ip"])
def wire_two_hosts_opaque(t):
    """The same where nothing is seen of what TLS carries."""
    hosts, count = Hosts(t), sized(200, 3000)
    apps.certificate(t)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    middle = hosts.add("far", apps.nginx(t, inner.authority, place=hosts.far, tls=True))
    entry = hosts.add("near", apps.nginx(t, f"https://{middle.authority}"))
    spans = hosts.traced(entry, count)
    _judge(t, spans, [("nginx", entry), ("python", inner)], ["python"], count)


@wire_case(needs=["nginx", "ip"])
def wire_two_hosts_http2(t):
    """
    client -> nginx here -> HTTP/2 -> nginx there -> Python there: frames get no header, the option
    names the stream that a segment begins with. Where nginx says something of the connection first,
    there is none.
    """
    hosts, count = Hosts(t), sized(200, 3000)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    middle = hosts.add("far", apps.nginx(t, inner.authority, place=hosts.far, http2=True))
    entry = hosts.add("near", apps.nginx(t, f"grpc://{middle.authority}"))
    spans = hosts.traced(entry, count)
    _judge(t, spans, [("nginx", entry), ("HTTP/2", middle), ("python", inner)], ["HTTP/2"], count,
           recall=90)


@wire_case(needs=["nginx", "ip"])
def wire_two_hosts_silent(t):
    """The control: where weft carries nothing, nothing joins the hosts."""
    hosts, count = Hosts(t), 100
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    entry = hosts.add("near", apps.nginx(t, inner.authority))
    spans = hosts.traced(entry, count, "--inject", "off", "--tcp-option", "off")
    hops = chain(spans, [("nginx", by_port(entry.port)), ("python", by_port(inner.port))],
                 range(count))
    t.expect("requests with a server span at each end", [count, count], [hop.once for hop in hops])
    t.expect("joined requests", (0, 0), (hops[1].right, hops[1].wrong))


def _lossy(namespace):
    """The namespace's end of the cable loses packets that come in."""
    inside = netns.inside(namespace)
    shown = subprocess.run([*inside, "ip", "-br", "link"], capture_output=True, text=True, check=True)
    link = re.search(r"^(weft\w+)@", shown.stdout, re.M)[1]
    subprocess.run([*inside, "tc", "qdisc", "add", "dev", link, "clsact"], check=True)
    done = subprocess.run([*inside, "tc", "filter", "add", "dev", link, "ingress", "bpf",
                           "direct-action", "object-file", apps.bpf_object("lossy"), "section", "tc"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"tc takes no BPF program: {done.stderr.strip()[-200:]}")


def _sack_recoveries(namespace):
    table = subprocess.run([*netns.inside(namespace), "cat", "/proc/net/netstat"],
                           capture_output=True, text=True, check=True).stdout
    names, values = (line.split() for line in table.splitlines() if line.startswith("TcpExt:"))
    return int(values[names.index("TCPSackRecovery")])


@wire_case(needs=["nginx", "ip", "tc"])
def wire_two_hosts_lossy(t):
    """
    Selective acknowledgement and the TCP option share what room a header has: over a cable that
    loses packets, bodies arrive, SACK repairs what was lost, and every request is joined.
    """
    hosts, count = Hosts(t), sized(200, 3000)
    _lossy(hosts.far.namespace)
    _lossy(t.namespace)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    entry = hosts.add("near", apps.nginx(t, inner.authority))
    spans = hosts.traced(entry, count, body=bytes(100_000))
    t.expect_range("losses that SACK repaired", 1, 10 * count, _sack_recoveries(t.namespace))
    _judge(t, spans, [("nginx", entry), ("python", inner)], ["python"], count)


@wire_case(needs=["nginx", "ip"])
def wire_two_hosts_open(t):
    """
    Connections that are older than both wefts: from its second request under their eyes on, each
    carries context in an option.
    """
    doctor = json.loads(t.weft_command("doctor", "--json").stdout)
    surface = next(row for row in doctor["hooks"] if row["surface"] == "open connections")
    if not surface["hook"]:
        raise Skip(f"open connections: {surface['refused']}")
    hosts, count = Hosts(t), sized(300, 3000)
    inner = hosts.add("far", apps.backend(t, place=hosts.far))
    entry = hosts.add("near", apps.nginx(t, inner.authority))
    t.expect("wrong answers before", [], traffic.load(entry.address, 200, AT_ONCE))
    spans = hosts.traced(entry, count, "--inject", "auto", "--log-level", "debug",
                         told="connections that were open already")
    named = [("nginx", entry), ("python", inner)]
    hops = chain(spans, [(name, by_port(app.port)) for name, app in named], range(count))
    t.expect("requests with a server span at each end", [count, count], [hop.once for hop in hops])
    t.expect(f"wrong parents {hops[1].examples}", 0, hops[1].wrong)
    t.expect_range("joined requests", count - 2 * AT_ONCE, count, hops[1].right)
    t.note(f"{hops[1].right} of {count} joined ({_evidence(spans, inner)})")
