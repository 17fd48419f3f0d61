# SPDX-License-Identifier: Apache-2.0
"""
A Flask application that asks the backend (BACKEND=host:port; without one it answers itself) and
returns what that said. BACKEND_REUSE=0: a new connection for every call.
"""

import http.client
import os
import threading

from flask import Flask

app = Flask(__name__)
local = threading.local()
BACKEND = os.environ.get("BACKEND")
REUSE = os.environ.get("BACKEND_REUSE", "1") == "1"


def ask(path):
    client = getattr(local, "client", None)
    if client is None or not REUSE:
        client = local.client = http.client.HTTPConnection(BACKEND, timeout=30)
    client.request("GET", path)
    answer = client.getresponse()
    body = answer.read().decode()
    if not REUSE:
        client.close()
    return body, answer.status


@app.route("/<kind>/<int:number>")
def numbered(kind, number):
    if BACKEND:
        return ask(f"/{kind}/{number}")
    return str(number), {"missing": 404, "broken": 500}.get(kind, 200)
