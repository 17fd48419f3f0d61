# SPDX-License-Identifier: Apache-2.0
"""
The rows of the report, a table for each step of measure.py: what each means, how it is run, what is
aimed at. And the figures that are drawn from them.
"""

import textwrap
from dataclasses import dataclass
from functools import partial
from typing import Callable

import agents
import load
import stats
from load import SERVERS, WORKLOADS, Workload

MIB = 1024 * 1024
PACED_RATE = 10000
CONNECTION_COUNTS = (1, 10, 100, 1000, 10000)

# How a workload is run: weft's options, or one of the first two.
NO_WEFT = None
PEER = "peer"
TRACED = ("--exe", "{exe}")
OTHER = ("--pid", "{other}")
WHOLE_HOST = ()
FOLLOW_ALL = ("--cpu-budget", "0")
TLS = ("--tls", "on")
INJECT_OFF = ("--inject", "off", "--tcp-option", "off")


@dataclass(frozen=True, kw_only=True)
class Row:
    """`quick`: part of the quick form, and of README.md."""
    key: str
    what: str
    meaning: str
    quick: bool = True


@dataclass(frozen=True, kw_only=True)
class Ratio(Row):
    """Pairs of runs. `least`: the ratio of throughput that is aimed at."""
    workload: str = "nginx"
    base: tuple = NO_WEFT
    other: tuple = TRACED
    least: float = None


@dataclass(frozen=True, kw_only=True)
class Axis(Row):
    """Pairs of runs without and with weft at each of the points."""
    unit: str
    points: tuple
    workload: Callable  # of a point
    quick: bool = False


@dataclass(frozen=True, kw_only=True)
class Rate(Row):
    """Requests or processes a second; 0: as many as there can be; None: none."""
    rate: int


@dataclass(frozen=True, kw_only=True)
class Programs(Row):
    """A workload under which BPF programs are counted."""
    workload: str
    how: tuple = TRACED + FOLLOW_ALL


@dataclass(frozen=True, kw_only=True)
class Host(Row):
    """A host on which weft is started and ended: what runs there, and requests a second to it."""
    serve: Callable
    rate: int = 0
    options: tuple = ()  # weft's


def _application(key, what, meaning, **more):
    return Ratio(key=key, what=what, workload=key, meaning=meaning + ", under wrk as fast as 32 "
                 "connections ask: without weft, and with a weft that traces it.", **more)


RATIOS = (
    Ratio(key="noise", what="nothing against nothing", other=NO_WEFT,
          meaning="The control row, nginx under wrk without weft either time. How far its ratios "
          "and their quartiles are from 1 is what this machine makes of nothing, and no other row "
          "is better than that."),
    Ratio(key="selected", what="nginx", least=0.90,
          meaning="nginx, one worker, a static file, under wrk as fast as 32 connections ask: "
          "without weft, and with a weft that traces nginx."),
    Ratio(key="followed", what="nginx, every request followed", other=TRACED + FOLLOW_ALL,
          meaning="The same with --cpu-budget 0."),
    _application("apache", "Apache", "Apache, event MPM, two processes, a static file"),
    _application("node", "Node.js", "Node.js, one process, its http module (tests/apps/server.js)"),
    _application("go", "Go", "Go, net/http (tests/apps/goserver)"),
    _application("java", "Java", "Java, com.sun.net.httpserver with 32 threads "
                 "(tests/apps/Server.java)"),
    _application("flask", "Flask", "Flask under gunicorn, two workers with 16 threads each"),
    Ratio(key="nginx_http2", what="nginx, HTTP/2", workload="nginx_http2",
          meaning="nginx, one worker, a static file, under h2load with 10 connections and 100 streams on "
          "each: without weft, and with a weft that traces nginx."),
    Ratio(key="grpc_go", what="gRPC, Go", workload="grpc_go", least=0.85,
          meaning="grpc-go (tests/apps/grpc), unary calls of 100 bytes both ways, asked by h2load in the "
          "same way."),
    Ratio(key="https", what="nginx, HTTPS", workload="https", other=TRACED + TLS + FOLLOW_ALL,
          meaning="nginx with OpenSSL, one worker, a static file, under wrk: without weft, and with a weft "
          "that traces nginx with --tls on and sees every request. How many traps that takes: traps."),
    Ratio(key="echo_tcp", what="small messages, TCP", workload="echo_tcp",
          meaning="A server with one thread that sends 22 bytes back as they came "
          "(tests/apps/answer.c), as a Redis that is asked PING; 32 connections ask as fast as they "
          "can (tests/apps/pace.c): without weft, and with a weft that traces the server and finds "
          "nothing that it knows."),
    Ratio(key="echo_unix", what="small messages, unix socket", workload="echo_unix",
          meaning="The same over a unix stream socket."),
    Ratio(key="not_selected", what="nginx as an unselected neighbour", other=OTHER, least=0.98,
          meaning="nginx under wrk, with a weft that traces another process, which serves nothing: "
          "what those pay that are not traced."),
    Ratio(key="whole_host", what="nginx and wrk, whole host traced", other=WHOLE_HOST,
          meaning="nginx under wrk, with a weft that traces all there is: both ends of each "
          "connection."),
    Ratio(key="idle", what="nginx with 10,000 idle connections", workload="idle", quick=False,
          meaning="nginx under wrk, while 10,000 more connections to it are open, on which one "
          "request a second comes; they were open before weft started."),
    Ratio(key="starts", what="processes that start and end", workload="starts", other=WHOLE_HOST,
          quick=False,
          meaning="A static program is executed and ends at once, one after the other, as fast as "
          "it goes (tests/apps/starts.c): without weft, and with the whole host traced. A request "
          "is a process here."),
    Ratio(key="inject_keepalive", what="proxy, kept connections: injection on",
          workload="keepalive", base=TRACED + FOLLOW_ALL + INJECT_OFF, other=TRACED + FOLLOW_ALL,
          least=0.97,
          meaning="wrk, an nginx as proxy, an nginx behind it; the proxy keeps its connections to "
          "that one. Both times a weft follows every request through both nginx: first with --inject off "
          "and --tcp-option off, then with both on."),
    Ratio(key="inject_closing", what="proxy, a connection each request: injection on",
          workload="closing", base=TRACED + FOLLOW_ALL + INJECT_OFF, other=TRACED + FOLLOW_ALL,
          least=0.97,
          meaning="The same, but the proxy opens a connection for each request, so that each gains "
          "a header."),
) + ((Ratio(key="peer", what="nginx, traced by the peer", other=PEER, quick=False,
            meaning="nginx under wrk: without a tracer, and with PEER."),)
     if agents.peer_given() else ())

LATENCIES = (
    Row(key="latency", what="latency of the proxies",
        meaning="At 0.4 of the rate at saturation, from when a request was due to its answer: "
        "without weft, with it (--inject off --tcp-option off), and with injection. What either "
        "adds is the median, with quartiles, of the differences turn by turn."),
)

AXES = (
    Axis(key="connections", what="connections", unit="connections",
         points=CONNECTION_COUNTS,
         workload=lambda n: Workload(SERVERS["nginx"], load.pace(connections=n)),
         meaning="nginx with a static file; so many connections, opened after weft started, ask as "
         "fast as they can, in turns (tests/apps/pace.c): without weft, and with a weft that follows "
         "every request to nginx."),
    Axis(key="services", what="services", unit="services", points=(1, 10, 50, 200),
         workload=lambda n: Workload(load.serve_many(n), load.pace(connections=max(32, n))),
         meaning="So many processes, each with a port and one thread (tests/apps/answer.c), are "
         "asked in turns as fast as 32 connections ask, or one for each service: without weft, and "
         "with a weft that follows all of them."),
)

LOADS = (
    Rate(key="rest", what="at rest", rate=None, meaning="No request comes."),
    Rate(key="paced_1k", what="1,000 requests a second", rate=1000, meaning="At even distances."),
    Rate(key="paced_10k", what="10,000 requests a second", rate=PACED_RATE, meaning="The same."),
    Rate(key="saturated", what="as many as there can be", rate=0,
         meaning="32 connections ask as fast as they can."),
)

KERNELS = (
    Programs(key="programs_nginx", what="nginx", workload="nginx",
             meaning="Under wrk, every request to nginx followed, as in all of these."),
    Programs(key="programs_keepalive", what="proxy, kept", workload="keepalive",
             meaning="The proxy that keeps its connections."),
    Programs(key="programs_closing", what="proxy, closing", workload="closing",
             meaning="The proxy that opens one for each request."),
    Programs(key="programs_echo", what="small messages", workload="echo_tcp",
             meaning="Small messages over TCP."),
    Programs(key="programs_http2", what="nginx, HTTP/2", workload="nginx_http2",
             meaning="Under h2load."),
    Programs(key="programs_https", what="nginx, HTTPS", workload="https", how=TRACED + TLS + FOLLOW_ALL,
             meaning="Under wrk, with --tls on."),
)

HOSTS = (
    Host(key="quiet", what="nginx at rest", serve=SERVERS["nginx"],
         meaning="One nginx, which nobody asks."),
    Host(key="quiet_tls", what="nginx at rest, --tls on", serve=SERVERS["nginx"], options=TLS,
         meaning="The same, and what TLS carries is looked for: all other rows but HTTPS' have --tls off."),
    Host(key="loaded", what="nginx, 2,000 requests a second", serve=SERVERS["nginx"], rate=2000,
         meaning="One nginx, asked over 32 connections that were open before."),
    Host(key="crowded", what="200 services", serve=load.serve_many(200), quick=False,
         meaning="200 processes that listen, which nobody asks."),
    Host(key="connected", what="10,000 idle connections", serve=load.serve_idle, quick=False,
         meaning="nginx with connections as in the row of ratios."),
)

PROCESSES = (
    Rate(key="starts_1k", what="1,000 processes a second", rate=1000, quick=False,
         meaning="A static program is executed and ends at once, 1,000 times a second or as often "
         "as the machine can; the whole host is traced."),
)

PEERS = (
    Row(key="beside", what="weft and the peer", quick=False,
        meaning="nginx, traced by weft and by PEER: BPF programs under wrk, CPU, memory and maps at "
        "10,000 requests a second, start until it holds all its BPF programs, exit."),
) if agents.peer_given() else ()

SURROUNDINGS = (
    Row(key="propagation", what="propagation", meaning="What weft's self-test found here."),
)

STEPS = {"propagation": SURROUNDINGS, "hosts": HOSTS, "comparisons": RATIOS, "latency": LATENCIES,
         "kernel": KERNELS, "loads": LOADS, "processes": PROCESSES, "curve": AXES, "peer": PEERS}
STEPS_MEAN = {
    "comparisons": "Ratios are of pairs of runs next to each other in ABBA order, other rows' pairs "
    "in between: median and quartiles. Each run begins with a second and a half that does not "
    "count, in which weft finds out how busy the processors are: what it follows then is told "
    "beside, in % of the requests, counted at each end that is traced; the rest is counted as "
    "cpu_budget. CPU a request is the user and system time of servers, load "
    "and weft together; it is steadier than throughput, and what an operator pays. Pairs during "
    "which other programs or machines took more than a tenth of the processors do not count, unless "
    "fewer than three are left.",
    "latency": "Added latency.",
    "curve": "Cost as load grows: the same ratios; weft's CPU a request, its resident memory and "
    "its maps then. Drawn in report.svg.",
    "loads": "nginx with a static file, asked over 32 connections (tests/apps/pace.c), and a weft "
    "that traces it. CPU: user and system time of both processes of weft. Wake-ups: how often a "
    "thread had gone to sleep and was woken (voluntary context switches). Lost: requests that were "
    "answered, less spans that were exported and less requests that weft let pass, as it counted them itself: its CPU "
    "budget was used up.",
    "kernel": "Runs and time of each BPF program by the kernel's BPF statistics, which are part of "
    "the time.",
    "hosts": "Start to ready: from exec to the line that says so, with the self-test of injection. "
    "To the first span: from exec to the beginning of the first request that was traced, which is "
    "when programs are attached. Exit: from SIGTERM to the end. The whole host is traced.",
    "processes": "CPU of both processes of weft for each process that starts and ends.",
}


@dataclass(frozen=True, kw_only=True)
class Figure(Row):
    """
    A number, or a spread, of the figures. `told`: more than it and its unit. `most`: what is aimed
    at. `kind`: of stats.KINDS.
    """
    unit: str
    value: Callable
    kind: str = stats.TIME
    told: Callable = None
    most: float = None


def _load(key, name):
    return lambda figures: figures["loads"][key][name]


def _host(key, name):
    return lambda figures: figures["hosts"][key][name]


def _programs(name):
    return lambda figures: figures["kernel"]["programs_nginx"][name]


def _told_memory(figures):
    sizes = figures["loads"]["paced_10k"]["memory_bytes"].values()
    total = {key: sum(one[key] for one in sizes) / MIB
             for key in ("rss", "anonymous", "maps", "file")}
    return (f"{total['rss']:.1f} MiB: {total['anonymous']:.1f} anonymous, {total['maps']:.1f} of "
            f"the ring buffer and other maps, {total['file']:.1f} of files")


def _told_kernel(figures):
    one = figures["kernel"]["programs_nginx"]
    return f"{one['ns_per_run']['median']:.0f} ns, {one['runs_per_request']:.1f} runs a request"


def _traps(figures):
    """Runs of programs at functions of libraries: each is a trap."""
    programs = figures["kernel"]["programs_https"]["programs"]
    return sum(one["runs"] for name, one in programs.items() if name.startswith("tls_")) / \
        figures["kernel"]["programs_https"]["requests"]


def _told_traps(figures):
    one = figures.get("comparisons", {}).get("https")
    https = figures["kernel"]["programs_https"]
    returns = https["programs"].get("tls_received", {"runs": 0})["runs"] / https["requests"]
    beside = f", the ratio of throughput being {one['rate_ratio']['median']:.2f}" if one else ""
    return f"{_traps(figures):.2f}, of which {returns:.2f} are returns by uretprobe{beside}"


def told_lost(one):
    lost = "not told" if one["lost"] is None else f"{one['lost']:,}"
    passed = f", {one['passed']:,} let pass" if one.get("passed") else ""
    return f"{lost} of {one['done']:,}{passed}"


def _told_lost(key):
    return lambda figures: told_lost(figures["loads"][key])


def _uncounted(figures):
    told = figures["loads"]["saturated"]["counters"]
    return told and told["captured"] - told["exported"] - told["dropped"]


def _told_saturated(figures):
    one = figures["loads"]["saturated"]
    told = one["counters"]
    if not told:
        return "weft told no counters"
    return (f"captured {told['captured']:,} = exported {told['exported']:,} + dropped "
            f"{told['dropped']:,}, at {one['rate']['median']:,.0f} a second")


_Time = partial(Figure, kind=stats.TIME)
_Size = partial(Figure, kind=stats.SIZE, unit="bytes")
_Count = partial(Figure, kind=stats.COUNT, unit="spans")

FIGURES = (
    _Time(key="kernel_ns", what="kernel time a program run, nginx traced", unit="ns", most=1000,
          value=_programs("ns_per_run"), told=_told_kernel,
          meaning="Mean over all runs of weft's BPF programs. By program, and for other servers: "
          "below the tables."),
    _Time(key="kernel_request_ns", what="kernel time a request then", unit="ns",
          value=_programs("ns_per_request"),
          meaning="The same for all programs together, for each request."),
    Figure(key="traps", what="traps a request, HTTPS, at both ends", unit="traps", kind=stats.COUNT, most=4,
           value=_traps, told=_told_traps,
           meaning="How often nginx and wrk come to a place in OpenSSL that is probed, for each request; returns, too."),
    _Time(key="daemon_us", what="weft's CPU a request at 10,000 a second", unit="us", most=3,
          value=_load("paced_10k", "tracer_us"), meaning="User and system time of both processes."),
    _Time(key="daemon_1k_us", what="weft's CPU a request at 1,000 a second", unit="us",
          value=_load("paced_1k", "tracer_us"), meaning="The same."),
    _Size(key="rss", what="resident memory of both processes at 10,000 a second", most=20 * MIB,
          value=_load("paced_10k", "rss"), told=_told_memory,
          meaning="Anonymous: heap and stacks. Maps: pages of the kernel's, the ring buffer above "
          "all, that are mapped. Files: the binary and its libraries, which both processes share."),
    Figure(key="wakeups", what="wake-ups of both processes then", unit="1/s", kind=stats.SIZE,
           value=_load("paced_10k", "woken"), meaning="Voluntary context switches a second."),
    Figure(key="wakeups_rest", what="wake-ups of both processes at rest", unit="1/s",
           kind=stats.SIZE, value=_load("rest", "woken"),
           meaning="The same, when nothing is to be done."),
    _Size(key="maps", what="BPF maps", most=32 * MIB, value=_load("paced_10k", "map_bytes"),
          meaning="Memory of all maps of one weft, as the kernel accounts it; without what it keeps "
          "with each socket and thread."),
    _Size(key="maps_tls", what="BPF maps, --tls on", most=32 * MIB,
          value=lambda f: sum(f["kernel"]["programs_https"]["map_bytes"].values()), meaning="The same under HTTPS."),
    _Time(key="start", what="start to ready", unit="ms", value=_host("quiet", "ready_ms"), most=300,
          meaning="From exec to the line that says ready; the self-test of injection is part of "
          "it."),
    _Time(key="start_tls", what="start to ready, --tls on", unit="ms", value=_host("quiet_tls", "ready_ms"),
          meaning="The same with the programs that look into TLS."),
    _Time(key="first", what="start to the first request traced, at 2,000 a second", unit="ms",
          value=_host("loaded", "first_ms"), meaning="The time that attaching takes, with load."),
    _Time(key="exit", what="exit, at 2,000 a second", unit="ms", most=1000,
          value=_host("loaded", "exit_ms"), meaning="From SIGTERM to the end: spans are sent, "
          "programs detached."),
    _Count(key="lost_1k", what="spans lost at 1,000 a second", most=0,
           value=_load("paced_1k", "lost"), told=_told_lost("paced_1k"),
           meaning="Requests that were answered, less spans that were exported, less what weft let pass."),
    _Count(key="lost", what="spans lost at 10,000 a second", most=0,
           value=_load("paced_10k", "lost"), told=_told_lost("paced_10k"), meaning="The same."),
    _Count(key="lost_saturated", what="spans lost at saturation",
           value=_load("saturated", "lost"), told=_told_lost("saturated"), meaning="The same."),
    _Count(key="uncounted", what="not counted at saturation", most=0, value=_uncounted,
           told=_told_saturated,
           meaning="Spans captured that were neither exported nor counted as dropped."),
    _Time(key="process_us", what="weft's CPU a process that starts and ends", unit="us",
          quick=False, value=lambda f: f["processes"]["starts_1k"]["tracer_us"],
          meaning="At 1,000 processes a second, the whole host traced."),
    _Size(key="binary", what="size of the binary", value=lambda f: f["binary_bytes"],
          meaning="build/weft, with the BPF programs in it."),
)


def numbers(one):
    """A value, or a spread, as a summary row has it."""
    if isinstance(one, dict):
        return {"value": one["median"], **{key: one[key] for key in ("q1", "q3", "n")}}
    return {"value": one}


def figures_of(figures):
    """(Figure, value) of those whose step was measured."""
    for row in FIGURES:
        try:
            yield row, row.value(figures)
        except KeyError:
            continue


def selected(names, quick):
    """{step: rows} of the rows with these names or of these steps; without names all of them."""
    known = set(STEPS) | {row.key for table in STEPS.values() for row in table}
    for name in names:
        if name not in known:
            raise ValueError(f"no row {name}; there are: {' '.join(sorted(known))}")
    found = {step: [row for row in table if (row.quick or not quick) and
                    (not names or row.key in names or step in names)]
             for step, table in STEPS.items()}
    found["propagation"] = list(SURROUNDINGS)
    return {step: of_it for step, of_it in found.items() if of_it}


def help_text():
    def item(name, meaning):
        return f"  {name}\n" + textwrap.fill(meaning, 92, initial_indent="      ",
                                              subsequent_indent="      ")
    parts = ["What the rows mean, by the step that --rows may name, (*) in the quick form:"]
    for step, table in STEPS.items():
        if step in STEPS_MEAN:
            parts += [f"\n{step}", textwrap.indent(textwrap.fill(STEPS_MEAN[step], 94), "  ")]
            parts += [item(f"{row.key}: {row.what}{' (*)' if row.quick else ''}", row.meaning)
                      for row in table]
    parts.append("\nFigures that are drawn from them:")
    parts += [item(f"{row.key}: {row.what}", row.meaning) for row in FIGURES]
    return "\n".join(parts)


def _summary_row(one, kind, better, target):
    """`target`: {least or most: number}, or empty."""
    value, met = one["value"], None
    if "least" in target:
        met = value >= target["least"]
    elif "most" in target:
        met = value is not None and value <= target["most"]
    doubt = "q1" in one and "least" in target and one["q1"] < target["least"] <= one["q3"]
    return {**one, "kind": kind, "better": better, **target, "met": met, "in_doubt": doubt}


def _ratio_rows(key, what, one, least=None):
    yield {"key": key, "what": what, "unit": "ratio of throughput", "control": "noise",
           **_summary_row(numbers(one["rate_ratio"]), stats.RATIO, "more",
                          {} if least is None else {"least": least})}
    yield {"key": f"{key}_cpu", "what": what, "unit": "ratio of CPU time a request",
           "control": "noise_cpu", **_summary_row(numbers(one["cpu_ratio"]), stats.RATIO, "less",
                                                  {})}


def _latency_rows(figures):
    for proxy, one in figures.get("latency", {}).items():
        for adds in ("weft", "injection"):
            for key in ("p50_us", "p99_us"):
                yield {"key": f"latency_{proxy}_{key[:3]}_{adds}", "rate": one["rate"], "unit": "us",
                       "what": f"what {adds} adds to {key[:3]} of the proxy, {proxy}",
                       **_summary_row(numbers(one[f"added_by_{adds}"][key]), stats.DIFFERENCE,
                                      "less", {})}


def _curve_rows(figures):
    for axis in AXES:
        for point, one in figures.get("curve", {}).get(axis.key, {}).items():
            yield from _ratio_rows(f"{axis.key}_{point}", f"{point} {axis.unit}", one)


def summary(figures):
    """
    A flat list for programs: {key, what, value, unit, kind, better}, with quartiles where there are;
    and where something is aimed at {least or most, met, in_doubt}. In doubt: that lies between the
    quartiles.
    """
    found = []
    for one in RATIOS:
        if one.key in figures.get("comparisons", {}):
            found += _ratio_rows(one.key, one.what, figures["comparisons"][one.key], one.least)
    found += [*_latency_rows(figures), *_curve_rows(figures)]
    for one, value in figures_of(figures):
        found.append({"key": one.key, "what": one.what, "unit": one.unit,
                      **_summary_row(numbers(value), one.kind, "less",
                                     {} if one.most is None else {"most": one.most})})
    if "noise" in figures.get("comparisons", {}):
        found.append({"key": "machine_us", "what": "CPU time a request, nginx and wrk without weft",
                      "unit": "us", **numbers(figures["comparisons"]["noise"]["cpu_us"][0])})
    return found
