# SPDX-License-Identifier: Apache-2.0
"""
A Flask application with OpenTelemetry's SDK, which exports its own spans over OTLP.

    app.py HOST PORT [BACKEND]

It answers /<kind>/<number> with the number, or with what BACKEND (host:port) says to the same path.
Of the kind "bare" it asks with a library that is not instrumented.
OTEL_EXPORTER_OTLP_ENDPOINT and the SDK's other variables hold.
"""

import http.client
import signal
import sys
import threading

import requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)
local = threading.local()


def ask(path):
    session = getattr(local, "session", None)
    if session is None:
        session = local.session = requests.Session()
        session.trust_env = False
    answer = session.get(f"http://{BACKEND}{path}", timeout=10)
    return answer.text, answer.status_code


def ask_barely(path):
    client = getattr(local, "client", None)
    if client is None:
        client = local.client = http.client.HTTPConnection(BACKEND, timeout=10)
    client.request("GET", path)
    answer = client.getresponse()
    return answer.read().decode(), answer.status


@app.route("/<kind>/<int:number>")
def numbered(kind, number):
    if not BACKEND:
        return str(number)
    return (ask_barely if kind == "bare" else ask)(f"/{kind}/{number}")


def stop(*_):
    PROVIDER.shutdown()  # sends what it still has
    sys.exit(0)


if __name__ == "__main__":
    host, port, BACKEND = sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or [None])[0]
    PROVIDER = TracerProvider()
    PROVIDER.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(PROVIDER)
    FlaskInstrumentor().instrument_app(app)
    RequestsInstrumentor().instrument()
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    WSGIRequestHandler.log_request = lambda *_: None
    server = make_server(host, port, app, threaded=True)
    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()
