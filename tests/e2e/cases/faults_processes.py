# SPDX-License-Identifier: Apache-2.0
"""Processes that come and go in crowds, share a number, live in another world, or are of an odd kind."""

import contextlib
import os
import shutil
import subprocess
import time

import apps
import common
import traffic
from case import Skip, case
from faults_common import Belongings, ended_well, kernel_counter, losses, map_keys, maps, odd
from spans import CLIENT
from weft import alive, find_key, until

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
STORM = 600


def _settled(weft, requests):
    """Both ends of so many requests are captured, and exported or dropped."""
    def settled():
        counters = weft.counters()
        return counters["captured"] >= 2 * requests and not counters["open"]
    return until(settled, 8)


def _dead(table):
    """Numbers in a table of processes or threads that nobody has, and not only for a moment."""
    return {number for number in map_keys(table) & map_keys(table)
            if not os.path.exists(f"/proc/{number}")}


@case(timeout=100, needs=["bpftool"])
def process_storm(t):
    """Hundreds of processes of one request each, that fork, execute, and execute from a thread."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port, env=FAST)
    traffic.keep_alive(app.address, ["/chain/0"])
    held, tables = Belongings(weft), maps(weft)
    ended_well(t, odd(t, "storm", app.port, 1, STORM, 16), "the storm")
    t.expect_true("every request is settled", _settled(weft, STORM + 1))
    for name in ("processes", "units"):
        until(lambda n=name: not _dead(tables[n]), 3)
        t.expect(f"the dead in the table {name}", set(), _dead(tables[name]))
    held.unchanged(t)
    t.expect("dropped", {}, losses(weft))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(STORM + 1), app.port)
    pids = {span.resource.get("process.pid") for span in spans if span.kind == CLIENT}
    t.expect("processes that the clients' spans tell apart", STORM + 1, len(pids))
    held.gone(t)


@case(timeout=90, needs=["bpftool"])
def same_number_again(t):
    """A process with the number of one that has ended is another process, whatever that one was."""
    app = apps.backend(t)
    first, second = t.path("first-service"), t.path("second-service")
    for copy in (first, second):
        shutil.copy(apps.c_program("odd", "-lpthread"), copy)
    weft = t.weft("--port", app.port, env=FAST)
    held, processes = Belongings(weft), maps(weft)["processes"]
    wanted, number = {}, 0
    for round_ in range(12):
        pid = _free_number(round_)
        for program in (first, second) if round_ % 2 else (second, first):
            process = odd(t, "pid", pid, program, "get", app.port, number, 1)
            status = process.wait(20)
            if status == 77:
                raise Skip("clone3(2) gives no number of choice here")
            t.expect("how the request went", 0, status)
            wanted[number] = os.path.basename(program)
            number += 1
            # no kernel gives a number again before all others had their turn
            t.expect_true("the request is settled", _settled(weft, number))
        t.expect("the number is in no table any more", False, pid in map_keys(processes))
    held.unchanged(t)
    spans = t.stop(weft)
    _, clients = common.exchanges(t, spans, range(number), app.port)
    # one that ends before it can be looked at is known by its command's name alone
    t.expect("services of the clients", wanted,
             {n: span.resource.get("service.name").removeprefix("unknown_service:")
              for n, span in clients.items()})
    held.gone(t)


def _free_number(round_):
    """A number that no process has, well away from the next one to be given."""
    with open("/proc/sys/kernel/ns_last_pid", encoding="ascii") as handle:
        last = int(handle.read())
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as handle:
        most = int(handle.read())
    number = (last + most // 2 + 100 * round_) % (most - 400) + 300
    while os.path.exists(f"/proc/{number}"):
        number += 1
    return number


@case(timeout=90)
def binary_replaced(t):
    """A program whose file is replaced, or deleted, while it runs is traced under its own name."""
    port = t.port()
    program = t.path("shop-server")
    shutil.copy(apps.go_binary(), program)
    app = apps.App(t, [program, port], port)
    other = t.path("other")
    shutil.copy("/bin/true", other)
    os.rename(other, program)
    weft = t.weft("--port", port, env=FAST)
    held = Belongings(weft)
    traffic.keep_alive(app.address, [f"/chain/{n}" for n in range(20)])
    os.unlink(program)
    traffic.one_by_one(app.address, [f"/chain/{n}" for n in range(20, 40)])
    held.unchanged(t)
    servers, _ = common.exchanges(t, t.stop(weft), range(40), port)
    common.all_equal(t, "service.name", "shop-server", list(servers.values()),
                     lambda s: s.resource.get("service.name"))
    common.all_equal(t, "process.runtime.name", "go", list(servers.values()),
                     lambda s: s.resource.get("process.runtime.name"))
    held.gone(t)


RELOADS = 100


def _gnutls(t):
    """A copy of GnuTLS' library: weft keeps to the system's own one for ever."""
    found = apps.library("libgnutls.so.30")
    if not found:
        raise Skip("not installed: libgnutls30")
    return shutil.copy(found, t.path("libgnutls.so.30"))


@case(timeout=90, needs=["openssl"])
def library_loaded_again_and_again(t):
    """A library with probes in it is unloaded after each request, and loaded again for the next."""
    library, program = _gnutls(t), apps.c_program("reload", "-ldl")
    apps.certificate(t)
    app = apps.backend(t, tls=True)
    weft = t.weft("--tls", "on", "--log-level", "debug", env=FAST)
    held = Belongings(weft)
    done = subprocess.run([program, library, str(app.port), "0", str(RELOADS)], capture_output=True,
                          text=True, timeout=60)
    t.expect("how it ended", (0, ""), (done.returncode, done.stderr))
    t.expect("answers, and unloadings", f"{RELOADS} {RELOADS}", done.stdout.strip())
    t.expect_true("probes were set into it", library in weft.log)
    held.unchanged(t)
    spans = t.stop(weft)
    common.once(t, spans, range(RELOADS), common.SERVER)
    clients = {span.number for span in spans if span.kind == CLIENT}
    t.expect_true("requests that are no client's", clients <= set(range(RELOADS)))
    t.note(f"{len(clients)} of {RELOADS} requests seen at the client, too")
    held.gone(t)


CONTAINER = """
set -e
mount --make-rprivate /
mkdir -p {root}
mount --bind / {root}
mount -t tmpfs none {root}/srv
cp {backend} {root}/srv/contained.py
mount -t proc none {root}/proc
exec {chroot} {root} {python} /srv/contained.py {port}
"""


@case(timeout=90)
def other_root(t):
    """A server with a process namespace, mounts and a root of its own; its number here is another."""
    port, root = t.port(), t.path("root")
    script = CONTAINER.format(root=root, backend=os.path.join(apps.APPS, "backend.py"),
                              chroot=shutil.which("chroot"), python=apps.PYTHON, port=port)
    unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    server = apps.App(t, [*unshare, "sh", "-c", script], port)
    weft = t.weft("--port", port, env=FAST)
    held = Belongings(weft)
    client = odd(t, "get", port, 0, 20)
    ended_well(t, client, "the client")
    traffic.one_by_one(server.address, [f"/chain/{n}" for n in range(20, 40)])
    held.unchanged(t)
    servers, _ = common.exchanges(t, t.stop(weft), range(40), port)
    inside = sorted(server.pids)[-1]
    common.all_equal(t, "process.pid", inside, list(servers.values()),
                     lambda s: int(s.resource.get("process.pid")))
    common.all_equal(t, "service.name", "contained", list(servers.values()),
                     lambda s: s.resource.get("service.name"))
    held.gone(t)


def _compat(t):
    if os.uname().machine != "x86_64":
        raise Skip("the 32-bit program is for x86")
    flags = ("-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie",
             "-fno-stack-protector", "-fno-tree-loop-distribute-patterns")
    try:
        program = apps.c_program("compat", *flags)
    except RuntimeError as error:
        raise Skip(f"no 32-bit program can be made: {str(error).splitlines()[-1]}") from None
    try:
        subprocess.run([program, "1"], timeout=5)
    except OSError as error:
        raise Skip(f"the kernel runs no 32-bit programs: {error.strerror}") from None
    return program


@case(timeout=60)
def of_32_bits(t):
    """As client and as server: it works, it is counted, and nothing points to a span it has not."""
    program, app, port = _compat(t), apps.backend(t), t.port()
    weft = t.weft("--port", f"{app.port},{port}", env=FAST)
    held = Belongings(weft)
    ended_well(t, t.spawn([program, app.port]), "the 32-bit client")
    server = t.spawn([program, port, "serve", 2])
    apps.wait_for(("127.0.0.1", port), server, "compat")
    ended_well(t, odd(t, "get", port, 100, 20), "the client of the 32-bit server")
    ended_well(t, server, "the 32-bit server")
    until(lambda: kernel_counter(weft, "compat_abi") >= 2, 3)
    t.expect_range("calls that are counted, of each", 2, 1000, kernel_counter(weft, "compat_abi"))
    held.unchanged(t)
    spans = t.stop(weft)
    common.once(t, spans, range(20), common.SERVER)
    common.once(t, spans, range(100, 120), common.CLIENT)
    common.all_equal(t, "the parent that a request of the 32-bit client has", "", spans.servers(),
                     lambda s: s.parent or "")
    held.gone(t)


@case(timeout=60)
def under_seccomp_and_ptrace(t):
    """A client that may only read and write; client and server that a tracer stops at each call."""
    app, port = apps.backend(t), t.port()
    odd_program = apps.c_program("odd", "-lpthread")
    weft = t.weft("--port", f"{app.port},{port}", env=FAST)
    held = Belongings(weft)
    ended_well(t, odd(t, "strict", app.port, 0, 50), "the client under seccomp")
    words = [odd_program, "traced", apps.PYTHON, os.path.join(apps.APPS, "backend.py"), port]
    traced = apps.App(t, words, port, log="traced.log")
    ended_well(t, odd(t, "traced", odd_program, "get", port, 50, 50), "the client under ptrace")
    t.expect("wrong answers of the server under ptrace", [],
             traffic.load(traced.address, 200, 4, first=100))
    held.unchanged(t)
    t.expect("dropped", {}, losses(weft))
    common.exchanges(t, t.stop(weft), range(300))
    held.gone(t)


CONTAINER_ID = "c0ffee" * 10 + "c0de"


@contextlib.contextmanager
def _group(kind, *names):
    """A control group of this kind (cgroup, cgroup2) below a mount that can be written; its path."""
    with open("/proc/self/mounts", encoding="ascii") as handle:
        places = [row.split()[1] for row in handle if row.split()[2] == kind]
    for place in places:
        path = os.path.join(place, *names)
        try:
            os.makedirs(path)
        except OSError:
            continue
        try:
            yield path
        finally:
            until(lambda: _removed(place, names), 5)
        return
    raise Skip(f"no file system of type {kind} in which a group can be made")


def _removed(place, names):
    try:
        for n in range(len(names), 0, -1):
            os.rmdir(os.path.join(place, *names[:n]))
    except OSError:
        return False
    return True


def _of_container(t, kind):
    name = f"weft-{os.getpid()}"
    with _group(kind, name, f"docker-{CONTAINER_ID}.scope") as path:
        port = t.port()
        words = ["sh", "-c", f'echo 0 >{path}/cgroup.procs && exec "$@"', "sh", apps.PYTHON,
                 os.path.join(apps.APPS, "backend.py"), port]
        app = apps.App(t, words, port)
        weft = t.weft("--port", port, env=FAST)
        traffic.keep_alive(app.address, [f"/chain/{n}" for n in range(10)])
        servers, _ = common.exchanges(t, t.stop(weft), range(10), port)
        common.all_equal(t, "container.id", CONTAINER_ID, list(servers.values()),
                         lambda s: s.resource.get("container.id"))
        app.process.kill()
        app.process.wait(5)


@case(timeout=60)
def container_of_cgroup_v1(t):
    """A host with both versions: the container's group is in a hierarchy of the first."""
    _of_container(t, "cgroup")


@case(timeout=60)
def container_of_cgroup_v2(t):
    """The same in the second, on a host that may have both."""
    _of_container(t, "cgroup2")
