# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the configuration is read again while requests go on."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time

import apps
import common
import netns
import traffic
import weft as weft_module
from case import case
from collector import FAST, Receiver
from spans import Spans, load
from weft import until


class Configured:
    """A weft with a file, whose spans go to files named in it."""

    def __init__(self, t, app, **values):
        self.t, self.app, self.files = t, app, []
        self.path, self.fixed = t.path("weft.yaml"), {"port": app.port}
        self.write(**{"export": self.file("a"), **values})
        self.weft = t.weft("--config", self.path, exports=[], env=FAST)

    def file(self, name):
        path = self.t.path(f"{name}.jsonl")
        if path not in self.files:
            self.files.append(path)
        return f"file:{path}"

    def write(self, **values):
        """As editors do: another file in its place. JSON is YAML."""
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in {**self.fixed, **values}.items()]
        self.write_text("".join(lines))

    def write_text(self, text):
        self.t.write("weft.yaml.new", text)
        os.rename(self.t.path("weft.yaml.new"), self.path)

    def told(self, what):
        return len(re.findall(what, self.weft.log))

    def hang_up(self, word="reloaded:"):
        """SIGHUP; until weft says what has become of it."""
        before = self.told(word)
        self.weft.send(signal.SIGHUP)
        self.t.expect_true(f"weft says '{word}': {self.weft.log[-300:]!r}",
                           until(lambda: self.told(word) > before, 10))

    def spans_in(self, name):
        path = self.t.path(f"{name}.jsonl")
        return load(path) if os.path.exists(path) else Spans([])

    def end(self, crashed=False):
        """Stops weft; the spans of all its files, and its account, which adds up."""
        t = self.t
        time.sleep(0.25)
        t.expect("exit status of weft at SIGTERM", 0, self.weft.stop())
        spans = Spans([s for path in self.files if os.path.exists(path)
                       for s in load(path, crashed)])
        counters = self.weft.counters()
        if t.expect_true("the account is in weft's last line", counters):
            t.expect("captured = exported + dropped", counters["captured"],
                     counters["exported"] + counters["dropped"])
            if not crashed:
                t.expect("dropped", 0, counters["dropped"])
                t.expect("exported, as told, against spans in the files", len(spans),
                         counters["exported"])
        return spans


class Traffic(threading.Thread):
    """Requests that go on until the test has done what it does meanwhile."""

    def __init__(self, app, concurrency=8):
        super().__init__()
        self.app, self.concurrency, self.more, self.sent, self.wrong = app, concurrency, True, 0, []

    def _numbers(self):
        while self.more:
            self.sent += 1
            yield self.sent - 1

    def run(self):
        self.wrong = traffic.load(self.app.address, self._numbers(), self.concurrency, "/plain/0/{}")

    def reach(self, count):
        """Until so many more requests have been sent."""
        goal = self.sent + count
        until(lambda: self.sent >= goal, 20)

    def finish(self, t):
        self.more = False
        self.join()
        t.expect("wrong answers", [], self.wrong)
        return range(self.sent)


@case()
def reload_under_load(t):
    """From one file to another, back, and to a third: each request has its spans, once."""
    app = apps.raw(t)
    configured = Configured(t, app)
    load_ = Traffic(app)
    load_.start()
    load_.reach(500)
    for name in ("b", "a", "c"):
        configured.write(export=configured.file(name))
        configured.hang_up()
        load_.reach(500)
    numbers = load_.finish(t)
    spans = configured.end()
    common.exchanges(t, spans, numbers, app.port)
    for name in "abc":
        t.expect_true(f"spans in file {name}", len(configured.spans_in(name)) > 100)
    t.note(f"{len(numbers)} requests")


@case()
def reload_bad_file(t):
    """One line says what is wrong and where; all stays as it was."""
    app = apps.raw(t)
    configured = Configured(t, app)
    pipeline = configured.weft.pipeline()
    hooks = configured.weft.ps()["hooks"]
    bad = [(f"export: {configured.file('b')}\nprot: 80\n", r"weft\.yaml:2: prot: unknown key; did"),
           (f"export: {configured.file('b')}\nport: 99999\n", r"weft\.yaml:2: port: '99999' is out"),
           (f"export: [{configured.file('b')}\n", r"weft\.yaml:\d+: is not YAML"),
           ("export: file:/nowhere/b\n", r"cannot open file:/nowhere/b: No such file"),
           (f"export: {configured.file('b')}\notlp: {{client_key: {configured.path}}}\n",
            r"otlp\.client_key: cannot use .*weft\.yaml': it is not PEM")]
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    for text, what in bad:
        configured.write_text(text)
        before = len(configured.weft.log.splitlines())
        configured.hang_up("all stays as it was")
        lines = configured.weft.log.splitlines()[before:]
        t.expect("lines in the log", 1, len(lines))
        t.expect_true(f"it says {what}: {lines}", re.search(what, lines[0]))
    os.unlink(configured.path)
    configured.hang_up("all stays as it was")
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10, 20)])
    t.expect("the pipeline is the same", pipeline, configured.weft.pipeline())
    t.expect("hooks", hooks, configured.weft.ps()["hooks"])
    spans = configured.end()
    common.exchanges(t, spans, range(20), app.port)
    t.expect("spans in the first file", len(spans), len(configured.spans_in("a")))
    t.expect("the second one was made", False, os.path.exists(t.path("nowhere")))


@case()
def reload_many_times(t):
    """Signals faster than they can be answered: the last file counts, and nothing is lost."""
    app = apps.raw(t)
    configured = Configured(t, app)
    load_ = Traffic(app)
    load_.start()
    for n in range(40):
        configured.write(export=configured.file("ab"[n % 2]))
        configured.weft.send(signal.SIGHUP)
        time.sleep(0.01)
    configured.write(export=configured.file("z"))
    configured.hang_up()
    t.expect_true("spans go to the last file",
                  until(lambda: len(configured.spans_in("z")) > 0, 10))
    t.expect("files of before that are open", [], _open_files(configured.weft, "ab"))
    numbers = load_.finish(t)
    spans = configured.end()
    common.exchanges(t, spans, numbers, app.port)
    t.note(f"{configured.told('reloaded:')} reloads, {len(numbers)} requests")


def _open_files(weft, names):
    """Those of the files that watcher and pipeline hold."""
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for pid in (weft.pid, weft.pipeline())
             for fd in os.listdir(f"/proc/{pid}/fd")]
    return [link for link in links if os.path.basename(link) in [f"{n}.jsonl" for n in names]]


@case()
def reload_holds_nothing(t):
    """Descriptors and memory after many reloads are those of the first."""
    app = apps.raw(t)
    configured = Configured(t, app)

    def held():
        pids = [configured.weft.pid, configured.weft.pipeline()]
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

    def once(name):
        configured.write(export=configured.file(name), query_keys=["page"])
        configured.hang_up()

    for n in range(4):
        once("ab"[n % 2])
    before = held()
    for n in range(30):
        once("ab"[n % 2])
    t.expect_true(f"descriptors of watcher and pipeline: {before} before, {held()} after",
                  until(lambda: held() == before, 5))
    t.expect("files of before that are open", [], _open_files(configured.weft, "a"))
    configured.end()


@case()
def reload_while_pipeline_restarts(t):
    """The pipeline is killed, and SIGHUP comes before another one is there."""
    app = apps.raw(t)
    configured = Configured(t, app)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    for n, name in enumerate("bcd"):
        old = configured.weft.pipeline()
        configured.write(export=configured.file(name))
        before = configured.told("reloaded:")
        signals = [(old, signal.SIGKILL), (configured.weft.pid, signal.SIGHUP)]
        for pid, number in signals if n != 1 else reversed(signals):
            os.kill(pid, number)
        t.expect_true(f"it reloads: {configured.weft.log[-400:]!r}",
                      until(lambda: configured.told("reloaded:") > before, 10))
        t.expect_true("another pipeline is there",
                      until(lambda: configured.weft.pipeline() not in (None, old), 10))
        first = 100 * (n + 1)
        traffic.keep_alive(app.address, [f"/plain/0/{m}" for m in range(first, first + 50)])
        t.expect_true(f"spans in file {name}",
                      until(lambda: len(configured.spans_in(name)) >= 100, 10))
    configured.end(crashed=True)


@case()
def reload_what_can_change(t):
    """Headers, redaction, resource, service name, log level."""
    app, receiver = apps.raw(t), Receiver(t)
    configured = Configured(t, app, export=receiver.url,
                            otlp={"headers": {"x-tenant": "one"}}, service_name="first")
    requests = ["/plain/0/1?page=3&secret=x"]
    traffic.one_by_one(app.address, requests)
    receiver.wait(2)
    configured.write(export=receiver.url, query_keys=["page"], log_level="debug",
                     otlp={"headers": {"x-tenant": "two"}, "compression": "none"},
                     service_name="second", resource_attributes={"team": "blue"})
    configured.hang_up()
    # who is described again is told of through a channel
    time.sleep(0.3)
    traffic.one_by_one(app.address, [requests[0].replace("1?", "2?")])
    receiver.wait(4)
    configured.weft.stop()
    servers = {s.number: s for s in receiver.spans.servers()}
    queries = {n: servers[n]["url.query"] for n in (1, 2) if n in servers}
    t.expect("url.query", {1: "page=REDACTED&secret=REDACTED", 2: "page=3&secret=REDACTED"}, queries)
    for key, values in (("service.name", ["first", "second"]), ("team", [None, "blue"])):
        t.expect(key, values, [servers[n].resource.get(key) for n in (1, 2)])
    tenants = [(r["headers"].get("x-tenant"), r["headers"].get("content-encoding"))
               for r in receiver.requests]
    t.expect("tenant and encoding of the first request", ("one", "gzip"), tenants[0])
    t.expect("of the last", ("two", None), tenants[-1])


@case()
def reload_needs_restart(t):
    """What BPF programs are loaded with is named, and stays; the rest of the file counts."""
    app = apps.raw(t)
    configured = Configured(t, app)
    configured.write(export=configured.file("b"), port=app.port + 1, traces_sampler="always_off",
                     ring_size=2)
    configured.hang_up()
    said = re.search(r"needs a restart: (.*);", configured.weft.log)
    t.expect_true(f"a line names them: {configured.weft.log[-300:]!r}", said)
    named = re.findall(r"(\w+) \(([^)]*)\)", said[1]) if said else []
    t.expect("what needs a restart", ["port", "ring_size", "traces_sampler"],
             sorted(name for name, _ in named))
    t.expect("with its line", True, all("weft.yaml:" in place for _, place in named))
    told = configured.weft.ps()["configuration"]
    t.expect("weft ps says so, too", said[1] if said else None, told["needs_restart"])
    t.expect("reloads", 1, told["reloads"])
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    os.kill(configured.weft.pipeline(), signal.SIGKILL)
    t.expect_true("another pipeline answers", until(lambda: _answers(configured.weft), 10))
    t.expect("it knows, too", told, configured.weft.ps()["configuration"])
    configured.write(export=configured.file("b"))
    configured.hang_up()
    t.expect("as at the start again", None, configured.weft.ps()["configuration"]["needs_restart"])
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10, 20)])
    spans = configured.end(crashed=True)
    common.exchanges(t, Spans([s for s in spans if s.number >= 10]), range(10, 20), app.port)


def _answers(weft):
    try:
        return weft.ps()["counters"]["pipeline_restarts"] == 1
    except weft_module.WeftError:
        return False


@case(timeout=90)
def reload_backend_moved(t):
    """Spans that wait for a backend which is not there go to the one that takes its place."""
    app, receiver = apps.raw(t), Receiver(t)
    gone = Receiver(t)
    gone.end()
    configured = Configured(t, app, export=gone.url)
    t.expect("wrong answers", [], traffic.load(app.address, 500, 8, "/plain/0/{}"))
    t.expect_true("they wait", until(lambda: configured.weft.counters()["open"] >= 1000, 5))
    configured.write(export=receiver.url)
    configured.hang_up()
    t.expect("spans at the new one", 1000, receiver.wait(1000, 15))
    configured.weft.stop()
    common.exchanges(t, receiver.spans, range(500), app.port)
    t.expect("dropped", 0, configured.weft.counters()["dropped"])


@case(timeout=90)
def reload_backend_hangs(t):
    """Requests that are not answered are given up, and sent to the new backend."""
    app, receiver = apps.raw(t), Receiver(t)
    hanging = Receiver(t, "hang:1000")
    configured = Configured(t, app, export=hanging.url)
    t.expect("wrong answers", [], traffic.load(app.address, 100, 4, "/plain/0/{}"))
    t.expect_true("a request is under way", until(lambda: hanging.requests, 5))
    configured.write(export=receiver.url)
    configured.hang_up()
    # a second change has to wait for the end of the first
    configured.write(export=receiver.url, query_keys=["page"])
    configured.hang_up()
    t.expect("spans at the new one", 200, receiver.wait(200, 15))
    configured.weft.stop()
    common.exchanges(t, receiver.spans, range(100), app.port)
    t.expect("dropped", 0, configured.weft.counters()["dropped"])


@case()
def reload_file_moved_away(t):
    """logrotate: the old file is complete, and there is a new one of its name."""
    app = apps.raw(t)
    configured = Configured(t, app)
    configured.file("a.1")
    load_ = Traffic(app)
    load_.start()
    load_.reach(300)
    os.rename(t.path("a.jsonl"), t.path("a.1.jsonl"))
    configured.hang_up()
    load_.reach(300)
    numbers = load_.finish(t)
    common.exchanges(t, configured.end(), numbers, app.port)
    for name in ("a", "a.1"):
        t.expect_true(f"spans in {name}", len(configured.spans_in(name)))


@case()
def reload_is_notified(t):
    """sd_notify(3): RELOADING=1 with the time, then READY=1, also when it has failed."""
    app = apps.raw(t)
    path = t.path("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(path)
        notified.settimeout(10)
        os.environ["NOTIFY_SOCKET"] = path
        configured = Configured(t, app)
        t.expect("at the start", "READY=1", notified.recv(4096).decode())
        for bad in (False, True):
            if bad:
                configured.write(export=configured.file("a"), nonsense="1\nMAINPID=1")
            begin = time.monotonic()
            configured.weft.send(signal.SIGHUP)
            said = [notified.recv(4096).decode().split("\n") for _ in range(2)]
            t.expect("first", "RELOADING=1", said[0][0])
            moment = dict(line.split("=", 1) for line in said[0]).get("MONOTONIC_USEC", "0")
            t.expect_range("its time", begin, time.monotonic(), int(moment) / 1e6)
            t.expect("then", "READY=1", said[1][0])
            t.expect_true(f"and what has become of it: {said[1]}",
                          said[1][1].startswith("STATUS=Not reloaded: " if bad else
                                                "STATUS=Reloaded") and len(said[1]) == 2)
    configured.end()


class InTerminal:
    """A weft that leads the session of a terminal of its own."""

    def __init__(self, t, name, *words, before=()):
        self.t, self.log_path = t, t.write(f"{name}.log", "")
        command = [*netns.outside(t.runner_pid), *before, weft_module.BINARY, "run", "--socket",
                   t.path(f"{name}.sock"), *weft_module.own(f"{name}-{os.getpid()}", os.getpid()),
                   *words]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(t.dir)  # nohup writes a file there
            with open(self.log_path, "wb") as log:
                os.dup2(log.fileno(), 2)
            os.execvp(command[0], command)
        t._remember(self.pid)  # pylint: disable=protected-access
        self.says("ready after")

    @property
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as handle:
            return handle.read()

    def says(self, what):
        self.t.expect_true(f"it says '{what}'", until(lambda: what in self.log, 15))

    def close_terminal(self):
        os.close(self.terminal)

    def lives(self):
        self.t.expect("it has ended", (0, 0), os.waitpid(self.pid, os.WNOHANG))

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@case()
def hangup_of_a_terminal(t):
    """A weft to look at spans ends with its terminal; one with a file does not, nor under nohup."""
    shown = InTerminal(t, "shown")
    shown.close_terminal()
    t.expect("exit status", 0, shown.status())
    shown.says("stopped: captured 0")

    path = t.write("terminal.yaml", f"export: file:{t.path('t.jsonl')}\n")
    with_file = InTerminal(t, "with-file", "--config", path)
    with_file.close_terminal()
    with_file.says("reloaded:")
    with_file.lives()
    os.kill(with_file.pid, signal.SIGTERM)
    t.expect("exit status at SIGTERM", 0, with_file.status())

    kept = InTerminal(t, "kept", "--export", f"file:{t.path('t.jsonl')}", before=["nohup"])
    kept.close_terminal()
    time.sleep(0.5)
    kept.lives()
    os.kill(kept.pid, signal.SIGTERM)
    t.expect("exit status at SIGTERM", 0, kept.status())


@case()
def reload_without_a_file(t):
    """A service that has none opens its targets anew, and runs on."""
    app = apps.raw(t)
    weft = t.weft("--port", app.port)
    os.rename(weft.spans_path, weft.spans_path + ".1")
    weft.send(signal.SIGHUP)
    t.expect_true(f"it reloads: {weft.log[-200:]!r}", until(lambda: "reloaded:" in weft.log, 10))
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    common.exchanges(t, t.stop(weft), range(10), app.port)


# --- client certificates --------------------------------------------------------------------------

def _authority(t, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-keyout", t.path(f"{name}-key.pem"), "-out",
                    t.path(f"{name}.pem")], check=True, capture_output=True, timeout=20)


def _signed(t, name, authority, *extension):
    """A key that root alone may read, and its certificate."""
    key, request = t.path(f"{name}-key.pem"), t.path(f"{name}.csr")
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                    "-keyout", key, "-out", request], check=True, capture_output=True, timeout=20)
    t.write(f"{name}.ext", "\n".join(extension))
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", t.path(f"{authority}.pem"),
                    "-CAkey", t.path(f"{authority}-key.pem"), "-CAcreateserial", "-days", "2",
                    "-extfile", t.path(f"{name}.ext"), "-out", t.path(f"{name}.pem")], check=True,
                   capture_output=True, timeout=20)
    os.chmod(key, 0o600)
    return {"client_key": key, "client_certificate": t.path(f"{name}.pem")}


@case(needs=["openssl"])
def client_key_of_root(t):
    """A server that asks for a certificate; the key is root's, the pipeline is not."""
    app = apps.raw(t)
    _authority(t, "authority")
    _signed(t, "server", "authority", "subjectAltName=IP:127.0.0.1")
    first, second = _signed(t, "first", "authority"), _signed(t, "second", "authority")
    receiver = Receiver(t, tls=["--tls", t.path("server.pem"), t.path("server-key.pem"),
                                "--clients", t.path("authority.pem")])
    trust = {"certificate": t.path("authority.pem")}
    os.chmod(t.path("authority.pem"), 0o600)
    configured = Configured(t, app, export=receiver.url, otlp={**trust, **first})
    with open(f"/proc/{configured.weft.pipeline()}/status", encoding="ascii") as status:
        uid = int(re.search(r"^Uid:\s+(\d+)", status.read(), re.MULTILINE)[1])
    t.expect_true(f"the pipeline is not root: {uid}", uid != 0)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10)])
    t.expect("spans over TLS", 20, receiver.wait(20))
    configured.write(export=receiver.url, otlp={**trust, **second}, log_level="debug")
    configured.hang_up()
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(10, 20)])
    t.expect("spans with the other key", 40, receiver.wait(40))
    t.expect("who has sent them", ["first", "second"],
             sorted({r["client"] for r in receiver.requests}))
    os.kill(configured.weft.pipeline(), signal.SIGKILL)
    time.sleep(0.2)
    until(lambda: _answers(configured.weft), 10)
    traffic.keep_alive(app.address, [f"/plain/0/{n}" for n in range(20, 30)])
    t.expect("spans of a pipeline that was started again", 60, receiver.wait(60))
    _nobody_reads(t, configured.weft, uid, first["client_key"])
    configured.weft.stop()
    with open(second["client_key"], encoding="ascii") as key:
        lines = key.read().splitlines()[1:-1]
    t.expect("lines of the key in the log", [], [line for line in lines if line in configured.weft.log])


def _nobody_reads(t, weft, uid, key):
    """What another process of the pipeline's user can get at."""
    pids = [weft.pid, weft.pipeline()]
    script = "".join(f"ls -l /proc/{pid}/fd/ 2>/dev/null; cat /proc/{pid}/mem /proc/{pid}/environ "
                     "2>/dev/null; " for pid in pids) + f"cat {key} 2>/dev/null"
    done = subprocess.run(["setpriv", f"--reuid={uid}", "--clear-groups", "sh", "-c", script],
                          capture_output=True, timeout=20)
    t.expect("bytes that others of the pipeline's user can read", b"", done.stdout[:80])


@case(needs=["openssl"])
def client_key_is_refused(t):
    """An encrypted key, and a file that is none: nothing is started, exit status 2."""
    _authority(t, "authority")
    subprocess.run(["openssl", "pkey", "-in", t.path("authority-key.pem"), "-aes256", "-passout",
                    "pass:x", "-out", t.path("locked.pem")], check=True, capture_output=True)
    for path, why in ((t.path("locked.pem"), "is encrypted"), ("/etc/passwd", "is not PEM"),
                      ("/dev/zero", "no regular file")):
        done = t.weft_command("run", "--socket", t.path("x.sock"), *weft_module.own("key", os.getpid()),
                              "--export", "https://127.0.0.1:1", "--otlp-client-key", path,
                              "--duration", "1")
        t.expect(f"exit status with {path}", 2, done.returncode)
        t.expect_true(f"it says '{why}': {done.stderr!r}", why in done.stderr)
