# SPDX-License-Identifier: Apache-2.0
"""HTTPS: what is seen inside TLS, at both ends, without a key."""

import os
import shutil
import subprocess

import apps
import common
import grpc_peers
import weft as weft_module
from case import Skip, case
from spans import CLIENT, SERVER
from weft import find_key, until

EACH = 50
CLIENT_SCRIPT = os.path.join(apps.APPS, "clients", "tls_client.py")


def curl(address, first, last, *options):
    """HTTPS over one connection; the status codes."""
    url = f"https://{address[0]}:{address[1]}/item/[{first}-{last}]"
    done = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code} ", "--http1.1",
                           *options, url], capture_output=True, text=True, timeout=30)
    return [int(code) for code in done.stdout.split()]


def python(kind, app, first, last):
    done = subprocess.run([apps.PYTHON, CLIENT_SCRIPT, kind, str(app.port), str(first), str(last)],
                          capture_output=True, text=True, timeout=30)
    return int(done.stdout or 0)


def _traps(t, weft, requests):
    # the kernel side's counters are told every second
    t.expect_true("traps are counted", until(lambda: find_key(weft.ps(), "tls_traps"), 5))
    counters = weft.ps()
    traps = find_key(counters, "tls_traps")
    t.note(f"{traps} traps for {requests} requests seen at both ends: "
           f"{traps / requests:.1f} each")
    for name in ("tls_unbound", "tls_records_lost"):
        t.expect(name, 0, find_key(counters, name))


def _tls(t, spans, versions):
    common.all_equal(t, "url.scheme", "https", list(spans), lambda s: s["url.scheme"])
    common.all_equal(t, "tls.protocol.version", lambda s: versions[s.number // EACH], list(spans),
                     lambda s: s["tls.protocol.version"])
    common.all_equal(t, "url.full", lambda s: f"https://127.0.0.1:{s['server.port']}/item/{s.number}",
                     [s for s in spans if s.kind == CLIENT], lambda s: s["url.full"])


def _server(name, start, *needs):
    def run(t):
        apps.certificate(t)
        app = start(t)
        weft = t.weft("--tls", "on")
        good = [200] * EACH
        t.expect("answers over TLS 1.3", good, curl(app.address, 0, EACH - 1))
        t.expect("answers over TLS 1.2", good,
                 curl(app.address, EACH, 2 * EACH - 1, "--tls-max", "1.2"))
        single = [code for n in range(2 * EACH, 3 * EACH) for code in curl(app.address, n, n)]
        t.expect("answers to programs that live shortly", good, single)
        t.expect("answers to Python", EACH, python("plain", app, 3 * EACH, 4 * EACH - 1))
        _traps(t, weft, 4 * EACH)
        spans = t.stop(weft)
        common.exchanges(t, spans, range(4 * EACH), app.port)
        _tls(t, spans, ["1.3", "1.2", "1.3", "1.3"])
    case(name=f"tls_{name}", needs=["curl", "openssl", *needs], timeout=90)(run)


_server("nginx", lambda t: apps.nginx(t, tls=True), "nginx")
_server("apache", lambda t: apps.apache(t, tls=True), "apache2")
_server("python", lambda t: apps.backend(t, tls=True))


def _http2(t, spans, numbers, port):
    servers, _ = common.exchanges(t, spans, numbers, port)
    common.all_equal(t, "network.protocol.version", "2", spans, lambda s: s["network.protocol.version"])
    common.all_equal(t, "tls.protocol.version", "1.3", spans, lambda s: s["tls.protocol.version"])
    common.all_equal(t, "weft.partial", None, spans, lambda s: s["weft.partial"])
    return servers


def _http2_server(name, start, *needs):
    """ALPN has settled HTTP/2: its preface is what the library is handed first."""
    def run(t):
        apps.certificate(t)
        app = start(t)
        weft = t.weft("--tls", "on")
        # curl's --http1.1 is for all that one curl is told
        done = subprocess.run(["curl", "-sk", "-o", os.devnull, "-w", "%{http_code}/%{http_version} ", "--http2",
                               f"https://127.0.0.1:{app.port}/item/[0-{EACH - 1}]"],
                              capture_output=True, text=True, timeout=30)
        t.expect("answers", ["200/2"] * EACH, done.stdout.split())
        paths = [f"https://127.0.0.1:{app.port}/item/{n}" for n in range(EACH, 2 * EACH)]
        subprocess.run(["nghttp", "-n", *paths], check=True, timeout=30, stderr=subprocess.DEVNULL)
        spans = t.stop(weft)
        _http2(t, spans, range(2 * EACH), app.port)
    case(name=f"tls_http2_{name}", needs=["curl", "nghttp", "openssl", *needs], timeout=90)(run)


_http2_server("nginx", lambda t: apps.nginx(t, tls=True, http2=True), "nginx")
_http2_server("apache", lambda t: apps.apache(t, tls=True, http2=True), "apache2")


@case(needs=["nginx", "h2load", "openssl"], timeout=120)
def tls_http2_h2load(t):
    """A hundred streams on each of ten connections."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True, http2=True)
    weft = t.weft("--tls", "on")
    common.h2load_done(t, 2000, ["-c", "10", "-m", "100", f"https://127.0.0.1:{app.port}/item/7"], 60)
    _traps(t, weft, 2000)
    spans = t.stop(weft)
    servers, clients = spans.servers(app.port), spans.where(lambda s: s.kind == CLIENT)
    t.expect("spans", (2000, 2000), (len(servers), len(clients)))
    t.expect("server spans below a client span of their own", 2000,
             len({id(above) for s in servers if (above := spans.parent(s)) and above.kind == CLIENT}))


@case(needs=["curl", "openssl"])
def tls_closes(t):
    """Every answer ends with its connection, in OpenSSL's own server."""
    apps.certificate(t)
    app = apps.s_server(t)
    weft = t.weft("--tls", "on")
    got = [code for n in range(EACH) for code in curl(app.address, n, n, "--http1.0")]
    t.expect("answers", [200] * EACH, got)
    spans = t.stop(weft)
    servers, clients = (common.once(t, spans, range(EACH), kind) for kind in (SERVER, CLIENT))
    common.joined(t, spans, servers, clients)
    common.all_equal(t, "status", 200, [*servers.values(), *clients.values()],
                     lambda s: s["http.response.status_code"])


@case(needs=["nginx", "openssl"])
def tls_requests(t):
    """Python's requests."""
    if not apps.python_has("requests"):
        raise Skip("not installed: python3-requests")
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    t.expect("answers", EACH, python("requests", app, 0, EACH - 1))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(EACH), app.port)


@case(needs=["nginx", "curl", "openssl"])
def tls_server_name(t):
    """The name that the client has asked for is in the spans of both ends; an address is none."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    names = ["shop.example", "a-b.c_d.example.org", None]
    for n, name in enumerate(names):
        url = f"https://{name or '127.0.0.1'}:{app.port}/item/{n}"
        done = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "--connect-to",
                               f"{name}:{app.port}:127.0.0.1:{app.port}", url], capture_output=True, text=True,
                              timeout=30)
        t.expect("answer", "200", done.stdout)
    spans = t.stop(weft)
    common.once(t, spans, range(len(names)), CLIENT)
    common.once(t, spans, range(len(names)), SERVER)
    common.all_equal(t, "tls.client.server_name", lambda s: names[s.number], list(spans),
                     lambda s: s["tls.client.server_name"])


@case(needs=["nginx", "wget", "openssl"])
def tls_gnutls(t):
    """wget is GnuTLS' client."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    urls = [f"https://127.0.0.1:{app.port}/item/{n}" for n in range(EACH)]
    done = subprocess.run(["wget", "-q", "--no-check-certificate", "-O", "/dev/null", *urls],
                          timeout=30)
    t.expect("exit status of wget", 0, done.returncode)
    _traps(t, weft, EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(EACH), app.port)


def _curl_library(kind):
    @case(name=f"tls_curl_{kind}", needs=["nginx", "openssl"])
    def _(t):
        """curl's library, built with another TLS library, in HTTP/1 and in HTTP/2, which ALPN settles."""
        if not apps.library(f"libcurl-{kind}.so.4"):
            raise Skip(f"not installed: libcurl3-{kind}")
        apps.certificate(t)
        app = apps.nginx(t, tls=True, http2=True)
        weft = t.weft("--tls", "on")
        script = os.path.join(apps.APPS, "clients", "curl_library.py")
        for version, first in (("1.1", 0), ("2", EACH)):
            done = subprocess.run([apps.PYTHON, script, kind, version, str(app.port), str(first),
                                   str(first + EACH - 1)], capture_output=True, text=True, timeout=30)
            t.expect("answers", str(EACH), done.stdout.strip())
        _traps(t, weft, 2 * EACH)
        spans = t.stop(weft)
        common.exchanges(t, spans, range(2 * EACH), app.port)
        common.all_equal(t, "network.protocol.version", lambda s: "1.1" if s.number < EACH else "2", list(spans),
                         lambda s: s["network.protocol.version"])
        common.all_equal(t, "tls.protocol.version", "1.3", list(spans), lambda s: s["tls.protocol.version"])


_curl_library("gnutls")
_curl_library("nss")


@case(needs=["nginx", "openssl"])
def tls_asyncio(t):
    """The library does not use the socket: the program carries records between them."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    t.expect("answers", EACH, python("asyncio", app, 0, EACH - 1))
    _traps(t, weft, EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(EACH), app.port)


@case(needs=["nginx", "openssl"])
def tls_aiohttp(t):
    """The same with several connections at a time, in one thread."""
    if not apps.python_has("aiohttp"):
        raise Skip("not installed: python3-aiohttp")
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    t.expect("answers", EACH, python("aiohttp", app, 0, EACH - 1))
    spans = t.stop(weft)
    common.exchanges(t, spans, range(EACH), app.port)


def _haproxy(name, alpn, http2):
    @case(name=f"tls_haproxy_{name}", needs=["haproxy", "nginx", "curl", "nghttp", "openssl"], timeout=90)
    def _(t):
        """TLS at both ends of a proxy that reads and writes by functions of its own beneath the library."""
        apps.certificate(t)
        inner = apps.nginx(t, tls=True, http2=http2)
        with open(t.path("both.pem"), "w", encoding="ascii") as both:
            for part in ("certificate.pem", "key.pem"):
                with open(t.path(part), encoding="ascii") as source:
                    both.write(source.read())
        entry = grpc_peers.haproxy(t, inner.port, f"ssl crt {t.dir}/both.pem alpn h2,http/1.1",
                                   f"ssl verify none alpn {alpn}")
        weft = t.weft("--tls", "on")
        t.expect("answers", [200] * EACH, curl(entry.address, 0, EACH - 1))
        paths = [f"https://127.0.0.1:{entry.port}/item/{n}" for n in range(EACH, 2 * EACH)]
        subprocess.run(["nghttp", "-n", *paths], check=True, timeout=30, stderr=subprocess.DEVNULL)
        spans = t.stop(weft)
        own = spans.where(lambda s: s.resource.get("process.pid") in entry.pids)
        others = spans.where(lambda s: s.resource.get("process.pid") not in entry.pids)
        for servers, clients in ((own, others), (others, own)):
            common.joined(t, spans, common.once(t, servers, range(2 * EACH), SERVER),
                          common.once(t, clients, range(2 * EACH), CLIENT))


_haproxy("http1", "http/1.1", False)
_haproxy("http2", "h2", True)


@case(needs=["gnutls-serv", "curl", "openssl"])
def tls_gnutls_serv(t):
    """GnuTLS' own server: an answer about the connection, which ends with it."""
    apps.certificate(t)
    port = t.port()
    app = apps.App(t, ["gnutls-serv", "--http", "-p", port, "--x509certfile", t.path("certificate.pem"),
                       "--x509keyfile", t.path("key.pem")], port)
    weft = t.weft("--tls", "on")
    got = [code for n in range(EACH) for code in curl(app.address, n, n)]
    t.expect("answers", [200] * EACH, got)
    spans = t.stop(weft)
    # it ends connections by resetting them: the client's spans say so
    servers, clients = (common.once(t, spans, range(EACH), kind) for kind in (SERVER, CLIENT))
    common.joined(t, spans, servers, clients)
    common.all_equal(t, "status", 200, [*servers.values(), *clients.values()],
                     lambda s: s["http.response.status_code"])


@case(needs=["node", "curl", "openssl"])
def tls_node(t):
    """OpenSSL within the program, whose server and client carry records themselves."""
    apps.certificate(t)
    port = t.port()
    app = apps.App(t, ["node", "-e", NODE_SERVER, str(port), t.dir], port)
    weft = t.weft("--tls", "on")
    t.expect("answers", [200] * EACH, curl(app.address, 0, EACH - 1))
    done = subprocess.run(["node", "-e", NODE_CLIENT, str(port), str(EACH), str(2 * EACH - 1)],
                          capture_output=True, text=True, timeout=30)
    t.expect("answers to Node", str(EACH), done.stdout.strip())
    spans = t.stop(weft)
    first = EACH  # of Node's own connection: written before the library's object is known
    common.once(t, spans.where(lambda s: s.number == first), [first], SERVER)
    common.exchanges(t, spans.where(lambda s: s.number != first),
                     [n for n in range(2 * EACH) if n != first], app.port)


def _words(program):
    return [program] if isinstance(program, str) else program


def peer(t, program):
    port = t.port()
    return apps.App(t, [*_words(program), "serve", port, t.path("certificate.pem"), t.path("key.pem")], port)


def ask(t, program, app, first, last):
    done = subprocess.run([*_words(program), "ask", str(app.port), str(first), str(last)], capture_output=True, text=True,
                          timeout=30)
    t.expect("answers", str(last - first + 1), done.stdout.strip())


BORINGSSL = f"/usr/lib/{os.uname().machine}-linux-gnu/android"


@case(needs=["openssl"])
def tls_boringssl(t):
    """BoringSSL as a library: as the distribution builds it for Android's tools."""
    if not os.path.exists(os.path.join(BORINGSSL, "libssl.so")):
        raise Skip("not installed: android-libboringssl-dev")
    program = apps.c_program("sslpeer", "-I/usr/include/android", f"-L{BORINGSSL}", f"-Wl,-rpath,{BORINGSSL}",
                             "-lssl", "-lcrypto", variant="-boringssl")
    apps.certificate(t)
    app = peer(t, program)
    weft = t.weft("--tls", "on")
    ask(t, program, app, 0, 0)
    ask(t, program, app, 1, EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number), range(1, EACH + 1), app.port)


@case(needs=["openssl"])
def tls_within(t):
    """OpenSSL within the program: found by its symbols when the program first speaks TLS."""
    program = apps.c_program("sslpeer", "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-pthread", variant="-static")
    apps.certificate(t)
    app = peer(t, program)
    weft = t.weft("--tls", "on", "--log-level", "debug")
    ask(t, program, app, 0, 0)
    t.expect_true("its functions are found", until(lambda: f"OpenSSL in {program}" in weft.log, 5))
    ask(t, program, app, 1, EACH)
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number), range(1, EACH + 1), app.port)


@case(needs=["node", "curl", "openssl"])
def tls_node_http2(t):
    """Node's HTTP/2, which ALPN settles."""
    apps.certificate(t)
    port = t.port()
    app = apps.App(t, ["node", "-e", NODE_HTTP2, str(port), t.dir], port)
    weft = t.weft("--tls", "on")
    for first in range(0, EACH, 10):
        subprocess.run(["curl", "-sk", "-o", os.devnull, "--http2",
                        f"https://127.0.0.1:{app.port}/item/[{first}-{first + 9}]"], check=True, timeout=30)
    _http2(t, t.stop(weft), range(EACH), app.port)


NODE_HTTP2 = """
const [port, directory] = process.argv.slice(1), fs = require("fs");
require("http2").createSecureServer({ cert: fs.readFileSync(directory + "/certificate.pem"),
                                      key: fs.readFileSync(directory + "/key.pem") },
    (request, response) => response.end("hello")).listen(+port, "127.0.0.1");
"""

NODE_SERVER = """
const [port, directory] = process.argv.slice(1), fs = require("fs");
require("https").createServer({ cert: fs.readFileSync(directory + "/certificate.pem"),
                                key: fs.readFileSync(directory + "/key.pem") },
    (request, response) => response.end("hello")).listen(+port, "127.0.0.1");
"""

NODE_CLIENT = """
const https = require("https"), [port, first, last] = process.argv.slice(1).map(Number);
const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
const get = (n) => new Promise((done, fail) => https.get(
    { port, host: "127.0.0.1", path: "/item/" + n, agent },
    (answer) => answer.resume().on("end", () => done(answer.statusCode))).on("error", fail));
(async () => {
    let good = 0;
    for (let n = first; n <= last; n++) good += await get(n) === 200;
    console.log(good);
    agent.destroy();
})();
"""


def _copy_library(t):
    """A directory with libraries of its own, as a container has them."""
    directory = t.path("lib")
    os.makedirs(directory)
    for name in ("libssl.so.3", "libssl.so.1.1"):
        path = os.path.join("/usr/lib", f"{os.uname().machine}-linux-gnu", name)
        if os.path.exists(path):
            shutil.copy(path, os.path.join(directory, name))
            return directory
    raise Skip("OpenSSL's library is not where Debian has it")


@case(needs=["nginx", "openssl"])
def tls_library_found(t):
    """A library that weft meets in a program that starts later, until the last one has ended."""
    apps.certificate(t)
    library = _copy_library(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on", "--log-level", "debug")
    before = len(weft_module.bpf_objects(weft.pid))
    client = subprocess.Popen(
        [apps.PYTHON, "-c", LATER, str(app.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, "LD_LIBRARY_PATH": library})
    t.processes.append(client)
    t.expect("first answer", "200", client.stdout.readline().strip())
    t.expect_true("it is found", until(lambda: library in weft.log, 5))
    during = len(weft_module.bpf_objects(weft.pid))
    client.stdin.write("go\n")
    client.stdin.flush()
    t.expect("answers", ["200"] * EACH,
             [client.stdout.readline().strip() for _ in range(EACH)])
    client.stdin.close()
    client.wait(10)
    t.expect_true("links are made for it", during > before)
    t.expect_true("and are gone with the last process",
                  until(lambda: len(weft_module.bpf_objects(weft.pid)) == before, 10))
    spans = t.stop(weft)
    servers, _ = common.exchanges(t, spans.where(lambda s: s.number), range(1, EACH + 1), app.port)
    t.expect("servers", EACH, len(servers))


SHORT = 1000


@case(needs=["nginx", "curl", "openssl"], timeout=240)
def tls_short_lived(t):
    """
    A thousand programs that make one request each: nothing grows. One in some thousand requests is not
    followed through its connection's last bytes (counted as response_without_request).
    """
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "on")
    objects = weft_module.bpf_objects(weft.pid)
    url = f"https://127.0.0.1:{app.port}/item"
    subprocess.run(["sh", "-c", f"for n in $(seq 0 99); do curl -sk -o /dev/null {url}/$n; done"],
                   check=True, timeout=60)
    memory = _resident(weft.pid)
    subprocess.run(["sh", "-c", f"for n in $(seq 100 {SHORT - 1}); do "
                    f"curl -sk -o /dev/null {url}/$n; done"], check=True, timeout=180)
    t.expect("programs, maps and links", objects, weft_module.bpf_objects(weft.pid))
    t.note(f"the watcher's memory: {memory} KiB after 100 programs, {_resident(weft.pid)} after "
           f"{SHORT}")
    t.expect_range("growth of the watcher's memory, KiB", -1 << 20, 512,
                   _resident(weft.pid) - memory)
    seen = {span.number for span in t.stop(weft).servers(app.port)}
    t.expect_range(f"requests with a server span, of {SHORT}", SHORT - 5, SHORT, len(seen))
    t.note(f"{len(seen)} of {SHORT} requests seen")


def _resident(pid):
    """KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@case(needs=["nginx", "curl", "wget", "openssl"])
def tls_auto(t):
    """What is looked into where nobody has said so: what costs little on this host."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "auto")
    if "what TLS carries is not seen:" in weft.log:
        raise Skip(weft.log.split("what TLS carries is not seen: ")[1].splitlines()[0])
    cheap_only = "what TLS carries is not seen in programs of Go and with GnuTLS:" in weft.log
    t.expect("answers", [200] * EACH, curl(app.address, 0, EACH - 1))
    urls = [f"https://127.0.0.1:{app.port}/item/{n}" for n in range(EACH, 2 * EACH)]
    subprocess.run(["wget", "-q", "--no-check-certificate", "-O", "/dev/null", *urls], check=True, timeout=30)
    spans = t.stop(weft)
    common.exchanges(t, spans.where(lambda s: s.number < EACH), range(EACH), app.port)
    common.once(t, spans.where(lambda s: s.kind == SERVER), range(2 * EACH), SERVER)
    gnutls = len(spans.where(lambda s: s.kind == CLIENT and s.number >= EACH))
    t.expect("requests of GnuTLS' client with a span", 0 if cheap_only else EACH, gnutls)
    t.note("GnuTLS costs too much here" if cheap_only else "all libraries are looked into")


@case(needs=["nginx", "curl", "openssl"])
def tls_off(t):
    """--tls off: nothing is probed, and nothing of HTTPS is seen."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    weft = t.weft("--tls", "off")
    t.expect("answers", [200] * EACH, curl(app.address, 0, EACH - 1))
    t.expect("traps", 0, find_key(weft.ps(), "tls_traps"))
    spans = t.stop(weft)
    t.expect("spans", 0, len(spans))


@case(needs=["nginx", "curl", "openssl"])
def tls_later(t):
    """weft starts while connections are open: what comes after that is seen."""
    apps.certificate(t)
    app = apps.nginx(t, tls=True)
    client = subprocess.Popen([apps.PYTHON, "-c", LATER, str(app.port)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    t.processes.append(client)
    t.expect("answer before", "200", client.stdout.readline().strip())
    weft = t.weft("--tls", "on")
    client.stdin.write("go\n")
    client.stdin.flush()
    t.expect("answers after", ["200"] * EACH,
             [client.stdout.readline().strip() for _ in range(EACH)])
    client.stdin.close()
    client.wait(10)
    spans = t.stop(weft)
    common.exchanges(t, spans, range(1, EACH + 1), app.port)


LATER = """
import http.client, ssl, sys
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
def get(number):
    connection.request("GET", f"/item/{number}")
    answer = connection.getresponse()
    answer.read()
    print(answer.status, flush=True)
get(0)
sys.stdin.readline()
for number in range(1, %d + 1):
    get(number)
""" % EACH
