# SPDX-License-Identifier: Apache-2.0
"""A network namespace for one test: made, entered, emptied and removed."""

import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000


def create(name):
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)


def enter(name):
    """The calling thread, and what it starts from now on, live in the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{name}", "rb") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"entering namespace {name}")


def outside(pid):
    """Words that run a command in the network namespace of process `pid`."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def same(one, other):
    """Do these two processes live in one network namespace?"""
    return os.stat(f"/proc/{one}/ns/net").st_ino == os.stat(f"/proc/{other}/ns/net").st_ino


def pids(name):
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def destroy(name):
    """Ends every process in the namespace, then removes it."""
    for _ in range(50):
        remaining = pids(name)
        if not remaining:
            break
        for pid in remaining:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)
