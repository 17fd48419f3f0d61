# SPDX-License-Identifier: Apache-2.0
"""The programs under trace: started with a configuration of their own, waited for, described."""

import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

import netns
from case import Skip
from patience import PATIENCE
from weft import BUILD, ROOT, until

APPS = os.path.join(ROOT, "tests", "apps")
BUILT = os.path.join(BUILD, "e2e")
PYTHON = "/usr/bin/python3"  # Debian's: what is installed from packages belongs to it
MADE_LIMIT_S = 900           # for one step of what is made of a registry's packages
APACHE_MODULES = "/usr/lib/apache2/modules"

NGINX = """
daemon off; worker_processes {workers}; pid {dir}/nginx{port}.pid; error_log {dir}/nginx.err warn;
user {user};
events {{ worker_connections {connections}; }}
http {{
  access_log off; sendfile on; tcp_nodelay on;
  client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-f; uwsgi_temp_path {dir}/nginx-u; scgi_temp_path {dir}/nginx-s;
  keepalive_requests 1000000; keepalive_timeout 1h; client_header_timeout 1h;
  client_max_body_size 0; large_client_header_buffers 8 32k;
  {upstream}
  server {{
    listen {host}:{port} backlog=4096 {listen};
    {locations}
  }}
}}
"""

NGINX_STATIC = """
    root {dir}/www;
    location / {{ try_files /hello.txt =404; }}
    location /missing/ {{ return 404; }}
    location /broken/ {{ return 500; }}
"""

NGINX_PROXY = """
    location / {{
      proxy_pass {scheme}://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
"""

NGINX_GRPC = """
    location / { grpc_pass grpc://behind; }
"""

NGINX_TLS = """
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {dir}/certificate.pem;
    ssl_certificate_key {dir}/key.pem;
"""

APACHE = """
ServerRoot {dir}
ServerName localhost
PidFile {dir}/apache.pid
Listen 127.0.0.1:{port}
User nobody
Group nogroup
ErrorLog {dir}/apache.err
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
DefaultRuntimeDir {dir}
KeepAlive On
MaxKeepAliveRequests 0
StartServers 2
ThreadsPerChild 25
MaxRequestWorkers 50
LimitRequestFieldSize 32768
{rest}
"""

APACHE_STATIC = """
DocumentRoot {dir}/www
<Directory {dir}/www>
  Require all granted
</Directory>
AliasMatch "^/(item|chain)/" "{dir}/www/hello.txt"
Redirect 500 /broken
"""

APACHE_HTTP2 = """
LoadModule http2_module {modules}/mod_http2.so
Protocols h2 h2c http/1.1
H2Upgrade on
"""

APACHE_PROXY = """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass "/" "http://127.0.0.1:{behind}/"
"""


APACHE_TLS = """
LoadModule ssl_module {modules}/mod_ssl.so
SSLEngine on
SSLCertificateFile {dir}/certificate.pem
SSLCertificateKeyFile {dir}/key.pem
"""


def python_has(*modules):
    """Debian's Python can import them."""
    done = subprocess.run([PYTHON, "-c", f"import {', '.join(modules)}"], capture_output=True)
    return done.returncode == 0


def wait_for(address, process, what, limit=15):
    """Until something accepts at the address; longer where everything takes longer."""
    limit *= PATIENCE
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with socket.socket(family) as probe:
            if probe.connect_ex(address) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode} instead of listening")
        time.sleep(0.02)
    raise RuntimeError(f"{what} does not listen at {address} after {limit} s")


def descendants(pid):
    """The process and all below it."""
    found = [pid]
    for one in found:
        try:
            with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as handle:
                found.extend(int(child) for child in handle.read().split())
        except FileNotFoundError:
            pass
    return found


@dataclass
class Place:
    """Where a program runs: the address at which it listens, and the file of its namespace."""
    host: str = "127.0.0.1"
    namespace: str = None  # the case's own


HERE = Place()


class App:
    """
    A started server: its process, its address and port. `workers`: processes of its own that it
    starts, perhaps after it listens.
    """

    def __init__(self, t, words, port=None, path=None, place=HERE, workers=0, **options):
        name = os.path.basename(str(words[0]))
        self.port = port
        self.address = path or (place.host, port)
        self.process = t.spawn(words, namespace=place.namespace, **options)
        try:
            wait_for(self.address, self.process, name)
            if not until(lambda: len(self.pids) > workers, 10):
                raise RuntimeError(f"{name} does not start {workers} workers")
        except RuntimeError as error:
            with open(t.path(options.get("log") or f"{name}.log"), errors="replace") as log:
                raise RuntimeError(f"{error}: {log.read().strip()[-300:]}") from None

    @property
    def authority(self):
        return "{}:{}".format(*self.address)

    @property
    def pids(self):
        return set(descendants(self.process.pid))


def static_files(t):
    os.makedirs(t.path("www"), exist_ok=True)
    t.write("www/hello.txt", "hello, world\n" * 10)


def nginx_config(directory, port, workers=1, behind=None, keepalive=True, **more):
    """
    nginx's configuration: static files, or with `behind` (host:port, unix:/path, https://host:port,
    grpc://host:port: HTTP/2 in plain text) a proxy. `more`: user ("root"), host ("127.0.0.1"), tls (False), http2 (False): what it listens
    for; connections (2048): of each worker; told (""): directives of a proxy without keepalive.
    """
    upstream, locations = "", NGINX_STATIC.format(dir=directory)
    if behind:
        scheme, _, server = behind.rpartition("://")
        keep = "keepalive 64;" if keepalive else ""
        upstream = f"upstream behind {{ server {server}; {keep} }}"
        if scheme == "grpc":
            locations = NGINX_GRPC
        else:
            locations = NGINX_PROXY.format(scheme=scheme or "http") if keepalive else \
                f"location / {{ proxy_pass http://behind; {more.get('told', '')} }}"
    tls = more.get("tls", False)
    return NGINX.format(dir=directory, port=port, workers=workers, upstream=upstream,
                        user=more.get("user", "root"),
                        connections=more.get("connections", 2048), host=more.get("host", "127.0.0.1"),
                        listen=("ssl " if tls else "") + ("http2" if more.get("http2") else ""),
                        locations=locations + (NGINX_TLS.format(dir=directory) if tls else ""))


def certificate_words(certificate_path, key_path):
    return ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=wire",
            "-keyout", key_path, "-out", certificate_path]


def certificate(t):
    """certificate.pem and key.pem in the case's directory, for servers that nobody checks."""
    subprocess.run(certificate_words(t.path("certificate.pem"), t.path("key.pem")), check=True,
                   capture_output=True, timeout=20)


def _early_errors(t):
    """Where nginx logs before it has read its configuration: it can be told from 1.19.5 on."""
    said = subprocess.run(["nginx", "-h"], capture_output=True, text=True, check=False).stderr
    return ["-e", t.path("nginx.err")] if " -e " in said else []


def nginx(t, behind=None, workers=1, keepalive=True, place=HERE, **more):
    port = t.port()
    static_files(t)
    config = nginx_config(t.dir, port, workers, behind, keepalive, host=place.host, **more)
    path = t.write(f"nginx{port}.conf", config)
    return App(t, ["nginx", "-p", t.dir, "-c", path, *_early_errors(t)], port, place=place,
               workers=workers)


def apache(t, behind=None, http2=False, tls=False):
    if not os.path.isdir(APACHE_MODULES):
        raise Skip(f"no Apache modules in {APACHE_MODULES}")
    port = t.port()
    static_files(t)
    rest = (APACHE_PROXY if behind else APACHE_STATIC).format(
        dir=t.dir, modules=APACHE_MODULES, behind=behind)
    if http2:
        rest += APACHE_HTTP2.format(modules=APACHE_MODULES)
    if tls:
        rest += APACHE_TLS.format(dir=t.dir, modules=APACHE_MODULES)
    config = t.write("apache.conf", APACHE.format(dir=t.dir, port=port, rest=rest,
                                                  modules=APACHE_MODULES))
    return App(t, ["apache2", "-DFOREGROUND", "-f", config], port)


def backend(t, delay=0, place=HERE, tls=False):
    """Python's http.server, a thread for each connection."""
    port = t.port()
    words = [PYTHON, os.path.join(APPS, "backend.py"), port, delay, place.host]
    env = {"CERTIFICATE": t.path("certificate.pem"), "KEY": t.path("key.pem")} if tls else None
    return App(t, words, port, log="backend.log", place=place, env=env)


def s_server(t):
    """OpenSSL's own server: a page about the connection, which ends with it."""
    port = t.port()
    return App(t, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet",
                   "-cert", t.path("certificate.pem"), "-key", t.path("key.pem")], port)


def raw_words(*options):
    return [PYTHON, os.path.join(APPS, "rawserver.py"), *options]


def raw(t, *options, host="127.0.0.1", env=None):
    """tests/apps/rawserver.py; host "unix" listens at a path, "::" on both families."""
    if host == "unix":
        path = t.path("raw.sock")
        return App(t, raw_words(*options, "unix", path), path=path, log="raw.log", env=env)
    port = t.port()
    return App(t, raw_words(*options, host, port), port, log="raw.log", env=env)


def flask(t, behind=None, reuse=True, unix=False, place=HERE):
    """gunicorn with threads and the Flask application. `behind`: a port, or host:port."""
    if not shutil.which("gunicorn"):
        raise Skip("not installed: gunicorn")
    if not python_has("flask", "gunicorn"):
        raise Skip("not installed: python3-flask or python3-gunicorn")
    path, port = (t.path("flask.sock"), None) if unix else (None, t.port())
    bind = f"unix:{path}" if unix else f"{place.host}:{port}"
    words = [PYTHON, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "2",
             "--threads", "16", "--keep-alive", "30", "--bind", bind, "--chdir", APPS,
             "--worker-tmp-dir", t.dir, "--no-sendfile", "flask_app:app"]
    env = {"BACKEND_REUSE": "1" if reuse else "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if behind:
        env["BACKEND"] = behind if ":" in str(behind) else f"127.0.0.1:{behind}"
    return App(t, words, port, path, log="gunicorn.log", env=env, place=place, workers=2)


def node(t, behind=None):
    if not shutil.which("node"):
        raise Skip("not installed: node")
    port = t.port()
    words = ["node", os.path.join(APPS, "server.js"), port] + ([behind] if behind else [])
    return App(t, words, port)


def stale(target, source):
    return not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source)


def build(words, what, timeout=170, **options):
    """Runs what makes a program of the tests; RuntimeError if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    if done.returncode != 0:
        raise RuntimeError(f"building {what}: {done.stderr.strip()[-400:]}")


def made(t, source, files, fetch, words=(), env=None):
    """
    The directory with a copy of `files` (of tests/apps/SOURCE) and what is made of them there, if one is
    newer: by `fetch`, which takes from a registry what it needs, in the runner's network, or the case is
    skipped; and by `words`.
    """
    place, origin = os.path.join(BUILT, source), os.path.join(APPS, source)
    mark = os.path.join(place, "made")
    if not any(stale(mark, os.path.join(origin, file)) for file in files):
        return place
    for file in files:
        os.makedirs(os.path.dirname(os.path.join(place, file)), exist_ok=True)
        shutil.copyfile(os.path.join(origin, file), os.path.join(place, file))
    options = {"timeout": MADE_LIMIT_S, "cwd": place, "stdin": subprocess.DEVNULL, "env": {**os.environ, **(env or {})}}
    try:
        build([*netns.outside(t.runner_pid), *fetch], source, **options)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Skip(f"what {source} needs cannot be had: {str(error).splitlines()[-1]}") from None
    if words:
        build(words, source, **options)
    with open(mark, "w", encoding="ascii"):
        pass
    return place


def bpf_object(name):
    """tests/apps/NAME.bpf.c compiled, as weft's own programs are."""
    if not shutil.which("clang"):
        raise Skip("not installed: clang")
    os.makedirs(BUILT, exist_ok=True)
    target, source = os.path.join(BUILT, f"{name}.bpf.o"), os.path.join(APPS, f"{name}.bpf.c")
    if stale(target, source):
        build(["clang", "-g", "-O2", "-target", "bpf", "-Wall", "-c", "-o", target, source,
               "-I", os.path.join(ROOT, "vmlinux", os.uname().machine)], name)
    return target


def go_program(source, flags=(), name=None):
    """
    A directory with one Go program, below tests/apps, built if its source is newer: with more flags, under
    another name.
    """
    if not shutil.which("go"):
        raise Skip("not installed: go")
    os.makedirs(BUILT, exist_ok=True)
    directory = os.path.join(APPS, source)
    target = os.path.join(BUILT, name or os.path.basename(source))
    if stale(target, os.path.join(directory, "main.go")):
        env = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        build(["go", "build", *flags, "-o", target, "."], source, cwd=directory, env=env)
    return target


def go_binary():
    return go_program("goserver")


def go(t, behind=None):
    port = t.port()
    return App(t, [go_binary(), port] + ([behind] if behind else []), port)


def java_program(source, archive):
    """One Java file below tests/apps as an archive that can be run, built if the file is newer."""
    if not shutil.which("javac") or not shutil.which("jar"):
        raise Skip("not installed: javac and jar (a JDK)")
    target, path = os.path.join(BUILT, archive), os.path.join(APPS, source)
    if stale(target, path):
        name = os.path.splitext(os.path.basename(source))[0]
        classes = os.path.join(BUILT, "classes", name)
        os.makedirs(classes, exist_ok=True)
        build(["javac", "-d", classes, path], source)
        build(["jar", "--create", "--file", target, "--main-class", name, "-C", classes, "."],
              archive)
    return target


def java_archive():
    return java_program("Server.java", "shop.jar")


def java(t, behind=None):
    port = t.port()
    words = ["java", "-Xmx256m", "-Dsun.net.httpserver.nodelay=true", "-jar", java_archive(), port]
    words += [behind] if behind else []
    return App(t, words, port)


def sdk_python(t):
    """
    A Python with OpenTelemetry's SDK and, from the distribution, Flask and requests: an environment
    that is made once, which takes the runner's network.
    """
    if not python_has("flask", "requests", "ensurepip"):
        raise Skip("not installed: python3-flask, python3-requests or python3-venv")
    # which clears away the copy of requirements.txt, too
    fetch = f"{PYTHON} -m venv --clear --system-site-packages . && " \
            "exec bin/pip install --quiet --timeout 20 --requirement \"$1\""
    place = made(t, "sdk", ["requirements.txt"],
                 ["sh", "-c", fetch, "sh", os.path.join(APPS, "sdk", "requirements.txt")])
    return os.path.join(place, "bin", "python")


def sdk(t, receiver_url, behind=None, agent=False):
    """
    tests/apps/sdk: Flask with OpenTelemetry's SDK, which exports to the receiver. `agent`: under
    OpenTelemetry's launcher, and its spans leave only when it ends.
    """
    port, python = t.port(), sdk_python(t)
    launcher = [os.path.join(os.path.dirname(python), "opentelemetry-instrument")] if agent else []
    words = launcher + [python, os.path.join(APPS, "sdk", "app.py"), "127.0.0.1", port]
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver_url, "OTEL_SERVICE_NAME": f"sdk{port}",
           "OTEL_BSP_SCHEDULE_DELAY": "600000" if agent else "200",
           "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
           # the application does it itself, and not twice
           "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask,requests,urllib3"}
    return App(t, words + ([behind] if behind else []), port, log="sdk.log", env=env)


def library(name):
    """The path of a shared library of the system, None if it has none of that name."""
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", listed, re.M)
    return found and found[1]


def c_program(name, *libraries, variant=""):
    """
    tests/apps/NAME.c compiled, if its source is newer. `libraries`: -l... and -D...; what is made of
    it in another way than others do is another `variant`.
    """
    os.makedirs(BUILT, exist_ok=True)
    target, source = os.path.join(BUILT, name + variant), os.path.join(APPS, f"{name}.c")
    if stale(target, source):
        if not shutil.which("cc"):
            raise Skip("not installed: a C compiler")
        build(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", target,
               source, *libraries], name)
    return target
