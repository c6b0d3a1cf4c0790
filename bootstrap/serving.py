"""How a node serves: its requests and what they took since the last look, from the end of its access log."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bootstrap.log_file import lines, unread

# What Apache writes of a request: quotes in a path are escaped there, so that no client can say `"us":`.
_LINE = re.compile(rb'"path":"((?:[^"\\]|\\.)*)".*"us":(\d+)')
# More than that was not read for long; what it tells is of no moment any more.
_MOST_BYTES = 64 << 20
# CloudWatch takes 150 different values at most: steps of a tenth from 0.1 ms on, up to a minute.
_FINEST_SECONDS, _STEP, _STEPS = 1e-4, 1.1, 140


@dataclass(frozen=True)
class Place:
    """How far a log has been read, and when by the monotonic clock."""

    inode: int
    offset: int
    at: float


@dataclass
class Served:
    """The requests of some seconds; `latencies` counts them by what they took, in seconds."""

    seconds: float
    latencies: Counter[float] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """How many requests came in a second."""
        return self.latencies.total() / self.seconds


@dataclass(frozen=True)
class AccessLog:
    """A log of JSON lines with `path` and `us`; `kept` is where the last look got to.

    A log that was rotated meanwhile is read to its end as `….1`. Requests for `health` are nobody's.
    """

    path: Path
    kept: Path
    health: str = ""

    def served(self, now: float) -> Served | None:
        """What was served since the last look; None at the first one, and where there is no such log.

        Raises OSError where a log cannot be read.
        """
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return None
        before, here = self._before(), Place(there.st_ino, there.st_size, now)
        if before is None or before.at >= now:
            self._keep(here)
            return None
        found, end = Served(now - before.at), here.offset
        for path, first in unread(self.path, before.inode, before.offset):
            end = self._count(path, first, found)
        self._keep(Place(here.inode, end, now))
        return found

    def _count(self, path: Path, first: int, found: Served) -> int:
        """Count the whole lines from an offset on; returns where the last of them ends."""
        with path.open("rb") as file:
            first = max(first, path.stat().st_size - _MOST_BYTES)
            file.seek(first)
            for line in lines(file):
                first += len(line)
                told = _LINE.search(line)
                if told and told[1].decode(errors="replace") != self.health:
                    found.latencies[_rounded(int(told[2]) / 1e6)] += 1
        return first

    def _before(self) -> Place | None:
        try:
            return Place(**json.loads(self.kept.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, place: Place) -> None:
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_text(json.dumps(asdict(place)))


def _rounded(seconds: float) -> float:
    step = math.ceil(math.log(max(seconds, _FINEST_SECONDS) / _FINEST_SECONDS, _STEP) - 1e-9)
    return float(f"{_FINEST_SECONDS * _STEP ** min(step, _STEPS):.3g}")
