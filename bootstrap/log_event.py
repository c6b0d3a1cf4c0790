"""What CloudWatch Logs takes: lines with a time, of the journal and Apache's error log, in batches; pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MOST_EVENTS = 10_000
_MOST_BYTES = 1_048_576
_BYTES_EACH = 26  # counted by CloudWatch on top of the text
_LONGEST_BYTES = 262_144 - _BYTES_EACH
_LONGEST_SPAN_MS = 24 * 3600 * 1000 - 1
_WARNING = 4
_OUR_UNITS = re.compile(r"(node-bootstrap|node-decommission|apache2)\.service|resizer-.*")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# [Fri Jan 02 03:04:05.123456 2026] [wsgi:error] …, in the time zone of the node
_STAMP = re.compile(r"\[\w{3} (\w{3}) (\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{3})\d*)? (\d{4})\] ?")


@dataclass(frozen=True)
class Event:
    """A line, and when it was written: milliseconds since 1970, UTC."""

    at: int
    text: str

    @property
    def size_bytes(self) -> int:
        """What it counts for in a batch."""
        return len(self.text.encode()) + _BYTES_EACH

    def document(self) -> dict[str, object]:
        """Return it as PutLogEvents has it."""
        return {"timestamp": self.at, "message": self.text}


def of_journal(entry: Mapping[str, Any]) -> Event | None:
    """The event of an entry as `journalctl -o json` shows it; None for one that is not for shipping.

    Shipped are warnings and worse, and all lines of the units that are ours, what systemd says of them too.
    """
    unit = str(entry.get("_SYSTEMD_UNIT") or "")
    ours = _OUR_UNITS.fullmatch(unit) or _OUR_UNITS.fullmatch(str(entry.get("UNIT") or ""))
    if not ours and int(entry.get("PRIORITY", "6")) > _WARNING:
        return None
    who = entry.get("SYSLOG_IDENTIFIER") or unit or "journal"
    held = entry.get("MESSAGE") or ""
    message = bytes(held).decode(errors="replace") if isinstance(held, list) else str(held)
    if not message.strip():
        return None
    return Event(int(entry["__REALTIME_TIMESTAMP"]) // 1000, _short(f"{who}: {message}"))


def of_error_log(line: str, before: int, now: int) -> Event | None:
    """The event of a line of Apache's error log; one without a time is as old as the one before it.

    None for an empty line. No line is newer than now.
    """
    text = line.rstrip()
    if not text:
        return None
    stamp = _STAMP.match(text)
    at = _moment(*stamp.groups(default="0")) if stamp else before
    return Event(min(at, now), _short(f"apache2: {text[stamp.end() :] if stamp else text}"))


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """All events in the order of their time, as many at a time as one call may carry."""
    batch: list[Event] = []
    size_bytes = 0
    for one in sorted(events, key=lambda event: event.at):
        whole = len(batch) == _MOST_EVENTS or size_bytes + one.size_bytes > _MOST_BYTES
        if batch and (whole or one.at - batch[0].at > _LONGEST_SPAN_MS):
            yield batch
            batch, size_bytes = [], 0
        batch.append(one)
        size_bytes += one.size_bytes
    if batch:
        yield batch


def _moment(month: str, day: str, hour: str, minute: str, second: str, millis: str, year: str) -> int:
    number = _MONTHS.index(month) + 1 if month in _MONTHS else 1
    local = (int(year), number, int(day), int(hour), int(minute), int(second), 0, 0, -1)
    return int(time.mktime(local)) * 1000 + int(millis)


def _short(text: str) -> str:
    """The text as CloudWatch can hold it: valid, and not too long."""
    return text.encode(errors="replace")[:_LONGEST_BYTES].decode(errors="ignore")
