"""A local file server with faults, for python server.py FOLDER LOG.

The first part of the path names the fault, the last one the file: /cut/a.bin sends half of a.bin
and hangs up. Prints its port, then writes each request to LOG as `/cut/a.bin bytes=5-` (or `-`).
"""

import pathlib
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER, LOG = map(pathlib.Path, sys.argv[1:])
PAGES = {
    "html": b"<!DOCTYPE html><html><body>Please sign in</body></html>",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    "empty": b"",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        fault, name = self.path.split("/")[1], self.path.split("/")[-1]
        asked = self.headers.get("Range", "-")
        with LOG.open("a") as log:
            log.write(f"{self.path} {asked}\n")
        path = FOLDER / name
        body = path.read_bytes() if path.is_file() else None
        first = re.fullmatch(r"bytes=(\d+)-", asked)
        if fault == "late":
            time.sleep(0.5)
        if fault == "moved":
            self.answer(302, location=f"/fine/{name}")
        elif fault in PAGES:
            self.answer(200, PAGES[fault])
        elif body is None:
            self.answer(404, b"no such file")
        elif fault == "busy" and LOG.read_text().count("/busy/") == 1:
            self.answer(503, b"busy")
        elif fault == "wrong":
            self.answer(200, body[::-1])
        elif not first or fault == "norange":
            self.answer(200, body, fault)
        else:
            self.answer_rest(body, int(first[1]))

    def answer_rest(self, body, first):
        if first >= len(body):
            self.answer(416)
        else:
            self.answer(206, body[first:], content_range=f"bytes {first}-{len(body) - 1}/{len(body)}")

    def answer(self, status, body=b"", fault="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault in ("cut", "slow") else body)
        if fault == "slow":  # only a whole download is: a resumed one gets the rest at once
            self.wfile.flush()
            time.sleep(30)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
