"""Scheduled actions: when they are due, once or by a cron expression in a time zone. Pure.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)
_LONGEST_LOOK_BACK = timedelta(days=2)  # of a cloud that was down: what was due earlier is let go


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read an expression. Raises ValueError."""
        parts = text.split()
        if len(parts) != 5:
            raise ValueError(f"{text!r} has not five fields")
        values = [
            _values(part, low, high, names)
            for part, (low, high), names in zip(parts, _FIELDS, _NAMES, strict=True)
        ]
        weekdays = frozenset(day % 7 for day in values[4])
        return cls(values[0], values[1], values[2], values[3], weekdays, parts[2] == "*", parts[4] == "*")

    def matches(self, when: datetime) -> bool:
        """Whether it is time, to the minute. As cron does it, a day of the month or of the week is enough."""
        of_month, of_week = when.day in self.days, (when.isoweekday() % 7) in self.weekdays
        day = (of_month and of_week) if self.any_day or self.any_weekday else (of_month or of_week)
        return day and when.minute in self.minutes and when.hour in self.hours and when.month in self.months


@dataclass(frozen=True)
class Plan:
    """When an action happens: at `start`, or by `cron` between `start` and `end`."""

    start: float | None = None
    end: float | None = None
    cron: Cron | None = None
    zone: tzinfo = UTC

    @property
    def recurs(self) -> bool:
        """Whether it happens more than once."""
        return self.cron is not None

    def due(self, since: float, now: float) -> bool:
        """Whether it was due after `since`, up to now. What happens once happens late rather than never."""
        if self.cron is None:
            return self.start is not None and self.start <= now
        when = datetime.fromtimestamp(max(since, now - _LONGEST_LOOK_BACK.total_seconds()), self.zone)
        when = when.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while when.timestamp() <= now:
            if self.cron.matches(when) and self._within(when.timestamp()):
                return True
            when += timedelta(minutes=1)
        return False

    def _within(self, when: float) -> bool:
        return (self.start is None or self.start <= when) and (self.end is None or when <= self.end)


def plan_of(action: Any) -> Plan:
    """The plan of one of moto's scheduled actions. Raises ValueError when it has none that can be read."""
    return Plan(
        _seconds(action.start_time),
        _seconds(action.end_time),
        Cron.parse(action.recurrence) if action.recurrence else None,
        ZoneInfo(action.time_zone) if action.time_zone else UTC,
    )


def _seconds(when: Any) -> float | None:
    if not when:
        return None
    read = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _values(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else _number(first, names)
        end = high if first == "*" or (step and not last) else _number(last or first, names)
        if not low <= begin <= end <= high or (step and int(step) < 1):
            raise ValueError(f"{part!r} is not within {low} to {high}")
        found |= set(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text.upper()] if text.upper() in names else int(text)
