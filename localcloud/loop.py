"""What the cloud does by itself: once a second, and at once when something has changed."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

_EVERY_SECONDS = 1.0

Work = Callable[[float], bool]
"""Does what is due at a time (seconds since 1970). Returns whether it changed anything."""


class Loop:
    """One thread that does all work in turn; `passing` lets it change what is being saved."""

    def __init__(
        self,
        works: Sequence[Work],
        passing: Callable[[], AbstractContextManager[None]],
        changed: Callable[[], object],
        notice: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._works = works
        self._passing = passing
        self._changed = changed
        self._notice = notice
        self._clock = clock
        self._news = threading.Event()
        self._ended = threading.Event()
        self._told: set[str] = set()

    def wake(self) -> None:
        """Have it look at once."""
        self._news.set()

    def turn(self) -> None:
        """Do everything that is due. What fails is told of once, and tried again in the next turn."""
        acted = False
        with self._passing():
            for work in self._works:
                try:
                    acted |= work(self._clock())
                except Exception as why:  # noqa: BLE001 (whatever it is, all other groups must go on)
                    self._tell(why)
        if acted:
            self._changed()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run while the block does."""
        thread = threading.Thread(target=self._follow, name="loop", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._news.set()
            thread.join(10)

    def _follow(self) -> None:
        while not self._ended.is_set():
            self.turn()
            self._news.wait(_EVERY_SECONDS)
            self._news.clear()

    def _tell(self, why: Exception) -> None:
        text = "".join(traceback.format_exception(why))
        if text not in self._told:
            self._told.add(text)
            self._notice(f"the cloud could not do something by itself: {why!r}; it tries again")
            traceback.print_exception(why)
