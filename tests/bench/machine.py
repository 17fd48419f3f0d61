# SPDX-License-Identifier: Apache-2.0
"""The machine and the programs that figures come from."""

import os
import platform
import subprocess

SAME_IF = ("cpu", "cpus", "memory_mib", "kernel", "arch", "virtual")
VERSIONS = {"nginx": ("nginx", "-v"), "wrk": ("wrk", "-v"), "apache": ("apache2", "-v"),
            "node": ("node", "--version"), "go": ("go", "version"), "java": ("java", "--version"),
            "gunicorn": ("gunicorn", "--version")}


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip() if ":" in line else line.strip()
    except OSError:
        pass
    return "unknown"


def _version(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError:
        return "not installed"
    return ((done.stdout + done.stderr).strip().splitlines() or ["unknown"])[0]


def describe():
    with open("/proc/meminfo", encoding="ascii") as handle:
        memory = int(handle.readline().split()[1]) / 1024
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        system = "unknown"
    return {"cpu": _first("/proc/cpuinfo", "model name"),
            "cpus": os.cpu_count(), "memory_mib": round(memory), "kernel": platform.release(),
            "arch": platform.machine(), "system": system,
            "virtual": "hypervisor" in _first("/proc/cpuinfo", "flags"),
            "versions": {name: _version(*words) for name, words in VERSIONS.items()}}


def words(host):
    virtual = "virtual machine, " if host["virtual"] else ""
    nginx = host["versions"]["nginx"].split()[-1]
    wrk = host["versions"]["wrk"].partition(" [")[0]
    return (f"{host['cpu']}, {host['cpus']} cores, {host['memory_mib']:,} MiB, {virtual}"
            f"{host['arch']}, Linux {host['kernel']}, {host['system']}; {nginx}; {wrk}")


def same(one, other):
    """Whether times on the two can be compared."""
    return all(one[key] == other[key] for key in SAME_IF)
