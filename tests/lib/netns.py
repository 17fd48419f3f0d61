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


def path(name):
    return f"/run/netns/{name}"


def names(prefix):
    """Namespaces whose names begin so."""
    return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]


def join(one, address, other, other_address):
    """A cable between two namespaces, with an address at each end."""
    ends = [(one, f"weft{os.getpid()}a", address), (other, f"weft{os.getpid()}b", other_address)]
    subprocess.run(["ip", "-n", one, "link", "add", ends[0][1], "type", "veth", "peer", "name",
                    ends[1][1], "netns", other], check=True)
    for name, link, own in ends:
        subprocess.run(["ip", "-n", name, "address", "add", own, "dev", link], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", link, "up"], check=True)


def enter(name):
    """The calling thread, and what it starts from now on, live in the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path(name), "rb") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"entering namespace {name}")


def enter_new():
    """The same, in a new one without a name, which ends with the last process in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "making a network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def outside(pid):
    """Words that run a command in the network namespace of process `pid`."""
    return inside(f"/proc/{pid}/ns/net")


def inside(file):
    """Words that run a command in the network namespace that the file stands for."""
    return ["nsenter", f"--net={file}", "--"]


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
