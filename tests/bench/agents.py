# SPDX-License-Identifier: Apache-2.0
"""What is measured: weft, or a peer's program, each as a context that begins when it is ready."""

import os
import shlex
import subprocess
import time

import apps
import observe
from observe import CannotMeasure
from weft import Weft, bpf_objects

PEER_PATIENCE_S = 90   # until a peer has loaded what it loads
PEER_STEADY_S = 1.5    # that no program comes or goes, is taken for ready
PATIENCE_S = 10


def peer_given():
    """A path to the peer's program in the environment."""
    return bool(os.environ.get("PEER"))


class Agent:
    """A tracer that runs. Subclasses: pids(), ready_s (from start), stop(), exit_s."""

    ready_s = exit_s = None

    def pids(self):
        """{name: process id}"""
        raise NotImplementedError

    def memory(self):
        return {name: observe.memory(pid) for name, pid in self.pids().items()}

    def map_bytes(self):
        return observe.map_bytes(self.pids().values())

    def counters(self):
        """Spans captured, exported, dropped; None: not told."""


class WeftAgent(Agent):
    def __init__(self, directory, words, exports=("file:/dev/null",)):
        self.begun_ns = time.time_ns()
        self.weft = Weft(directory, *words, exports=exports, budget=None)
        try:
            self.ready_s = self.weft.wait_ready()
        except BaseException:
            self.weft.kill()
            raise

    def pids(self):
        return {"watcher": self.weft.pid, "pipeline": self.weft.pipeline()}

    def counters(self):
        return self.weft.counters()

    def stop(self):
        try:
            if self.weft.stop(limit=PATIENCE_S) != 0:
                raise CannotMeasure(f"weft ended with {self.weft.process.returncode}: "
                                    f"{self.weft.log[-300:]}")
        finally:
            self.weft.kill()
        self.exit_s = self.weft.stop_s


class PeerAgent(Agent):
    """
    PEER with the words of PEER_ARGS, in the bench's network namespace and with its environment.
    Ready: once it holds BPF programs and has loaded none for a while.
    """

    def __init__(self, directory):
        self.log_path = os.path.join(directory, "peer.log")
        words = [os.environ["PEER"], *shlex.split(os.environ.get("PEER_ARGS", ""))]
        begun = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.ready_s = self._wait_ready(begun)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _wait_ready(self, begun):
        held, since = set(), begun
        while time.monotonic() < begun + PEER_PATIENCE_S:
            if self.process.poll() is not None:
                with open(self.log_path, encoding="utf-8", errors="replace") as log:
                    raise CannotMeasure(f"the peer ended: {log.read()[-300:]}")
            now = set().union(*(bpf_objects(pid) for pid in self.pids().values()))
            if now != held:
                held, since = now, time.monotonic()
            elif held and time.monotonic() > since + PEER_STEADY_S:
                return since - begun
            time.sleep(0.02)
        raise CannotMeasure(f"the peer loads no BPF programs within {PEER_PATIENCE_S} s")

    def pids(self):
        return {f"peer{i or ''}": pid
                for i, pid in enumerate(apps.descendants(self.process.pid))}

    def stop(self):
        begun = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.exit_s = time.monotonic() - begun
