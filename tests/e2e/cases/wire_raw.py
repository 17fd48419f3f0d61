# SPDX-License-Identifier: Apache-2.0
"""
Requests made by hand (tests/apps/clients/raw): every form of head, every way to send and to read,
every end, and what is no request at all.
"""

import json
import os
import time

import apps
from judge import Sent
from recorder import Recorder
from wire_common import Program, sized, start_weft, settle, wire_case

MAIN = os.path.join(apps.APPS, "clients", "raw", "main.py")
SPEED_MIN = 0.3  # what a program that stalls is far below, and a noisy machine is not
GROUPS = {
    "heads": ["heads.sizes", "heads.forms", "heads.own", "heads.lookalikes"],
    "cuts": ["heads.splits", "heads.splits_with_body", "heads.drip", "heads.pipelines"],
    "sends": ["sends.calls", "sends.urgent", "sends.fast_open", "sends.bodies",
              "sends.expectations"],
    "reads": ["streams.reads", "streams.half_closed", "streams.left", "streams.reset"],
    "opaque": ["streams.tunnels", "streams.upgrades_refused", "streams.opaque"],
}


def _program(t, recorder, groups, rounds=1):
    t.manifest = t.path("manifest")
    return Program(t, [apps.PYTHON, MAIN], [recorder.port, recorder.echo_port, 0, rounds,
                                            t.manifest, *groups])


def _manifest(t):
    with open(t.manifest, encoding="utf-8") as handle:
        rows = [json.loads(line) for line in handle]
    return {number: Sent(head.encode("latin-1"), want) for number, want, head in rows}


def _expect_urgent(t, records):
    lost = [r for r in records if b"\nX-Urgent:" in r.head and r.urgent != ord("!")]
    t.expect(f"requests before which urgent data ought to have come {lost[:1]}", 0, len(lost))


def _raw_case(t, groups, rounds=1, both=False):
    recorder = Recorder(t)
    program = _program(t, recorder, groups, rounds)
    weft = start_weft(t, {program.pid} | ({recorder.pid} if both else set()))
    report = program.run()
    time.sleep(0.2)  # what was sent by those who did not await an answer
    records, sent = recorder.stop(), _manifest(t)
    _expect_urgent(t, records)
    settle(t, weft, records, sent.get, sent)
    return report


def _register(name, groups):
    def run(t):
        _raw_case(t, groups, sized(1, 10))
    wire_case(name=f"wire_raw_{name}")(run)


for _name, _groups in GROUPS.items():
    _register(_name, _groups)


@wire_case()
def wire_raw_server_traced(t):
    """All of it with both ends selected."""
    _raw_case(t, [group for groups in GROUPS.values() for group in groups], both=True)


@wire_case()
def wire_raw_large(t):
    """Bodies of 32 MiB that consist of requests."""
    _raw_case(t, ["sends.large_bodies"], sized(1, 5))


@wire_case()
def wire_fionread(t):
    """A program that asks FIONREAD before it reads gets its answers as soon as without weft."""
    recorder = Recorder(t)
    before = _program(t, recorder, ["streams.fionread"], sized(15, 50)).run()
    recorder.stop()
    report = _raw_case(t, ["streams.fionread"], sized(15, 50))
    ratio = before["median_ms"] / report["median_ms"]
    t.note(f"the median takes {before['median_ms']:.2f} ms without, {report['median_ms']:.2f} with")
    t.expect_range("speed of the median request, of that without weft", SPEED_MIN, 99, ratio)
