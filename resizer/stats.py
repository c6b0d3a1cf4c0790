"""What an access log tells of a node: read once, in a space that does not grow with the log.

A log of any length takes about 100 bytes for each different URL in it (a set of 64-bit hashes, to know which
were asked for before), a few for each minute, and a fixed space for all else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from resizer.accesslog import STATES
from resizer.errors import ToolError
from resizer.favourites import Favourite, Favourites
from resizer.quantiles import Quantiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resizer.accesslog import Entry

CLASSES = (*STATES, "refused", "failed", "other")
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
_SERVED = frozenset({200, 206, 304})


@dataclass(frozen=True)
class Latency:
    """How long the requests of a class took, in milliseconds."""

    requests: int
    p50: float
    p90: float
    p99: float
    p999: float


@dataclass(frozen=True)
class Report:
    """What was found. `served` are the images; `by_state` tells where they came from.

    `again` is the share of those that had been asked for before in these logs. `bytes_kept` came from the
    node's own disk, `bytes_spared` were not sent because the client had them (304; by the mean size of those
    that were sent).
    `timeline` has the requests of each minute since 1970 by class.
    """

    requests: int
    unreadable: int
    served: int
    distinct: int
    by_state: dict[str, int]
    by_status: dict[int, int]
    bytes_sent: int
    bytes_kept: int
    bytes_spared: int
    latency: dict[str, Latency]
    top: tuple[Favourite, ...]
    timeline: dict[int, dict[str, int]]

    @property
    def again(self) -> float:
        """Return the share of images that were served for the second time or more."""
        return _share(self.served - self.distinct, self.served)

    def ratio(self, *states: str) -> float:
        """Return the share of images that came from these states."""
        return _share(sum(self.by_state[state] for state in states), self.served)

    def document(self) -> dict[str, Any]:
        """As JSON; the timeline is left to the plot."""
        ratios = {
            "apache": self.ratio("apache"),
            "node": self.ratio("apache", "disk", "shared"),
            "without_rendering": 1 - self.ratio("render") if self.served else 0.0,
        }
        plain = asdict(self)
        del plain["timeline"]
        return plain | {"again": self.again, "hit_ratio": ratios, "top": [asdict(one) for one in self.top]}


class Tally:
    """Adds up entries as they come."""

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._sent: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()
        self._unreadable = 0
        self._seen: set[int] = set()
        self._keys = Favourites()
        self._latency = {name: Quantiles() for name in CLASSES}
        self._timeline: dict[int, Counter[str]] = {}

    def add(self, entry: Entry | None) -> None:
        """Count one entry of a log, or a line that is none."""
        if entry is None:
            self._unreadable += 1
            return
        kind = class_of(entry)
        self._statuses[entry.status] += 1
        self._latency[kind].add(entry.micros)
        self._timeline.setdefault(entry.minute, Counter())[kind] += 1
        self._sent[kind] += entry.size
        if kind in STATES:
            self._count_image(entry, kind)

    def _count_image(self, entry: Entry, state: str) -> None:
        self._states[state] += 1
        self._whole[state] += entry.status == 200
        self._seen.add(int.from_bytes(blake2b(entry.name.encode(), digest_size=8).digest()))
        self._keys.add(entry.key, entry.size)

    def report(self, top: int = 10) -> Report:
        """Return what has been found so far. Raises ToolError if that is nothing at all."""
        if not self._statuses:
            raise ToolError(
                f"None of {self._unreadable} lines is of an access log of ours.",
                "Is it a node's access.log, one JSON object a line? Apache's site has the LogFormat.",
            )
        return Report(
            requests=self._statuses.total(),
            unreadable=self._unreadable,
            served=self._states.total(),
            distinct=len(self._seen),
            by_state={state: self._states[state] for state in STATES},
            by_status=dict(sorted(self._statuses.items())),
            bytes_sent=self._sent.total(),
            bytes_kept=self._sent["apache"] + self._sent["disk"],
            bytes_spared=self._spared(),
            latency={name: _latency(found) for name, found in self._latency.items() if found.count},
            top=self._keys.top(top),
            timeline={minute: dict(self._timeline[minute]) for minute in sorted(self._timeline)},
        )

    def _spared(self) -> int:
        images = sum(self._sent[state] for state in STATES)
        whole = self._whole.total()
        return self._statuses[304] * images // whole if whole else 0


def class_of(entry: Entry) -> str:
    """Return where a request's image came from, or `refused` (4xx), `failed` (5xx), `other`."""
    if entry.status >= 400:
        return "failed" if entry.status >= 500 else "refused"
    return entry.state if entry.state and entry.status in _SERVED else "other"


def report(entries: Iterable[Entry | None], top: int = 10) -> Report:
    """Read all entries into a report. Raises ToolError."""
    tally = Tally()
    for entry in entries:
        tally.add(entry)
    return tally.report(top)


def _latency(found: Quantiles) -> Latency:
    return Latency(found.count, **{name: found.at(share) / 1000 for name, share in PERCENTILES.items()})


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
