"""What instances behind load balancers run in tests, and a client that counts what fails."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SLOW_SECONDS = 20
THREADS = 4

# Answers with the machine's name; /health answers with the statuses in the file `answers`, one after the
# other, and 200 when there are none; /slow takes its time.
PROGRAM = f"""
import http.server, pathlib, socket, time
answers = pathlib.Path("/srv/answers")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = socket.gethostname().encode()
        lines = answers.read_text().split() if self.path == "/health" and answers.exists() else []
        if lines:
            answers.write_text(" ".join(lines[1:]))
        self.send_response(int(lines[0]) if lines else 200)
        pieces = 20 if self.path == "/slow" else 1
        self.send_header("Content-Length", str(len(body) * pieces))
        self.end_headers()
        for _ in range(pieces):
            self.wfile.write(body)
            self.wfile.flush()
            time.sleep({SLOW_SECONDS} / pieces if pieces > 1 else 0)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""

USER_DATA = f"""#!/bin/sh
cat > /srv/target.py <<'END'
{PROGRAM}
END
systemd-run --unit=target --collect /usr/bin/python3 /srv/target.py
"""


def get(address: str, path: str = "/", port: int = 80, patience_seconds: float = 5) -> tuple[int, str]:
    """Status and body of an answer."""
    connection = http.client.HTTPConnection(address, port, timeout=patience_seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@dataclass
class Load:
    """Requests over connections that are kept, from a few threads, until it ends."""

    address: str
    failures: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def running(self, threads: int = THREADS) -> Iterator[Load]:
        ended = threading.Event()
        workers = [threading.Thread(target=self._ask, args=(ended,)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            ended.set()
            for worker in workers:
                worker.join()

    @property
    def answered(self) -> int:
        """How many requests were answered well so far."""
        return sum(self.answers.values())

    def _ask(self, ended: threading.Event) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        while not ended.is_set():
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status == 200:
                    self.answers[body] = self.answers.get(body, 0) + 1
                else:
                    self.failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as why:
                self.failures.append(repr(why))
                connection.close()
        connection.close()


def resolve(server: str, name: str) -> tuple[str, int] | None:
    """The first address that a name server gives for a name, and its seconds to live."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.connect((server, 53))
        asking.send(query)
        reply = asking.recv(4096)
    (answers,) = struct.unpack_from("!H", reply, 6)
    at = len(query)
    for _ in range(answers):
        at = _after_name(reply, at)
        kind, _, seconds, length = struct.unpack_from("!2HIH", reply, at)
        at += 10
        if kind == 1:
            return socket.inet_ntoa(reply[at : at + 4]), seconds
        at += length
    return None


def _after_name(reply: bytes, at: int) -> int:
    while reply[at] and reply[at] < 0xC0:
        at += reply[at] + 1
    return at + (2 if reply[at] else 1)


def until(seconds: float) -> Iterator[None]:
    """Look again and again, and stop after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.2)
