"""Refusals, remembered for a moment: what is missing or broken is not tried again by every request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from resizer.errors import MissingError, RefusalError, TooSlowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from resizer.address import Address

MOST = 10_000
SLOW_SECONDS = 60  # what has cost a renderer its whole deadline is not soon tried again
_LASTING = frozenset({404, 413, 415, 422})


class Absences:
    """What was refused, by key where the original is missing, else by result. Threads may share it."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._known: OrderedDict[str, tuple[float, RefusalError]] = OrderedDict()

    def check(self, address: Address) -> None:
        """Raise the refusal that is remembered for this address, if any."""
        with self._guard:
            found = [self._known.get(name) for name in (_by_key(address), address.result)]
        for until, error in filter(None, found):
            if self._clock() < until:
                raise error.with_traceback(None)

    def note(self, address: Address, error: RefusalError) -> None:
        """Remember a refusal, if it is of a kind that lasts."""
        if error.status not in _LASTING:
            return
        seconds = max(self._seconds, SLOW_SECONDS) if isinstance(error, TooSlowError) else self._seconds
        name = _by_key(address) if isinstance(error, MissingError) else address.result
        with self._guard:
            self._known[name] = (self._clock() + seconds, error)
            self._known.move_to_end(name)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def _by_key(address: Address) -> str:
    return f"/{address.key}"  # no result begins with a slash
