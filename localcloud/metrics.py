"""What CloudWatch keeps: for each metric a series of periods, each with the distribution of its values.

Memory is bounded: values are counted by three significant digits, periods become minutes after a quarter of
an hour and are forgotten after three hours, and above a total the oldest go first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_FINE_SECONDS = 10  # the shortest period of a metric of standard resolution; AWS's is a minute
_COARSE_SECONDS = 60
_FINE_FOR_SECONDS = 900
_KEPT_SECONDS = 3 * 3600
_MOST_PERIODS = 50_000

Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""Namespace, name, and sorted dimensions of a metric."""


@dataclass(slots=True)
class Distribution:
    """Some values: how many, their sum, bounds, and how often each occurs as far as that is known."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    seen: dict[float, float] = field(default_factory=dict)

    def add(self, value: float, times: float = 1.0) -> None:
        """Count a value some times."""
        key = float(f"{value:.3g}")
        self.seen[key] = self.seen.get(key, 0.0) + times
        self.add_summary(times, value * times, value, value)

    def add_summary(self, count: float, total: float, low: float, high: float) -> None:
        """Count values of which only a summary is known: they are in no percentile."""
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)

    def merge(self, other: Distribution) -> None:
        """Count all values of another."""
        for value, times in other.seen.items():
            self.seen[value] = self.seen.get(value, 0.0) + times
        self.add_summary(other.count, other.total, other.low, other.high)

    def statistic(self, name: str) -> float | None:
        """A statistic by CloudWatch's name, None for a percentile of values that are not known."""
        match name:
            case "SampleCount":
                return self.count
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count if self.count else None
            case "Minimum":
                return self.low
            case "Maximum":
                return self.high
        return self._percentile(float(name[1:]))

    def _percentile(self, percent: float) -> float | None:
        """The smallest value that at least so many percent of all are not above."""
        known = sum(self.seen.values())
        wanted = known * percent / 100
        passed = 0.0
        for value in sorted(self.seen):
            passed += self.seen[value]
            if passed >= wanted:
                return min(max(value, self.low), self.high)
        return None


def is_statistic(name: str) -> bool:
    """Whether CloudWatch here knows a statistic."""
    if name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum"):
        return True
    return bool(re.fullmatch(r"p\d{1,3}(\.\d{1,10})?", name)) and float(name[1:]) <= 100


class Metrics:
    """All metrics of a region. Not for several threads at once."""

    def __init__(self) -> None:
        self._series: dict[Key, dict[tuple[int, str], Distribution]] = {}
        self._periods = 0
        self._tidied = 0.0

    def at(self, key: Key, seconds: float, unit: str, now: float, *, fine: bool = False) -> Distribution:
        """The distribution that a value of a time belongs to; `now` is what ages are counted from."""
        self._tidy(now)
        period = 1 if fine else _FINE_SECONDS
        series = self._series.setdefault(key, {})
        start = int(seconds // period * period)
        found = series.get((start, unit))
        if found is None:
            found = series[start, unit] = Distribution()
            self._periods += 1
        return found

    def keys(self) -> list[Key]:
        """The metrics that there are."""
        return list(self._series)

    def periods(
        self, key: Key, start: float, end: float, period: int, unit: str = ""
    ) -> dict[int, tuple[Distribution, str]]:
        """Start of period -> distribution and unit, ascending; periods are aligned to the clock.

        All of the periods that begin at or after the one that holds `start`, and before `end`.
        """
        first = start // period * period
        found: dict[int, tuple[Distribution, str]] = {}
        for (at, its_unit), distribution in sorted(self._series.get(key, {}).items()):
            if first <= at < end and unit in ("", its_unit):
                whole, _ = found.setdefault(at // period * period, (Distribution(), its_unit))
                whole.merge(distribution)
        return found

    def _tidy(self, now: float) -> None:
        if now - self._tidied < _COARSE_SECONDS and self._periods <= _MOST_PERIODS:
            return
        self._tidied = now
        keep = _KEPT_SECONDS
        self._keep(now, keep)
        while self._periods > _MOST_PERIODS and keep > _COARSE_SECONDS:
            keep //= 2
            self._keep(now, keep)

    def _keep(self, now: float, seconds: float) -> None:
        for key, series in list(self._series.items()):
            kept: dict[tuple[int, str], Distribution] = {}
            for (at, unit), distribution in series.items():
                if at >= now - seconds:
                    young = at >= now - _FINE_FOR_SECONDS
                    start = at if young else at // _COARSE_SECONDS * _COARSE_SECONDS
                    kept.setdefault((start, unit), Distribution()).merge(distribution)
            self._series[key] = kept
            if not kept:
                del self._series[key]
        self._periods = sum(map(len, self._series.values()))


def key_of(namespace: str, name: str, dimensions: Iterable[tuple[str, str]]) -> Key:
    """A metric's key, whatever order its dimensions come in."""
    return namespace, name, tuple(sorted(dimensions))


def values(periods: dict[int, tuple[Distribution, str]], statistic: str) -> Iterator[tuple[int, float]]:
    """Start of period and statistic, where there is one."""
    for at, (distribution, _) in periods.items():
        value = distribution.statistic(statistic)
        if value is not None:
            yield at, value
