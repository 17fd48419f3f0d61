# SPDX-License-Identifier: Apache-2.0
"""The servers, and what asks them: wrk, and tests/apps/pace and starts."""

import contextlib
import functools
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Callable

import apps
import grpc_peers
import h2load as h2load_output
from case import Test
from observe import CannotMeasure
from weft import alive, until

URL_PATH = "/item/1"
CONNECTIONS = 32
MANY_CONNECTIONS = 20000  # that nginx may hold
PATIENCE_S = 20           # for a program to end after it should have
MESSAGE = "PING-0123456789abcdef"
SERVICES_PORT = 3000      # of the first one; no other port of the bench is that low
IDLE_CONNECTIONS = 10000
BACKGROUND_S = 3600       # longer than any bench
BACKGROUND_WARM_S = 0.5

UNITS_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclass
class Target:
    """Where the load goes, in pace's form, and the processes whose CPU time it costs."""
    address: object = None
    processes: list = field(default_factory=list)

    @property
    def pids(self):
        return sorted({pid for process in self.processes for pid in apps.descendants(process.pid)})

    @property
    def executable(self):
        return os.readlink(f"/proc/{self.pids[-1]}/exe")


# Servers: each takes a stage (case.Test) to start them on, and returns their Target.

def _app(start):
    def serve(stage):
        app = start(stage)
        return Target(app.port or app.address, [app.process])
    return serve


def _answer(stage, how, port=None, path=None):
    """tests/apps/answer.c"""
    return apps.App(stage, [apps.c_program("answer"), port or path, how], port, path)


def serve_nothing(_):
    return Target()


def serve_idle(stage):
    """nginx, and a client with many connections that asks once a second over all of them."""
    target = SERVERS["nginx"](stage)
    stage.spawn([apps.c_program("pace"), target.address, URL_PATH, 1, BACKGROUND_S,
                 IDLE_CONNECTIONS])
    if not until(lambda: _sockets() >= 2 * IDLE_CONNECTIONS, PATIENCE_S):
        raise CannotMeasure(f"only {_sockets() // 2} of {IDLE_CONNECTIONS} connections were opened")
    return target


def serve_many(count):
    """So many services, each a process of its own."""
    def serve(stage):
        program = apps.c_program("answer")
        processes = [stage.spawn([program, SERVICES_PORT + i, "http"]) for i in range(count)]
        for i, process in enumerate(processes):
            apps.wait_for(("127.0.0.1", SERVICES_PORT + i), process, "answer")
        return Target(f"{SERVICES_PORT}+{count}", processes)
    return serve


def _sockets():
    """TCP sockets in use in this network namespace."""
    with open("/proc/self/net/sockstat", encoding="ascii") as handle:
        return int(re.search(r"^TCP: inuse (\d+)", handle.read(), re.M)[1])


def _https(stage):
    apps.certificate(stage)
    return apps.nginx(stage, tls=True, connections=MANY_CONNECTIONS)


SERVERS = {
    "nginx": _app(functools.partial(apps.nginx, connections=MANY_CONNECTIONS)),
    "apache": _app(apps.apache), "node": _app(apps.node), "go": _app(apps.go),
    "java": _app(apps.java), "flask": _app(apps.flask),
    "echo_tcp": _app(lambda stage: _answer(stage, "echo", port=stage.port())),
    "echo_unix": _app(lambda stage: _answer(stage, "echo", path=stage.path("echo.sock"))),
    "nginx_http2": _app(functools.partial(apps.nginx, http2=True)),
    "grpc_go": _app(lambda stage: grpc_peers.serve(stage, grpc_peers.go(stage))),
    "https": _app(_https),
    "idle": serve_idle, "none": serve_nothing,
}


# Load: each takes a Target and seconds, and returns rate, requests, p50_us, p99_us and load_cpu_s.

def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _result(words, seconds, interrupt=False):
    """What the program printed, and its CPU seconds. `interrupt`: it goes on until it is told."""
    before = _children_cpu()
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        try:
            if interrupt:
                time.sleep(seconds)
                process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=seconds + PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CannotMeasure(f"{words[0]} does not end") from None
    return text, _children_cpu() - before


def _told(words, seconds):
    """The same of a program of ours, which prints JSON."""
    text, cpu = _result(words, seconds)
    try:
        told = json.loads(text)
    except ValueError:
        raise CannotMeasure(f"{words[0]}: {text[-300:]}") from None
    if not told["done"]:
        raise CannotMeasure(f"{words[0]}: nothing was done")
    return {**told, "requests": told["done"], "load_cpu_s": cpu}


def _time_us(text):
    value, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(value) * UNITS_US[unit]


def wrk(target, seconds, scheme="http"):
    """As fast as 32 connections ask. wrk knows whole seconds only: it is told when to end."""
    text, cpu = _result(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{int(seconds) + PATIENCE_S}s",
                         "--latency", f"{scheme}://127.0.0.1:{target.address}{URL_PATH}"], seconds, True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    shares = dict(re.findall(r"^\s+(50|99)%\s+(\S+) *$", text, re.M))
    if not rate or not count or len(shares) < 2 or not int(count[1]) or "Non-2xx" in text:
        raise CannotMeasure(f"wrk told no rate: {text[-300:]}")
    return {"rate": float(rate[1]), "requests": int(count[1]), "p50_us": _time_us(shares["50"]),
            "p99_us": _time_us(shares["99"]), "load_cpu_s": cpu}


def h2load(path=URL_PATH, message=None):
    """
    As fast as 10 connections ask with 100 streams each, for what lies at the path; or with this message,
    a call of gRPC. What it tells of times are their mean and the longest one.
    """
    def load(target, seconds):
        words = ["h2load", "-c10", "-m100", f"-D{int(seconds * 1000)}ms"]
        with tempfile.NamedTemporaryFile() as data:
            if message is not None:
                data.write(b"\0" + len(message).to_bytes(4, "big") + message)
                data.flush()
                words += ["-d", data.name, "-H", "content-type: application/grpc", "-H", "te: trailers"]
            text, cpu = _result([*words, f"http://127.0.0.1:{target.address}{path}"], seconds)
        told = h2load_output.told(text)
        if not told or not told["done"] or told["failed"]:
            raise CannotMeasure(f"h2load told no rate: {text[-300:]}")
        return {"rate": told["rate"], "requests": told["done"], "p50_us": _time_us(told["mean"]),
                "p99_us": _time_us(told["longest"]), "load_cpu_s": cpu}
    return load


def pace(rate=0, connections=CONNECTIONS, what=URL_PATH):
    """At a fixed rate: latency as a client has it whose server is not at its limit. 0: as fast as
    the connections ask."""
    return lambda target, seconds: _told([apps.c_program("pace"), target.address, what, rate,
                                          seconds, connections], seconds)


def starts(rate=0):
    """Processes that start and end; of rate 0 one after the other."""
    return lambda _, seconds: _told([apps.c_program("starts", "-static"), rate, seconds], seconds)


@dataclass(frozen=True)
class Workload:
    """
    `keepalive`: how an nginx before the server keeps its connections to that; None: no nginx.
    `warm_s`: how long the server is asked before it is measured.
    """
    serve: Callable
    load: Callable = wrk
    keepalive: bool = None
    warm_s: float = 1.0


WORKLOADS = {
    **{name: Workload(SERVERS[name])
       for name in ("nginx", "apache", "go", "flask", "idle")},
    **{name: Workload(SERVERS[name], warm_s=5.0) for name in ("node", "java")},
    **{name: Workload(SERVERS[name], pace(what=MESSAGE)) for name in ("echo_tcp", "echo_unix")},
    "nginx_http2": Workload(SERVERS["nginx_http2"], h2load()),
    "grpc_go": Workload(SERVERS["grpc_go"], h2load("/weft.Test/Unary_1", b"x" * 100)),
    "https": Workload(SERVERS["https"], functools.partial(wrk, scheme="https")),
    "starts": Workload(serve_nothing, starts()),
    "keepalive": Workload(SERVERS["nginx"], keepalive=True),
    "closing": Workload(SERVERS["nginx"], keepalive=False),
}


class Servers:
    """Servers, each started when it is first asked for. Used as a context: ends what it started."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weft-bench-")
        os.chmod(self.directory.name, 0o755)
        self.stage, self.started = Test(self.directory.name, os.getpid(), None), {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pids = {pid for process in self.stage.processes for pid in apps.descendants(process.pid)}
        self.stage.close()
        for pid in filter(alive, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.directory.cleanup()

    def base(self, workload):
        """The server, without what stands before it."""
        if workload.serve not in self.started:
            self.started[workload.serve] = workload.serve(self.stage)
            workload.load(self.started[workload.serve], workload.warm_s)
        return self.started[workload.serve]

    def background(self, target, rate):
        """Asks so often from now on, until the end."""
        self.stage.spawn([apps.c_program("pace"), target.address, URL_PATH, rate, BACKGROUND_S,
                          CONNECTIONS])
        time.sleep(BACKGROUND_WARM_S)

    @contextlib.contextmanager
    def target(self, workload):
        """
        A proxy is started for each run: a connection to the server behind it from before weft was
        there could carry no context, and there are only those of this run.
        """
        base = self.base(workload)
        if workload.keepalive is None:
            yield base
            return
        proxy = apps.nginx(self.stage, behind=f"127.0.0.1:{base.address}",
                           keepalive=workload.keepalive)
        try:
            yield Target(proxy.port, [proxy.process, *base.processes])
        finally:
            proxy.process.terminate()
            proxy.process.wait(PATIENCE_S)
