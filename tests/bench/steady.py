"""Load that goes on second after second, whatever becomes of the answers, while something else happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.load import Answers, open_loop

RATE = 30


@dataclass
class Load:
    """An open loop's answers, by the second in which they were asked for."""

    url: str
    ended: threading.Event = field(default_factory=threading.Event)
    seconds: list[tuple[float, Answers]] = field(default_factory=list)

    def ask(self) -> None:
        """Until the end, in pieces of a second."""
        while not self.ended.is_set():
            began = time.monotonic()
            told = open_loop({"page": [self.url]}, {"page": 1.0}, RATE, 1.0, seed=len(self.seconds) + 1)
            self.seconds.append((began, told["page"]))

    def all(self, since: float = 0.0, until: float = float("inf")) -> Answers:
        """What came of the requests between two moments."""
        found = Answers()
        for began, answers in self.seconds:
            if since <= began < until:
                found.latencies_ms += answers.latencies_ms
                found.statuses += answers.statuses
        return found


@contextmanager
def load(url: str) -> Iterator[Load]:
    """Requests for a URL for as long as the block lasts."""
    made = Load(url)
    thread = threading.Thread(target=made.ask)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        thread.join()
