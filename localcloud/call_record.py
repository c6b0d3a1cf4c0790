"""Who called what, and when: the last calls to the AWS endpoint, in the daemon's memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from localcloud.request import Request

_KEPT = 20_000


class CallRecord:
    """The last calls, refused ones among them. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._calls: deque[tuple[float, str, str, str]] = deque(maxlen=_KEPT)

    def note(self, request: Request, caller: str) -> None:
        """Keep a call from an address."""
        self._calls.append((self._clock(), caller, request.service, request.action))

    def since(self, moment: float) -> list[dict[str, Any]]:
        """The calls after a Unix time, oldest first; `caller` is the address they came from."""
        names = ("time", "caller", "service", "action")
        return [dict(zip(names, one, strict=True)) for one in self._calls.copy() if one[0] > moment]


def pages(record: CallRecord) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    """The page that shows the calls, all or those `since` a Unix time."""
    return {"/local-cloud/calls": lambda wanted: {"calls": record.since(float(wanted.get("since", 0)))}}
