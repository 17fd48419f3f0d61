# SPDX-License-Identifier: Apache-2.0
"""In the virtual machine: what is true of its kernel, and what the kernel says of weft's programs."""

import os
import re
import subprocess

# What a kernel says when something is wrong with it.
BAD = re.compile(r"\bBUG\b|WARNING:|Oops|seq # bug|cut here|refcount_t|general protection|"
                 r"paging request|use-after-free|underflow|hung task|Call Trace|corrupt")
SHOWN = 12
WARNING = 4  # the least of the priorities that are looked at


class KernelLog:
    """What the kernel has logged since it was last read."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def _lines(self):
        while True:
            try:
                head, _, text = os.read(self.fd, 8192).decode(errors="replace").partition(";")
                yield int(head.split(",")[0]) & 7, text.split("\n")[0]
            except BlockingIOError:
                return
            except BrokenPipeError:
                yield WARNING, "BUG of the test: messages were overwritten before they were read"

    def read(self):
        """Lines that tell of something wrong, and other warnings."""
        lines = list(self._lines())
        bad = [text for _, text in lines if BAD.search(text)]
        others = [text for priority, text in lines if priority <= WARNING and text not in bad]
        return bad[:SHOWN], others[:SHOWN]


def _unread(build):
    """FIONREAD of a socket in a sockhash, as a program without weft's code sees it."""
    done = subprocess.run([os.path.join(build, "e2e", "sockhash"), "own"], capture_output=True,
                          text=True, timeout=60)
    return done.stdout.strip() or f"not known: {done.stderr.strip()}"


def kernel(build):
    with open("/proc/sys/kernel/unprivileged_bpf_disabled", encoding="ascii") as value:
        closed = int(value.read())
    return {"unread": _unread(build), "unprivileged_bpf_disabled": closed,
            "machine": os.uname().machine}


def verified(build):
    """What the verifier says of each program: the lines of tests/bpf/verify."""
    done = subprocess.run([os.path.join(build, "tests", "bpf", "verify")], capture_output=True, text=True,
                          timeout=300)
    return done.stdout


def privileges(pid):
    """What a process may do: the lines of its status that tell it."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return dict(re.findall(r"^(CapEff|CapPrm|NoNewPrivs|Seccomp):\t(\S+)$", status.read(),
                               re.MULTILINE))
