"""What a metric alarm's state is. Pure; times are seconds since 1970.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import math
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

# How many more periods than asked for are looked at, when some in between have no data.
_MORE_PERIODS = 2

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Sample:
    """What was put at a time: one value, or a set of them of which only the outlines are known."""

    time: float
    total: float
    count: float
    least: float
    most: float


@dataclass(frozen=True)
class Rule:
    """When an alarm rings: `needed` of the last `periods` values of a statistic are beyond a threshold."""

    comparison: str
    threshold: float
    period: float = 60.0
    periods: int = 1
    needed: int = 1
    statistic: str = "Average"
    missing: str = "missing"


@dataclass(frozen=True)
class Verdict:
    """An alarm's state and why; `points` are what it was judged by, oldest first, with their times."""

    state: str
    reason: str
    points: tuple[tuple[float, float], ...] = ()


def judge(rule: Rule, samples: Iterable[Sample], before: str, now: float) -> Verdict:
    """An alarm's state now; `before` is its state so far. Only periods that are over are looked at."""
    end = math.floor(now / rule.period) * rule.period
    start = end - (rule.periods + _MORE_PERIODS) * rule.period
    values = per_period(rule.statistic, rule.period, (one for one in samples if start <= one.time < end))
    points = tuple(sorted(values.items()))[-rule.periods :]
    unknown = rule.periods - len(points)
    if unknown and rule.missing == "ignore":
        return Verdict(before, "Unchecked: missing data is ignored.", points)
    if not points and rule.missing == "missing":
        return Verdict(INSUFFICIENT, _count("Insufficient Data: {} unknown.", unknown))
    return _weighed(rule, points, unknown)


def per_period(statistic: str, period: float, samples: Iterable[Sample]) -> Mapping[float, float]:
    """A statistic by the beginnings of periods, for those that have data."""
    of_period: defaultdict[float, list[Sample]] = defaultdict(list)
    for sample in samples:
        of_period[math.floor(sample.time / period) * period].append(sample)
    return {begin: statistic_of(statistic, found) for begin, found in of_period.items()}


def statistic_of(name: str, samples: Sequence[Sample]) -> float:
    """Sum, Average, Minimum, Maximum, SampleCount or a percentile such as p99 of samples."""
    if name.startswith("p"):
        return _percentile(float(name[1:]), sorted(one.total / one.count for one in samples if one.count))
    total, count = sum(one.total for one in samples), sum(one.count for one in samples)
    return {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count if count else 0.0,
        "Minimum": min(one.least for one in samples),
        "Maximum": max(one.most for one in samples),
    }[name]


def _weighed(rule: Rule, points: tuple[tuple[float, float], ...], unknown: int) -> Verdict:
    beyond, words = _COMPARISONS[rule.comparison]
    bad = [point for point in points if beyond(point[1], rule.threshold)]
    assumed_bad = unknown if rule.missing == "breaching" else 0
    # With nothing assumed, what is known decides alone.
    needed = min(rule.needed, len(points)) if rule.missing == "missing" else rule.needed
    rings = len(bad) + assumed_bad >= needed
    if not points:
        treated = "Breaching" if assumed_bad else "NonBreaching"
        reason = (
            f"Threshold Crossed: no datapoints were received for {_periods(unknown)} and {unknown} missing"
            f" datapoint{'s were' if unknown > 1 else ' was'} treated as [{treated}]."
        )
        return Verdict(ALARM if rings else OK, reason)
    return Verdict(ALARM if rings else OK, _reason(rule, points, bad if rings else (), words), points)


def _reason(
    rule: Rule, points: Sequence[tuple[float, float]], bad: Sequence[tuple[float, float]], words: str
) -> str:
    shown = bad or [
        point for point in points if not _COMPARISONS[rule.comparison][0](point[1], rule.threshold)
    ]
    shown = shown or points
    listed = ", ".join(f"{value} ({_when(begin)})" for begin, value in reversed(shown))
    which = f"{len(shown)} out of the last {rule.periods} datapoints" if rule.needed < rule.periods else ""
    plural = len(shown) > 1 or bool(which)
    what = which or f"{len(shown)} datapoint{'s' if plural else ''}"
    verb = f"{'were' if plural else 'was'}{'' if bad else ' not'}"
    return f"Threshold Crossed: {what} [{listed}] {verb} {words} the threshold ({float(rule.threshold)})."


def _when(begin: float) -> str:
    return time.strftime("%d/%m/%y %H:%M:%S", time.gmtime(begin))


def _periods(number: int) -> str:
    return f"{number} period{'s' if number > 1 else ''}"


def _count(text: str, number: int) -> str:
    return text.format(f"{number} datapoint{'s were' if number > 1 else ' was'}")


def _percentile(percent: float, values: Sequence[float]) -> float:
    """Between the two nearest values, as CloudWatch does it."""
    if not values:
        return 0.0
    at = percent / 100 * (len(values) - 1)
    low, high = math.floor(at), math.ceil(at)
    return values[low] + (values[high] - values[low]) * (at - low)
