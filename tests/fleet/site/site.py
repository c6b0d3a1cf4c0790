"""A page that tells its release, for as long as /health may be asked."""

import http.server
import pathlib
import time

LOG = pathlib.Path("/var/log/site.log")


class Page(http.server.BaseHTTPRequestHandler):
    """Answers everybody; the file `refuses` lets /health say no, and only that."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and log it as Apache does on other images."""
        began = time.perf_counter()
        refused = self.path == "/health" and pathlib.Path("/opt/refuses").exists()
        release = pathlib.Path("/opt/release")
        body = release.read_bytes() if release.exists() else b"first\n"
        self.send_response(503 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/":
            with LOG.open("a") as log:
                log.write(f'{{"path":"/","us":{(time.perf_counter() - began) * 1e6:.0f}}}\n')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
