"""Spans of time as people type them: 30s, 45m, 2h, 7d."""

from __future__ import annotations

import re
from datetime import timedelta

from aws.errors import AwsError

_FORM = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """The span that `text` says. Raises AwsError for anything but a whole number and s, m, h or d."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise AwsError(f"{text!r} is no span of time", "give a whole number and a unit: 30s, 45m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def spoken(span: timedelta) -> str:
    """A span in its largest unit, as `duration` reads it: 2d, 3h, 5m, 7s."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
