"""A page that tells its release, and what an image may get wrong about it."""

import http.server
import itertools
import pathlib
import time

LOG = pathlib.Path("/var/log/site.log")
OPT = pathlib.Path("/opt")
NUMBER = itertools.count()


class Page(http.server.BaseHTTPRequestHandler):
    """Answers everybody; `refuses` lets /health say no, `fails` every second page, `slow` lets pages wait."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and log it as Apache does on other images."""
        began = time.perf_counter()
        asked = self.path == "/"
        if asked and (OPT / "slow").exists():
            time.sleep(float((OPT / "slow").read_text()))
        refused = self.path == "/health" and (OPT / "refuses").exists()
        failed = asked and (OPT / "fails").exists() and next(NUMBER) % 2 == 0
        release = OPT / "release"
        body = release.read_bytes() if release.exists() else b"first\n"
        self.send_response(503 if refused else 500 if failed else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if asked:
            with LOG.open("a") as log:
                log.write(f'{{"path":"/","us":{(time.perf_counter() - began) * 1e6:.0f}}}\n')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
