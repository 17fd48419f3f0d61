# SPDX-License-Identifier: Apache-2.0
"""
The peers of gRPC, tests/apps/grpc: a program in each language, built when its source is newer from
what the language's own registry gives, in the runner's network.
"""

import os
import shutil

import apps
import cargo
from case import Skip

SOURCES = os.path.join(apps.APPS, "grpc")


def _needs(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        raise Skip(f"not installed: {', '.join(missing)}")


def python(_):
    if not apps.python_has("grpc"):
        raise Skip("Python has no grpc (python3-grpcio)")
    return [apps.PYTHON, "-B", os.path.join(SOURCES, "app.py")]


def python_wheel(t):
    """The same with what pip installs: it has a BoringSSL without symbols within its library."""
    if not apps.python_has("pip"):
        raise Skip("not installed: python3-pip")
    place = apps.made(t, "grpc/python", ["requirements.txt"],
                          [apps.PYTHON, "-m", "pip", "install", "--quiet", "--timeout", "20", "--only-binary", ":all:",
                           "--target", "site", "--upgrade", "--requirement", "requirements.txt"])
    return ["env", f"PYTHONPATH={place}/site", apps.PYTHON, "-B", os.path.join(SOURCES, "app.py")]


def go(t):
    _needs("go")
    env = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    place = apps.made(t, "grpc/go", ["main.go", "go.mod", "go.sum"], ["go", "mod", "download"],
                      ["go", "build", "-o", "peer", "."], env)
    return [os.path.join(place, "peer")]


def _node(t):
    _needs("node", "npm")
    return apps.made(t, "grpc/node", ["package.json", "grpc_js.js", "connect.js"],
                     ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"])


def node(t):
    return ["node", os.path.join(_node(t), "grpc_js.js")]


def connect(t):
    return ["node", os.path.join(_node(t), "connect.js")]


def java(t):
    _needs("java", "javac", "mvn")
    place = apps.made(t, "grpc/java", ["pom.xml", "src/main/java/Peer.java"], ["mvn", "-q", "-B", "-ntp", "package"])
    jars = [os.path.join(place, "target", name) for name in ("classes", "dependency/*")]
    return ["java", "-Xmx256m", "-cp", ":".join(jars), "Peer"]


def rust(t):
    return [cargo.program(t, "grpc/rust", "peer", profile="debug")]


def cpp(t):
    if not os.path.exists("/usr/include/grpcpp/generic/generic_stub.h"):
        raise Skip("not installed: libgrpc++-dev")
    libraries = ["-lgrpc++", "-lgrpc", "-lgpr", "-labsl_synchronization", "-pthread"]
    place = apps.made(t, "grpc/cpp", ["peer.cc"], ["true"],
                      ["c++", "-std=c++17", "-O1", "-Wall", "-o", "peer", "peer.cc", *libraries])
    return [os.path.join(place, "peer")]


def serve(t, words, *more):
    port = t.port()
    return apps.App(t, [*words, "serve", port, *more], port, log="server.log")


NGINX = """
daemon off; worker_processes 1; pid {dir}/proxy.pid; error_log {dir}/proxy.err warn; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {dir}/p-body; proxy_temp_path {dir}/p-proxy;
  fastcgi_temp_path {dir}/p-f; uwsgi_temp_path {dir}/p-u; scgi_temp_path {dir}/p-s;
  keepalive_requests 1000000;
  upstream behind {{ server 127.0.0.1:{inner}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} http2 backlog=4096;
    location / {{ grpc_pass grpc://behind; grpc_read_timeout 60s; }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend entry
  bind 127.0.0.1:{port} {bind}
  default_backend behind
backend behind
  server one 127.0.0.1:{inner} {server}
"""


def nginx(t, inner):
    """A proxy from HTTP/2 to HTTP/2, one request at a time on each connection behind it."""
    _needs("nginx")
    port = t.port()
    config = t.write("proxy.conf", NGINX.format(dir=t.dir, port=port, inner=inner))
    return apps.App(t, ["nginx", "-e", t.path("proxy.err"), "-p", t.dir, "-c", config], port, workers=1)


def haproxy(t, inner, bind="proto h2", server="proto h2"):
    """The same, all requests on few connections; or by what `bind` and `server` say of its two sides."""
    _needs("haproxy")
    port = t.port()
    config = t.write("haproxy.cfg", HAPROXY.format(port=port, inner=inner, bind=bind, server=server))
    return apps.App(t, ["haproxy", "-db", "-f", config], port)
