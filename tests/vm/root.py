# SPDX-License-Identifier: Apache-2.0
"""
The files of a machine with another processor: Debian's packages of this release, unpacked and not
installed; and weft and the test programs, built here with the libraries that lie there.
"""

import os
import shutil
import subprocess

import packages
from packages import Missing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPS = os.path.join(ROOT, "tests", "apps")
RUN = ("python3", "curl", "iproute2", "bpftool", "nginx", "util-linux", "coreutils", "dash", "procps")
BUILD = ("libc6-dev", "libbpf-dev", "libelf-dev", "zlib1g-dev", "libprotobuf-c-dev",
         "libcurl4-openssl-dev", "libjansson-dev", "libyaml-dev", "libsystemd-dev", "libcap-dev",
         "libseccomp-dev", "libnghttp2-dev", "liburing-dev")
BUILD_S = 900
PARTS = ("vm/weft-hooks-off", "tests/bpf/verify")
# Programs of tests/apps that run there, and what they are linked with (tests/lib/apps.py, c_program).
PROGRAMS = {"calls": ["-luring"], "recorder": ["-lpthread"], "sockhash": ["-lbpf"]}


def make(apt, target):
    """Unpacks the packages, once, and anew when there are others."""
    listed, wanted = os.path.join(target, "packages"), " ".join([*RUN, *BUILD])
    if os.path.exists(listed):
        with open(listed, encoding="ascii") as handle:
            if handle.read() == wanted:
                return
    shutil.rmtree(target, ignore_errors=True)
    part = f"{target}.part"
    shutil.rmtree(part, ignore_errors=True)
    archives = apt.download(apt.needed([*RUN, *BUILD]), os.path.join(f"{part}", "archives"))
    packages.unpack(archives, part)
    shutil.rmtree(os.path.join(part, "archives"))
    for name, text in (("passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
                       ("group", "root:x:0:\nnogroup:x:65534:\n"), ("hosts", "127.0.0.1 localhost\n")):
        with open(os.path.join(part, "etc", name), "w", encoding="ascii") as out:
            out.write(text)
    for path in ("proc", "sys", "dev", "run", "tmp", "var/log/nginx", "var/lib/nginx"):
        os.makedirs(os.path.join(part, path), exist_ok=True)
    with open(os.path.join(part, "packages"), "w", encoding="ascii") as out:
        out.write(wanted)
    os.rename(part, target)


def _pkg_config(target, triple, path):
    """A pkg-config that sees that machine's libraries."""
    with open(path, "w", encoding="ascii") as out:
        out.write(f"#!/bin/sh\nexport PKG_CONFIG_SYSROOT_DIR='{target}'\n"
                  f"export PKG_CONFIG_LIBDIR='{target}/usr/lib/{triple}/pkgconfig:"
                  f"{target}/usr/share/pkgconfig'\nexec pkg-config \"$@\"\n")
    os.chmod(path, 0o755)


def _run(words, what):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S, cwd=ROOT)
    except FileNotFoundError:
        raise Missing(f"not installed: {words[0]}") from None
    if done.returncode != 0:
        raise RuntimeError(f"building {what}: {(done.stderr or done.stdout).strip()[-600:]}")


def build(target, cross, directory):
    """weft and the test programs for that machine, in `directory`, which lies in the project's."""
    triple = cross.rstrip("-")
    if not shutil.which(f"{cross}gcc"):
        raise Missing(f"not installed: {cross}gcc")
    compiler = [f"{cross}gcc", f"--sysroot={target}"]
    os.makedirs(os.path.join(directory, "e2e"), exist_ok=True)
    wrapper = os.path.join(directory, "pkg-config")
    _pkg_config(target, triple, wrapper)
    _run(["make", "-j2", f"BUILD={os.path.relpath(directory, ROOT)}", f"CROSS_COMPILE={cross}",
          f"CC={' '.join(compiler)}", f"PKG_CONFIG={wrapper}",
          *(os.path.join(os.path.relpath(directory, ROOT), part) for part in PARTS)], "weft")
    for name, libraries in PROGRAMS.items():
        _run([*compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o",
              os.path.join(directory, "e2e", name), os.path.join(APPS, f"{name}.c"), *libraries], name)
