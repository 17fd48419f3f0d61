#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py PORT BACKEND-PORT: http.server, a thread for each connection, that asks a backend."""

import http.client
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    behind = None

    def do_GET(self):
        if self.behind is None:
            self.behind = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=30)
        self.behind.request("GET", self.path)
        answer = self.behind.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
