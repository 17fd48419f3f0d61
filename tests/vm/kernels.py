# SPDX-License-Identifier: Apache-2.0
"""Kernels of the distribution: which ones are tested, found, downloaded, unpacked, cached."""

import lzma
import os
import re
import shutil
from dataclasses import dataclass

import packages
from packages import Missing

# What the first process needs to reach the host's files.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
INSIDE = re.compile(r"(^|/)vmlinuz(-|$)|/kernel/(drivers/virtio|net/9p|fs/(9p|netfs|fscache|overlayfs))/")
SUITES = ("", "-security", "trixie", "trixie-security", "trixie-backports", "sid")
NEWEST = (99,)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Kernel:
    """`first` to before `end`: releases. `fionread`: what is known of sockets in a sockhash there."""
    name: str
    first: tuple
    end: tuple
    runs: tuple
    fionread: str = None
    machine: str = "x86_64"

    @property
    def architecture(self):
        return ARCHITECTURES[self.machine]


SHORT = ("all", "tls", "busy", "killed", "lockdown")
KERNELS = (
    Kernel("6.1", (6, 1), (6, 2), ("all", "kprobes", "tls", "busy", "killed", "lockdown")),
    Kernel("6.12-broken", (6, 12, 85), (6, 12, 114), SHORT, "broken"),
    Kernel("6.12-right", (6, 12, 115), (6, 13),
           ("all", "perf", "fexit", "kprobes", "tls", "busy", "killed", "lockdown"), "right"),
    Kernel("6.18", (6, 18), (6, 19), SHORT),
    Kernel("7.0", (7, 0), (7, 1), ("all", "preempted", "tls", "busy", "killed", "lockdown")),
    Kernel("newest", (7, 2), NEWEST, ("all", "preempted", "tls", "busy", "killed", "lockdown")),
    Kernel("arm64-6.1", (6, 1), (6, 2), SHORT, machine="aarch64"),
    Kernel("arm64-6.12", (6, 12, 115), (6, 13), SHORT, "right", machine="aarch64"),
)


def _release(name, architecture):
    """(6, 12, 113, 13) of linux-image-6.12.113+deb13-amd64; None if that is no such package."""
    found = re.fullmatch(rf"linux-image-(\d[\d.]*(?:-\d+)?)((?:\+deb[\d.]+)?)-{architecture}", name)
    parts = found and [int(number) for number in re.findall(r"\d+", found[1] + found[2])]
    return tuple(parts) if parts and len(parts) > 2 else None


def _newest(names, kernel):
    known = {name: _release(name, kernel.architecture) for name in names}
    fitting = [name for name, release in known.items()
               if release and kernel.first <= release < kernel.end]
    return max(fitting, key=known.get, default=None)


def _unpack(archives, directory):
    """The image and the few modules, without their directories."""
    for archive in archives:
        for member, tar in packages.members(archive):
            if not member.isfile() or not INSIDE.search(member.name):
                continue
            name = os.path.basename(member.name)
            name = "vmlinuz" if name.startswith("vmlinuz") else name
            with open(os.path.join(directory, name), "wb") as out:
                shutil.copyfileobj(tar.extractfile(member), out)
        os.unlink(archive)


def _parts(apt, name, directory):
    """
    Archives with the image and its modules: from Linux 6.19 on, packages of their own. Debian's index keeps
    signed images longer than modules; the kernel itself then tells whether these are its own, since each is
    signed (machine.py, module.sig_enforce).
    """
    image, modules = (name.replace("-image-", f"-{part}-") for part in ("binary", "modules"))
    known = set(apt.names("linux-"))
    if image not in known:
        return apt.download([name], directory)
    if modules in known:
        return apt.download([image, modules], directory)
    beside = apt.download_beside(modules, image, "linux", directory)
    return sorted({*apt.download([image], directory), beside})


def _download(apt, name, directory):
    part = f"{directory}.part"
    shutil.rmtree(part, ignore_errors=True)
    _unpack(_parts(apt, name, part), part)
    if not os.path.exists(os.path.join(part, "vmlinuz")):
        raise Missing(f"{name} holds no kernel image")
    os.rename(part, directory)


def fetch(kernel, apt, cache):
    """Directory with the kernel's image and modules; its name is the package's."""
    os.makedirs(cache, exist_ok=True)
    try:
        name = _newest(apt.names("linux-image-"), kernel)
        reason = "apt knows no such package"
    except Missing as error:
        name, reason = None, error
    name = name or _newest(os.listdir(cache), kernel)
    if not name:
        raise Missing(f"no kernel from {'.'.join(map(str, kernel.first))} on: {reason}")
    directory = os.path.join(cache, name)
    if not os.path.isdir(directory):
        _download(apt, name, directory)
    return directory


def _read(path):
    with open(path, "rb") as handle:
        data = handle.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def _load_order(modules, name, order):
    """Appends the module, behind those that it depends on."""
    found = re.search(rb"\0depends=([^\0]*)\0", modules[name])
    needed = found[1].decode().replace("-", "_").split(",") if found and found[1] else []
    for other in needed:
        if other in modules and other not in order:
            _load_order(modules, other, order)
    if name not in order:
        order.append(name)


def _cpio(entries):
    """(path, mode, content) as an archive in the form that the kernel unpacks ("newc")."""
    out = bytearray()
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def initrd(directory, init, path):
    """Writes the initial file system: init, and the kernel's modules in the order of loading."""
    modules = {name.split(".ko")[0].replace("-", "_"): _read(os.path.join(directory, name))
               for name in os.listdir(directory) if ".ko" in name}
    order = []
    for name in MODULES:
        if name in modules:  # the others are built in
            _load_order(modules, name, order)
    folders = [(name, 0o40755, b"") for name in ("modules", "root", "host", "tree", "layer", "dev")]
    files = [(f"modules/{n:02}-{name}.ko", 0o100644, modules[name]) for n, name in enumerate(order)]
    with open(path, "wb") as out:
        out.write(_cpio([*folders, ("init", 0o100755, _read(init)), *files]))
