# SPDX-License-Identifier: Apache-2.0
"""A machine of software alone (QEMU): which one for which processor, and how it is run to its end."""

import os
import subprocess
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ARGUMENTS = "loglevel=5 mitigations=off no_timer_check nowatchdog panic=-1 module.sig_enforce=1"
QEMU = ["-accel", "tcg", "-m", "3072", "-display", "none", "-no-reboot", "-nic", "none"]
SHARED = "local,security_model=none,multidevs=remap,path={},mount_tag={}"


@dataclass(frozen=True)
class Machine:
    """`cross`: what the names of its compiler's programs begin with, on another machine."""
    qemu: str
    words: tuple
    arguments: str
    cross: str


MACHINES = {
    "x86_64": Machine("qemu-system-x86_64", ("-cpu", "max,la57=off"), "console=ttyS0 tsc=reliable",
                      "x86_64-linux-gnu-"),
    "aarch64": Machine("qemu-system-aarch64", ("-M", "virt", "-cpu", "max,pauth-impdef=on"),
                       "console=ttyAMA0", "aarch64-linux-gnu-"),
}


def build_init(machine, work):
    """The first process, linked statically; None if that cannot be done here."""
    target = os.path.join(work, f"init-{machine}")
    compiler = "cc" if machine == os.uname().machine else f"{MACHINES[machine].cross}gcc"
    words = [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-static", "-o", target,
             os.path.join(HERE, "init.c")]
    try:
        return target if subprocess.run(words, capture_output=True).returncode == 0 else None
    except FileNotFoundError:
        return None


@dataclass
class Place:
    """What a machine sees: `root`, and there, unless it is this machine's, `tree`. `out`: what it writes."""
    root: str
    tree: str
    out: str


def boot(machine, kernel, initrd, place, command, limit, processors=2):
    """Runs one machine to its end: the text of its console, and whether it came to its end in time."""
    shares = [(place.root, "host", ",readonly=on"), (place.tree, "tree", ",readonly=on"),
              (place.out, "out", "")]
    console = os.path.join(place.out, "console")
    tree = f"tree={place.tree}" if place.root != "/" else ""
    words = [machine.qemu, *QEMU, *machine.words, "-smp", str(processors), "-kernel", kernel,
             "-initrd", initrd, "-serial", f"file:{console}",
             "-append", f"{machine.arguments} {ARGUMENTS} {tree} -- {' '.join(command)}"]
    for path, tag, more in shares:
        words += ["-virtfs", SHARED.format(path, tag) + more]
    begin = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    with open(console, encoding="utf-8", errors="replace") as lines:
        return lines.read(), time.monotonic() - begin
