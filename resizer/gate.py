"""A gate: it bounds how many do something at once."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from resizer.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "Add nodes; or raise renders if the cores are idle."


class Gate:
    """Admits `places` at a time; whoever has waited `seconds` is sent away with `sentence`."""

    def __init__(self, places: int, seconds: float, sentence: str = "All renderers are busy.") -> None:
        self._free = threading.BoundedSemaphore(places)
        self._seconds = seconds
        self._sentence = sentence

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Hold one of the places. Raises BusyError."""
        if not self._free.acquire(timeout=self._seconds):
            raise BusyError(self._sentence, _HINT, retry_after_seconds=max(1, int(self._seconds)))
        try:
            yield
        finally:
            self._free.release()
