# SPDX-License-Identifier: Apache-2.0
"""
Packages that this machine's release does not have: an apt with directories of its own, which asks
the mirror that this machine's apt asks. What is installed here stays as it is.
"""

import os
import subprocess
import tarfile
import time

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
APT_HELPER = "/usr/lib/apt/apt-helper"
INDEX_S = 24 * 3600  # an index older than that is fetched again
DOWNLOAD_S = 240
PARTS_MERGED = ("bin", "sbin", "lib", "lib64")  # they lie in usr since Debian 12


class Missing(Exception):
    """It cannot be had here; the text says why."""


def output(*words, **options):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=DOWNLOAD_S, **options)
    except FileNotFoundError:
        raise Missing(f"not installed: {words[0]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{words[0]} took more than {DOWNLOAD_S} s") from None
    if done.returncode != 0:
        raise Missing(f"{words[0]} failed: {(done.stderr.strip() or 'no reason given')[-200:]}")
    return done.stdout


def _mirrors():
    """This release's name, and where the machine's apt has Debian's archive and its security updates from."""
    with open("/etc/os-release", encoding="utf-8") as lines:
        about = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    release = about.get("VERSION_CODENAME", "").strip('"')
    told = output("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)",
                  "Created-By: Packages")
    places = dict(line.split(" ", 1) for line in told.splitlines())
    if about.get("ID") != "debian" or release not in places:
        raise Missing("this machine's apt does not know Debian's archive")
    return release, places[release], places.get(f"{release}-security")


class Apt:
    """
    `directory`: where its index and packages lie. `suites`: names such as trixie, trixie-security;
    "" stands for this machine's own release.
    """

    def __init__(self, directory, architecture, suites):
        self.directory, self.architecture, self.suites = directory, architecture, suites
        status = os.path.join(directory, "status")
        self.options = [word for option in (
            f"Dir::State={directory}/state", f"Dir::Cache={directory}/cache", f"Dir::Etc={directory}/etc",
            "Dir::Etc::netrc=/etc/apt/auth.conf", f"Dir::State::status={status}",
            f"APT::Architecture={architecture}", f"APT::Architectures={architecture}",
            "Acquire::Languages=none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "APT::Sandbox::User=root", "APT::Install-Recommends=false",
        ) for word in ("-o", option)]
        self._made = False

    def _source(self, suite, release, mirror, security):
        name, _, part = suite.partition("-")
        suite = "-".join([name or release] + ([part] if part else []))
        place = security if part == "security" else mirror
        return f"deb [signed-by={KEYS}] {place} {suite} main\n" if place else ""

    def _make(self):
        """The directories, and an index that is not too old."""
        if self._made:
            return
        for part in ("etc", "state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.directory, part), exist_ok=True)
        with open(os.path.join(self.directory, "status"), "a", encoding="ascii"):
            pass
        sources = "".join(self._source(suite, *_mirrors()) for suite in self.suites)
        path, stamp = (os.path.join(self.directory, part) for part in ("etc/sources.list", "index"))
        fresh = os.path.exists(stamp) and time.time() - os.path.getmtime(stamp) < INDEX_S
        if not fresh or open(path, encoding="utf-8").read() != sources:
            with open(path, "w", encoding="utf-8") as out:
                out.write(sources)
            self._run("apt-get", "update", "-q")
            with open(stamp, "w", encoding="ascii"):
                pass
        self._made = True

    def _run(self, program, *words, **options):
        return output(program, *self.options, *words, **options)

    def names(self, prefix):
        self._make()
        return self._run("apt-cache", "pkgnames", prefix).split()

    def needed(self, names):
        """The packages, and all that they need."""
        self._make()
        told = self._run("apt-get", "install", "--simulate", "-q", *names)
        return [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]

    def shown(self, name, field):
        """A field of what the index says of a package."""
        self._make()
        told = self._run("apt-cache", "show", name)
        return next(line.split(": ", 1)[1] for line in told.splitlines() if line.startswith(f"{field}: "))

    def download_beside(self, name, other, source, directory):
        """
        A package that the index has no more, of the version of `other`, which it has still. Nothing says
        that it is the right one: the caller has to have a proof of its own.
        """
        version, path = self.shown(other, "Version"), self.shown(other, "Filename")
        _, mirror, _ = _mirrors()
        pool = os.path.dirname(os.path.dirname(path))
        file = f"{name}_{version.rpartition(':')[2]}_{self.architecture}.deb"
        os.makedirs(directory, exist_ok=True)
        target = os.path.join(directory, file)
        self._run(APT_HELPER, "download-file", f"{mirror.rstrip('/')}/{pool}/{source}/{file}", target)
        return target

    def download(self, names, directory):
        """Paths of the packages' archives, in the directory."""
        self._make()
        os.makedirs(directory, exist_ok=True)
        self._run("apt-get", "download", "-q", *names, cwd=directory)
        return sorted(os.path.join(directory, name) for name in os.listdir(directory)
                      if name.endswith(".deb"))


def members(archive):
    """Each file of a package: (entry, its reader)."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as data:
        with tarfile.open(fileobj=data.stdout, mode="r|") as tar:
            for member in tar:
                yield member, tar


def _merged(name):
    name = name.removeprefix("./")
    return f"usr/{name}" if name.split("/")[0] in PARTS_MERGED else name


def unpack(archives, root):
    """The packages' files below `root`, without running anything of them."""
    os.makedirs(os.path.join(root, "usr"), exist_ok=True)
    for part in PARTS_MERGED:
        os.makedirs(os.path.join(root, "usr", part), exist_ok=True)
        os.symlink(f"usr/{part}", os.path.join(root, part))
    for archive in archives:
        for member, tar in members(archive):
            member.name = _merged(member.name)
            if member.islnk():
                member.linkname = _merged(member.linkname)
            if member.isdir():
                os.makedirs(os.path.join(root, member.name), exist_ok=True)
            elif member.isreg() or member.issym() or member.islnk():
                tar.extract(member, root, set_attrs=member.isreg())
