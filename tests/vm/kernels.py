# SPDX-License-Identifier: Apache-2.0
"""Kernels of the distribution: found and downloaded by the machine's own apt, unpacked, cached."""

import fnmatch
import lzma
import os
import re
import shutil
import subprocess
import tarfile

# What the first process needs to reach the host's files.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
WANTED = re.compile(r"(^|/)boot/vmlinuz-|/kernel/(drivers/virtio|net/9p|fs/(9p|netfs|fscache|overlayfs))/")
DOWNLOAD_S = 240


class Missing(Exception):
    """No such kernel here; the text says why."""


def _natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _output(*words, **options):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=DOWNLOAD_S, **options)
    except FileNotFoundError:
        raise Missing(f"not installed: {words[0]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{words[0]} took more than {DOWNLOAD_S} s") from None
    if done.returncode != 0:
        raise Missing(f"{words[0]} failed: {(done.stderr.strip() or 'no reason given')[-200:]}")
    return done.stdout


def _newest(names, pattern):
    found = [name for name in names if fnmatch.fnmatch(name, pattern)]
    return max(found, key=_natural, default=None)


def _package(pattern, cache):
    """The newest package that the pattern fits: of the unpacked ones, else of those apt knows."""
    unpacked = _newest(os.listdir(cache), pattern)
    if unpacked:
        return unpacked
    name = _newest(_output("apt-cache", "pkgnames", "linux-image-").split(), pattern)
    if not name:
        raise Missing(f"apt knows no package {pattern}")
    return name


def _unpack(archive, directory):
    """The image and the few modules, without their directories."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as data:
        with tarfile.open(fileobj=data.stdout, mode="r|") as tar:
            for member in tar:
                if not member.isfile() or not WANTED.search(member.name):
                    continue
                name = os.path.basename(member.name)
                name = "vmlinuz" if name.startswith("vmlinuz-") else name
                with open(os.path.join(directory, name), "wb") as out:
                    shutil.copyfileobj(tar.extractfile(member), out)


def fetch(pattern, cache):
    """Directory with the kernel's image and modules; its name is the package's."""
    os.makedirs(cache, exist_ok=True)
    name = _package(pattern, cache)
    directory = os.path.join(cache, name)
    if os.path.isdir(directory):
        return directory
    part = os.path.join(cache, f".{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    _output("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", name, cwd=part)
    archives = [entry for entry in os.listdir(part) if entry.endswith(".deb")]
    if not archives:
        raise Missing(f"apt downloaded nothing for {name}")
    _unpack(os.path.join(part, archives[0]), part)
    if not os.path.exists(os.path.join(part, "vmlinuz")):
        raise Missing(f"{name} holds no kernel image")
    os.unlink(os.path.join(part, archives[0]))
    os.rename(part, directory)
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
    folders = [(name, 0o40755, b"") for name in ("modules", "root", "host", "layer", "dev")]
    files = [(f"modules/{n:02}-{name}.ko", 0o100644, modules[name]) for n, name in enumerate(order)]
    with open(path, "wb") as out:
        out.write(_cpio([*folders, ("init", 0o100755, _read(init)), *files]))
