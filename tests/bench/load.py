# SPDX-License-Identifier: Apache-2.0
"""The servers, and the load on them: wrk as fast as it goes, pace at a fixed rate."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

import apps
from observe import CannotMeasure
from weft import until

URL_PATH = "/item/1"
CONNECTIONS = 32
BODY_BYTES = 512
PATIENCE_S = 20  # for a program to end after it should have

# How the proxy reaches the server behind it, None: there is no proxy.
WORKLOADS = {"static": None, "keepalive": True, "closing": False}

UNITS_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclass
class Target:
    """Where the load goes, and whose CPU time it costs."""
    port: int
    pids: list


class Servers:
    """
    nginx with one worker and a static file; other nginx before it. Used as a context: ends what it
    has started.
    """

    def __init__(self, directory):
        self.dir, self.processes = directory, []
        os.makedirs(os.path.join(directory, "www"))
        with open(os.path.join(directory, "www", "hello.txt"), "wb") as handle:
            handle.write(b"x" * BODY_BYTES)

    def __enter__(self):
        try:
            self.behind = self._nginx()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in list(self.processes):
            self._end(process)

    def _nginx(self, **how):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = os.path.join(self.dir, f"nginx{port}.conf")
        with open(config, "w", encoding="utf-8") as handle:
            handle.write(apps.nginx_config(self.dir, port, **how))
        words = ["nginx", "-p", self.dir, "-c", config, "-e", os.path.join(self.dir, "nginx.err")]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.processes.append(process)
        apps.wait_for(("127.0.0.1", port), process, "nginx")
        if not until(lambda: len(apps.descendants(process.pid)) > 1, PATIENCE_S):
            raise CannotMeasure("nginx starts no worker")
        return Target(port, apps.descendants(process.pid))

    def _end(self, process):
        self.processes.remove(process)
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def target(self, workload):
        """
        A proxy is started for each run: a connection to the server behind it from before weft was
        there could carry no context, and there are only those of this run.
        """
        if WORKLOADS[workload] is None:
            yield self.behind
            return
        proxy = self._nginx(behind=f"127.0.0.1:{self.behind.port}", keepalive=WORKLOADS[workload])
        try:
            yield Target(proxy.port, proxy.pids + self.behind.pids)
        finally:
            self._end(self.processes[-1])


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _result(words, seconds, interrupt):
    """What the program printed, and its CPU seconds. `interrupt`: it goes on until it is told."""
    before = _children_cpu()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        try:
            if interrupt:
                time.sleep(seconds)
                process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=seconds + PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CannotMeasure(f"{words[0]} does not end") from None
    return text, _children_cpu() - before


def _time_us(text):
    value, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(value) * UNITS_US[unit]


def wrk(port, seconds):
    """As fast as 32 connections ask. wrk knows whole seconds only: it is told when to end."""
    text, cpu = _result(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{int(seconds) + PATIENCE_S}s",
                         "--latency", f"http://127.0.0.1:{port}{URL_PATH}"], seconds, True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    shares = dict(re.findall(r"^\s+(50|99)%\s+(\S+) *$", text, re.M))
    if not rate or not count or len(shares) < 2 or not int(count[1]) or "Non-2xx" in text:
        raise CannotMeasure(f"wrk told no rate: {text[-300:]}")
    return {"rate": float(rate[1]), "requests": int(count[1]), "p50_us": _time_us(shares["50"]),
            "p99_us": _time_us(shares["99"]), "load_cpu_s": cpu}


def pace(port, rate, seconds):
    """A fixed rate: latency as a client has it whose server is not at its limit."""
    text, cpu = _result([apps.c_program("pace"), str(port), URL_PATH, str(rate), str(seconds),
                         str(CONNECTIONS)], seconds, False)
    try:
        told = json.loads(text)
    except ValueError:
        raise CannotMeasure(f"pace: {text[-300:]}") from None
    return {**told, "requests": told["done"], "load_cpu_s": cpu}
