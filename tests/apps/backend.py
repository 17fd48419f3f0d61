#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http.server with a thread for each connection: answers every path with the number in it."""

import os
import random
import re
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODES = {"missing": 404, "broken": 500}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(sys.argv) > 2:
            time.sleep(random.random() * float(sys.argv[2]) / 1000)
        body = (re.findall(r"\d+", self.path) or ["-"])[-1].encode()
        self.send_response(CODES.get(self.path.split("/")[1], 200))
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:  # or else clients try to use the connection again
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if __name__ == "__main__":
    # backend.py PORT [LONGEST DELAY IN MS [HOST]]
    host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
    server = Server((host, int(sys.argv[1])), Handler)
    if "CERTIFICATE" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
        # the handshake is made by the first read, in the connection's own thread
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    server.serve_forever()
