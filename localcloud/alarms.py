"""What a metric alarm's state is. Pure; times are seconds since 1970.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
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


def span(rule: Rule, now: float) -> tuple[float, float]:
    """From when to when an alarm looks: over periods that are over, some more of them than it needs."""
    end = math.floor(now / rule.period) * rule.period
    return end - (rule.periods + _MORE_PERIODS) * rule.period, end


def judge(rule: Rule, values: Mapping[float, float], before: str, now: float) -> Verdict:
    """An alarm's state now, by its statistic in each period that has data; `before` is its state so far."""
    start, end = span(rule, now)
    known = sorted((begin, value) for begin, value in values.items() if start <= begin < end)
    points = tuple(known)[-rule.periods :]
    unknown = rule.periods - len(points)
    if unknown and rule.missing == "ignore":
        return Verdict(before, "Unchecked: missing data is ignored.", points)
    if not points and rule.missing == "missing":
        return Verdict(INSUFFICIENT, _count("Insufficient Data: {} unknown.", unknown))
    return _weighed(rule, points, unknown)


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
