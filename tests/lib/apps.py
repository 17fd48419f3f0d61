# SPDX-License-Identifier: Apache-2.0
"""The programs under trace: started with a configuration of their own, waited for, described."""

import os
import shutil
import socket
import subprocess
import time

from case import Skip
from weft import BUILD, ROOT

APPS = os.path.join(ROOT, "tests", "apps")
BUILT = os.path.join(BUILD, "e2e")
PYTHON = "/usr/bin/python3"  # Debian's: what is installed from packages belongs to it
APACHE_MODULES = "/usr/lib/apache2/modules"

NGINX = """
daemon off; worker_processes {workers}; pid {dir}/nginx{port}.pid; error_log {dir}/nginx.err warn;
user {user};
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nodelay on;
  client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-f; uwsgi_temp_path {dir}/nginx-u; scgi_temp_path {dir}/nginx-s;
  keepalive_requests 1000000;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=511;
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
    location / {
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
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

APACHE_PROXY = """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass "/" "http://127.0.0.1:{behind}/"
"""


def wait_for(address, process, what, limit=15):
    """Until something accepts at the address."""
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


class App:
    """A started server: its process, its address and port."""

    def __init__(self, t, words, port=None, path=None, **options):
        name = os.path.basename(str(words[0]))
        self.port = port
        self.address = path or ("127.0.0.1", port)
        self.process = t.spawn(words, **options)
        try:
            wait_for(self.address, self.process, name)
        except RuntimeError as error:
            with open(t.path(options.get("log") or f"{name}.log"), errors="replace") as log:
                raise RuntimeError(f"{error}: {log.read().strip()[-300:]}") from None

    @property
    def pids(self):
        return set(descendants(self.process.pid))


def _www(t):
    os.makedirs(t.path("www"), exist_ok=True)
    t.write("www/hello.txt", "hello, world\n" * 10)


def nginx_config(directory, port, workers=1, behind=None, keepalive=True, user="root"):
    """nginx's configuration: static files, or with `behind` (host:port, unix:/path) a proxy."""
    upstream, locations = "", NGINX_STATIC.format(dir=directory)
    if behind:
        keep = "keepalive 64;" if keepalive else ""
        upstream = f"upstream behind {{ server {behind}; {keep} }}"
        locations = NGINX_PROXY if keepalive else "location / { proxy_pass http://behind; }"
    return NGINX.format(dir=directory, port=port, workers=workers, upstream=upstream, user=user,
                        locations=locations)


def _early_errors(t):
    """Where nginx logs before it has read its configuration: it can be told from 1.19.5 on."""
    said = subprocess.run(["nginx", "-h"], capture_output=True, text=True, check=False).stderr
    return ["-e", t.path("nginx.err")] if " -e " in said else []


def nginx(t, behind=None, workers=1, keepalive=True):
    port = t.port()
    _www(t)
    config = t.write(f"nginx{port}.conf", nginx_config(t.dir, port, workers, behind, keepalive))
    return App(t, ["nginx", "-p", t.dir, "-c", config, *_early_errors(t)], port)


def apache(t, behind=None):
    if not os.path.isdir(APACHE_MODULES):
        raise Skip(f"no Apache modules in {APACHE_MODULES}")
    port = t.port()
    _www(t)
    rest = (APACHE_PROXY if behind else APACHE_STATIC).format(
        dir=t.dir, modules=APACHE_MODULES, behind=behind)
    config = t.write("apache.conf", APACHE.format(dir=t.dir, port=port, rest=rest,
                                                  modules=APACHE_MODULES))
    return App(t, ["apache2", "-DFOREGROUND", "-f", config], port)


def backend(t, delay=0):
    """Python's http.server, a thread for each connection."""
    port = t.port()
    words = [PYTHON, os.path.join(APPS, "backend.py"), port] + ([delay] if delay else [])
    return App(t, words, port, log="backend.log")


def raw(t, *options, host="127.0.0.1", env=None):
    """tests/apps/rawserver.py; host "unix" listens at a path, "::" on both families."""
    script = os.path.join(APPS, "rawserver.py")
    if host == "unix":
        path = t.path("raw.sock")
        return App(t, [PYTHON, script, *options, "unix", path], path=path, log="raw.log", env=env)
    port = t.port()
    return App(t, [PYTHON, script, *options, host, port], port, log="raw.log", env=env)


def flask(t, behind=None, reuse=True, unix=False, workers=2, threads=16):
    """gunicorn with threads and the Flask application."""
    if not shutil.which("gunicorn"):
        raise Skip("not installed: gunicorn")
    if subprocess.run([PYTHON, "-c", "import flask, gunicorn"], capture_output=True).returncode:
        raise Skip("not installed: python3-flask or python3-gunicorn")
    path, port = (t.path("flask.sock"), None) if unix else (None, t.port())
    bind = f"unix:{path}" if unix else f"127.0.0.1:{port}"
    words = [PYTHON, "-m", "gunicorn", "--worker-class", "gthread", "--workers", workers,
             "--threads", threads, "--keep-alive", "30", "--bind", bind, "--chdir", APPS,
             "--worker-tmp-dir", t.dir, "--no-sendfile", "flask_app:app"]
    env = {"BACKEND_REUSE": "1" if reuse else "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if behind:
        env["BACKEND"] = f"127.0.0.1:{behind}"
    return App(t, words, port, path, log="gunicorn.log", env=env)


def node(t, behind=None):
    if not shutil.which("node"):
        raise Skip("not installed: node")
    port = t.port()
    words = ["node", os.path.join(APPS, "server.js"), port] + ([behind] if behind else [])
    return App(t, words, port)


def _stale(target, source):
    return not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source)


def _build(words, what, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=170, **options)
    if done.returncode != 0:
        raise RuntimeError(f"building {what}: {done.stderr.strip()[-400:]}")


def go_binary():
    """tests/apps/goserver, built if its source is newer."""
    if not shutil.which("go"):
        raise Skip("not installed: go")
    os.makedirs(BUILT, exist_ok=True)
    target, source = os.path.join(BUILT, "goserver"), os.path.join(APPS, "goserver", "main.go")
    if _stale(target, source):
        env = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        _build(["go", "build", "-o", target, "."], "goserver", cwd=os.path.dirname(source), env=env)
    return target


def go(t, behind=None):
    port = t.port()
    return App(t, [go_binary(), port] + ([behind] if behind else []), port)


def java_archive():
    """tests/apps/Server.java as shop.jar, built if its source is newer."""
    if not shutil.which("javac") or not shutil.which("jar"):
        raise Skip("not installed: javac and jar (a JDK)")
    target, source = os.path.join(BUILT, "shop.jar"), os.path.join(APPS, "Server.java")
    if _stale(target, source):
        classes = os.path.join(BUILT, "classes")
        os.makedirs(classes, exist_ok=True)
        _build(["javac", "-d", classes, source], "Server.java")
        _build(["jar", "--create", "--file", target, "--main-class", "Server", "-C", classes, "."],
               "shop.jar")
    return target


def java(t, behind=None):
    port = t.port()
    words = ["java", "-Xmx256m", "-Dsun.net.httpserver.nodelay=true", "-jar", java_archive(), port]
    words += [behind] if behind else []
    return App(t, words, port)


def c_program(name, *libraries):
    """tests/apps/NAME.c compiled, if its source is newer. `libraries`: -l... and -D..."""
    if not shutil.which("cc"):
        raise Skip("not installed: a C compiler")
    os.makedirs(BUILT, exist_ok=True)
    target, source = os.path.join(BUILT, name), os.path.join(APPS, f"{name}.c")
    if _stale(target, source):
        _build(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", target,
                source, *libraries], name)
    return target
