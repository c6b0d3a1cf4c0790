"""A store that is down is not waited for by everybody: after some failures it is left alone."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from resizer.errors import MissingError, StoreDeniedError, StoreError, StoreTimeoutError, TooManyBytesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resizer.blob import Blob
    from resizer.store import Store

T = TypeVar("T")
FAILURES = 5
REST_SECONDS = 2.0
_log = logging.getLogger(__name__)


class Breaker:
    """Fails at once while the store behind it rests; one call each `REST_SECONDS` tries it again."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._failures = 0
        self._rests_until = 0.0

    def read(self, key: str, max_bytes: int) -> Blob:
        """See Store."""
        return self._try(lambda: self._store.read(key, max_bytes))

    def etag(self, key: str) -> str:
        """See Store."""
        return self._try(lambda: self._store.etag(key))

    def write(self, key: str, blob: Blob, media_type: str) -> None:
        """See Store."""
        self._try(lambda: self._store.write(key, blob, media_type))

    def delete(self, keys: Iterable[str]) -> None:
        """See Store."""
        self._try(lambda: self._store.delete(keys))

    def names(self, prefix: str, after: str = "") -> list[str]:
        """See Store."""
        return self._try(lambda: list(self._store.names(prefix, after)))

    def folders(self, prefix: str) -> list[str]:
        """See Store."""
        return self._try(lambda: list(self._store.folders(prefix)))

    def _try(self, call: Callable[[], T]) -> T:
        self._ask()
        try:
            value = call()
        except (MissingError, TooManyBytesError, StoreDeniedError):
            self._worked()  # it answered
            raise
        except (StoreError, StoreTimeoutError):
            self._failed()
            raise
        self._worked()
        return value

    def _ask(self) -> None:
        with self._guard:
            now = self._clock()
            if self._failures < FAILURES:
                return
            if now < self._rests_until:
                raise StoreError(
                    "The object store has failed repeatedly, and is left alone for a moment.",
                    "The lines before this one say how it failed; it is tried again by itself.",
                )
            self._rests_until = now + REST_SECONDS

    def _failed(self) -> None:
        with self._guard:
            self._failures += 1
            self._rests_until = self._clock() + REST_SECONDS
            if self._failures == FAILURES:
                _log.error("The object store failed %s times in a row; misses get 503 at once.", FAILURES)

    def _worked(self) -> None:
        if self._failures:
            with self._guard:
                if self._failures >= FAILURES:
                    _log.warning("The object store answers again.")
                self._failures = 0
