"""The gate before the renderers: it bounds how many of them work at once."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from resizer.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gate:
    """Admits `renders` at a time; whoever has waited `queue_seconds` is sent away."""

    def __init__(self, renders: int, queue_seconds: float) -> None:
        self._free = threading.BoundedSemaphore(renders)
        self._queue_seconds = queue_seconds

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Hold one of the places. Raises BusyError."""
        if not self._free.acquire(timeout=self._queue_seconds):
            raise BusyError(
                f"All renderers were busy for {self._queue_seconds} s.",
                "Add nodes; or raise renders if the cores are idle.",
                retry_after_seconds=max(1, int(self._queue_seconds)),
            )
        try:
            yield
        finally:
            self._free.release()
