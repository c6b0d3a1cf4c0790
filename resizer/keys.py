"""The node's keys to the store, renewed off the way of those who only want to use them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from collections.abc import Callable

REST_SECONDS = 5.0  # between two looks at a metadata service that does not answer


class Keys:
    """Wraps botocore's credentials, which let everybody wait for a renewal that fails, and fail with it.

    Botocore renews keys long before they expire. A metadata service that says nothing takes seconds for that:
    one thread waits for it, the others use what they have for as long as it is good.
    """

    def __init__(self, credentials: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._credentials = credentials
        self._clock = clock
        self._guard = threading.Lock()
        self._last: Any = None
        self._failure: BotoCoreError | None = None
        self._rests_until = 0.0

    def get_frozen_credentials(self) -> Any:
        """Return keys that are good. Raises BotoCoreError where there are none, for all who wait at once."""
        if not self._guard.acquire(blocking=not self._is_good()):
            return self._last
        try:
            if self._failure is None or self._clock() >= self._rests_until:
                self._renew()
            if self._failure is not None and not self._is_good():
                raise self._failure.with_traceback(None)
            return self._last
        finally:
            self._guard.release()

    def _renew(self) -> None:
        try:
            self._last = self._credentials.get_frozen_credentials()
            self._failure = None
        except BotoCoreError as error:
            self._failure = error
            self._rests_until = self._clock() + REST_SECONDS

    def _is_good(self) -> bool:
        """Tell whether there are keys that have not expired; those that are no role's never do."""
        expires = getattr(self._credentials, "refresh_needed", None)
        return self._last is not None and not (expires and expires(0))
