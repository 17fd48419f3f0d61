# SPDX-License-Identifier: Apache-2.0
"""The command line: errors, selection, commands that talk to the daemon."""

import json
import os
import shutil
import signal
import stat
import subprocess
import threading
import time

import apps
import common
import netns
import traffic
import weft as weft_module
from case import case


def _refused(t, what, words, mentions):
    """Exit status 2, one line, which mentions each of the words; nothing started."""
    begin = time.monotonic()
    try:
        done = t.weft_command(*words)
    except subprocess.TimeoutExpired:
        t.fail(f"{what}: expected exit 2 at once, it runs on")
        return
    t.expect(f"{what}: exit status", 2, done.returncode)
    lines = done.stderr.strip().splitlines()
    t.expect(f"{what}: lines on stderr {lines[:3]}", 1, len(lines))
    for word in mentions:
        t.expect_true(f"{what}: the line mentions {word}: {lines[:1]}", word in done.stderr)
    t.expect_range(f"{what}: seconds", 0, 2, time.monotonic() - begin)


def _own(name):
    """Options of a weft beside others: this case's namespace, which is nobody else's."""
    return weft_module.own(f"{name}-{os.getpid()}", os.getpid())


@case()
def bad_command_lines(t):
    run = ["run", "--socket", t.path("w.sock"), *_own("bad")]
    for what, words, mentions in (
            ("unknown option", [*run, "--no-such-option"], ["--no-such-option"]),
            ("unknown command", ["frobnicate"], ["frobnicate"]),
            ("bad scheme", [*run, "--export", "ftp://127.0.0.1/"], ["ftp://127.0.0.1/"]),
            ("URL without a host", [*run, "--export", "http://"], ["http://"]),
            ("bad port in a URL", [*run, "--export", "http://127.0.0.1:99999"], ["99999"]),
            ("file without a path", [*run, "--export", "file:"], ["file:"]),
            ("file in no directory", [*run, "--export", "file:/no-such-dir/x.jsonl"],
             ["/no-such-dir/x.jsonl"]),
            ("unreadable configuration", [*run, "--config", "/no-such-dir/weft.yaml"],
             ["/no-such-dir/weft.yaml"]),
            ("bad port", [*run, "--port", "80,http"], ["http"]),
            ("port out of range", [*run, "--port", "70000"], ["70000"]),
            ("bad pid", [*run, "--pid", "nginx"], ["nginx"]),
            ("bad duration", [*run, "--duration", "soon"], ["soon"]),
            ("option without its value", [*run, "--export"], ["--export"]),
            ("unknown peers", [*run, "--propagate-to", "loopback,public"],
             ["--propagate-to", "public", "link-local"]),
            ("prefix with bits behind it", [*run, "--propagate-trust", "10.0.0.1/8"],
             ["--propagate-trust", "10.0.0.1/8"]),
            ("unknown injection", [*run, "--inject", "always"], ["always", "auto, off"]),
            ("unknown propagator", [*run, "--propagators", "w3c"], ["w3c", "tracecontext"]),
            ("remote sampler", [*run, "--traces-sampler", "jaeger_remote"],
             ["jaeger_remote", "parentbased_always_on"]),
            ("ratio above 1", [*run, "--traces-sampler-arg", "50"], ["50", "0 to 1"]),
            ("bad instance", [*run, "--instance", "a/b"], ["a/b"]),
            ("no namespace", [*run, "--netns", "/etc/passwd"], ["--netns", "/etc/passwd"])):
        _refused(t, what, words, mentions)
    t.expect("control sockets left behind", False, os.path.exists(t.path("w.sock")))


@case()
def bad_configuration_file(t):
    """File, line and key are told."""
    broken = t.write("broken.yaml", "port: [80\n  : :\n")
    unknown = t.write("unknown.yaml", "# one\n\nno_such_key: 1\n")
    peers = t.write("peers.yaml", "propagate:\n  trust: [loopback, 10.0.0.0/40]\n")
    run = ["run", "--socket", t.path("w.sock"), *_own("bad"), "--config"]
    _refused(t, "broken YAML", [*run, broken], [broken])
    _refused(t, "unknown key", [*run, unknown], [unknown, "no_such_key", "3"])
    _refused(t, "prefix length", [*run, peers], [f"{peers}:2: propagate.trust", "10.0.0.0/40"])


@case()
def not_root(t):
    """Says so, and which right is missing; starts nothing."""
    binary = shutil.copy(weft_module.BINARY, t.path("weft"))
    os.chmod(binary, 0o755)
    done = subprocess.run([binary, "run", "--export", "stdout", "--socket", "/tmp/weft-none.sock"],
                          capture_output=True, text=True, timeout=20, user=65534, group=65534,
                          extra_groups=[], cwd="/")
    t.expect_true("exit status is not 0", done.returncode != 0)
    t.expect_true(f"root or a capability is named: {done.stderr.strip()[:200]!r}",
                  "root" in done.stderr or "CAP_" in done.stderr)
    t.expect_range("lines on stderr", 1, 3, len(done.stderr.strip().splitlines()))


@case()
def duration_ends_it(t):
    app = apps.raw(t)
    weft = t.weft("--port", app.port, "--duration", "1")
    traffic.keep_alive(app.address, ["/plain/0/1"])
    weft.process.wait(6)
    t.expect("exit status", 0, weft.process.returncode)
    common.exchanges(t, t.spans(weft), [1], app.port)


@case()
def ends_at_sigint(t):
    weft = t.weft("--port", t.port())
    t.expect("exit status", 0, weft.stop(signal.SIGINT))
    t.expect_range("seconds to end", 0, 1.5, weft.stop_s)
    t.expect("the control socket is gone", False, os.path.exists(weft.socket))


@case()
def ends_under_load(t):
    """SIGTERM while requests run: ends within a second, tells what it saw."""
    app = apps.backend(t)
    weft = t.weft("--port", app.port)
    wrong = []
    thread = threading.Thread(target=lambda: wrong.extend(traffic.load(app.address, 3000, 8)))
    thread.start()
    time.sleep(0.5)
    spans = t.stop(weft, settle=0)
    t.expect_range("seconds that weft needed to end", 0, 1.5, weft.stop_s)
    thread.join()
    t.expect("requests that went wrong", [], wrong)
    t.expect_true("there are spans", spans)
    t.note(f"{len(spans)} spans")


@case()
def ready_soon(t):
    weft = t.weft("--port", t.port(), ready=False)
    seconds = weft.wait_ready()
    t.note(f"{seconds * 1000:.0f} ms")
    t.expect_range("seconds from start to ready", 0, 3, seconds)


@case()
def spans_come_without_stopping(t):
    """The file has the spans of finished requests within the batch delay."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, ["/plain/0/1"])
    deadline = time.monotonic() + 7
    while time.monotonic() < deadline and len(t.spans(weft)) < 2:
        time.sleep(0.1)
    common.exchanges(t, t.spans(weft), [1], app.port)
    t.stop(weft)


def _in_second_namespace(t, port):
    """A server in a network namespace that begins and ends with it; words that enter there."""
    server = t.spawn(["unshare", "--net", "sh", "-c",
                      'ip link set lo up && exec "$@"', "sh", *apps.raw_words("127.0.0.1", port)],
                     log="second.log")
    enter = netns.outside(server.pid)
    ask = [*enter, "curl", "-sf", f"http://127.0.0.1:{port}/plain/0/99"]
    for _ in range(100):
        if not netns.same(server.pid, os.getpid()) and \
                subprocess.run(ask, stdout=subprocess.DEVNULL, timeout=10).returncode == 0:
            return server, enter
        time.sleep(0.05)
    raise RuntimeError("the server in the second namespace does not answer")


@case(needs=["curl"])
def second_weft_on_the_same_socket(t):
    """With a name and a namespace of its own, but the socket of another one."""
    app = apps.raw(t)
    elsewhere, _ = _in_second_namespace(t, app.port)
    first = t.weft("--port", app.port)
    done = t.weft_command("run", "--socket", first.socket, "--export", "stdout", "--duration", "2",
                          *weft_module.own(f"second-{os.getpid()}", elsewhere.pid))
    t.expect("exit status of the second one", 2, done.returncode)
    t.expect_true(f"it names the socket: {done.stderr.strip()[-200:]!r}",
                  first.socket in done.stderr)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    t.expect_true("the first one still answers", first.ps())
    common.exchanges(t, t.stop(first), range(10), app.port)


@case()
def stale_socket_is_taken_over(t):
    """A weft that was killed leaves its socket file: the next one starts all the same."""
    first = t.weft("--port", t.port())
    first.kill()
    second = t.weft("--port", t.port(), name=os.path.basename(first.socket)[:-len(".sock")])
    t.expect("the same socket", first.socket, second.socket)
    t.stop(second)


@case()
def second_weft_is_refused(t):
    """
    One line that names the first one, exit status 2, and nothing touched: no file, no socket, no
    program in the kernel. The first one goes on; when it is gone, however, there is room.
    """
    app = apps.raw(t)
    first = t.weft("--port", app.port)
    name, here = first.instance, str(os.getpid())
    run = ["run", "--socket", t.path("w.sock"), "--export", f"file:{t.path('second.jsonl')}"]
    for what, words, mentions in (
            ("the same name", ["--instance", name, "--netns", str(t.runner_pid)],
             [f"pid {first.pid}", name]),
            ("the same namespace", ["--instance", name + "b", "--netns", here],
             [f"pid {first.pid}", "another --netns"]),
            # all namespaces: another suite's weft may be in the way as well, and be the one named
            ("no namespace", ["--instance", name + "b"], ["pid ", "--netns"]),
            ("neither", [], ["pid ", "--netns"])):
        _refused(t, what, [*run, *words], mentions)
    t.expect("files of the refused ones", [False, False],
             [os.path.exists(t.path(file)) for file in ("w.sock", "second.jsonl")])
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(20)])
    common.exchanges(t, t.stop(first), range(20), app.port)
    killed = t.weft("--port", app.port, name="again")
    os.kill(killed.pid, signal.SIGKILL)
    killed.process.wait()
    third = t.weft("--port", app.port, name="again")
    t.expect("exit status of the one after a killed one", 0, third.stop())


@case(needs=["curl"])
def two_wefts_in_two_namespaces(t):
    """Each with a name and a namespace of its own: each sees the traffic there, on the same port."""
    app = apps.raw(t)
    server, enter = _in_second_namespace(t, app.port)
    first, second = t.weft(), t.weft(netns_of=server.pid)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    url = f"http://127.0.0.1:{app.port}/plain/0/[10-29]"
    done = subprocess.run([*enter, "curl", "-sf", url], stdout=subprocess.DEVNULL, timeout=20)
    t.expect("exit status of curl in the second namespace", 0, done.returncode)
    common.exchanges(t, t.stop(first), range(10), app.port)
    common.exchanges(t, t.stop(second), range(10, 30), app.port)


@case()
def ps_lists_processes(t):
    app = apps.raw(t, env={"OTEL_SERVICE_NAME": "listed"})
    weft = t.weft("--port", app.port)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    time.sleep(0.3)
    told = weft.ps()
    t.expect_true("the process is there", f'{app.process.pid}' in json.dumps(told))
    t.expect_true("so is its service", '"listed"' in json.dumps(told))
    t.expect_true("captured, exported and dropped are there", weft.counters())
    plain = t.weft_command("ps", "--socket", weft.socket)
    t.expect("exit status of ps without --json", 0, plain.returncode)
    t.expect_true("it lists the service too", "listed" in plain.stdout)
    t.stop(weft)


@case()
def ps_without_a_daemon(t):
    done = t.weft_command("ps", "--socket", t.path("nothing.sock"))
    t.expect_true("exit status is not 0", done.returncode != 0)
    t.expect_true(f"the socket is named: {done.stderr.strip()[:200]!r}",
                  t.path("nothing.sock") in done.stderr)


@case()
def tail_shows_spans(t):
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    tail = t.spawn([weft_module.BINARY, "tail", "--json", "--socket", weft.socket], log="tail.log",
                   outside=True)
    time.sleep(0.5)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    time.sleep(0.7)
    tail.terminate()
    with open(t.path("tail.log"), encoding="utf-8") as handle:
        lines = handle.read().splitlines()
    t.expect(f"lines {lines[:1]}", 20, len([line for line in lines if json.loads(line)]))
    t.stop(weft)


@case()
def stdout_export(t):
    """One readable line a span."""
    app = apps.raw(t)
    process = subprocess.Popen(
        ["nsenter", f"--net=/proc/{t.runner_pid}/ns/net", "--", weft_module.BINARY, "run",
         "--socket", t.path("o.sock"), "--export", "stdout", "--port", str(app.port),
         "--duration", "3", *_own("stdout")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "ready" in line:
            break
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    out, _ = process.communicate(timeout=10)
    lines = [line for line in out.splitlines() if "/plain/" in line]
    t.expect(f"lines of server spans {lines[:1]}", 10,
             len([line for line in lines if "server" in line.lower()]))
    t.expect_true("each has the status", all("200" in line for line in lines))


@case()
def doctor_and_version(t):
    done = t.weft_command("doctor", "--json")
    t.expect("exit status of doctor", 0, done.returncode)
    told = json.loads(done.stdout)
    t.expect_true("the kernel's release is told", os.uname().release in json.dumps(told))
    done = t.weft_command("version")
    t.expect("exit status of version", 0, done.returncode)
    t.expect_true(f"a version is told: {done.stdout!r}", any(c.isdigit() for c in done.stdout))


@case()
def files_belong_to_root(t):
    """Spans and the control socket may be read by root alone."""
    weft = t.weft("--port", t.port())
    mode = stat.S_IMODE(os.stat(weft.socket).st_mode)
    t.expect("mode of the control socket", "0o600", oct(mode))
    t.expect("owner of the control socket", 0, os.stat(weft.socket).st_uid)
    t.expect("mode of the span file", "0o600", oct(stat.S_IMODE(os.stat(weft.spans_path).st_mode)))
    t.stop(weft)
