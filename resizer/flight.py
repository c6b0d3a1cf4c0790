"""Single flight: of many who want the same thing at once, one works and the others share what comes of it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from resizer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
_POLL_SECONDS = 0.02
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Landed(Generic[T]):
    """What came of a flight; `led` is False for those who only shared it."""

    value: T
    led: bool


class Flight(Generic[T]):
    """One worker per name: among this process's threads by a future, among the node's processes by flock.

    Names share 4096 lock files by their hash; the kernel lets go of the lock of a process that dies. Whoever
    has waited `timeout_seconds` works on their own: a stuck leader slows the others down, but stops nobody.
    """

    def __init__(self, lock_dir: Path, timeout_seconds: float) -> None:
        self._lock_dir = lock_dir
        self._timeout_seconds = timeout_seconds
        self._guard = threading.Lock()
        self._flying: dict[str, Future[T]] = {}
        self._lockless = False

    def run(self, name: str, work: Callable[[], T]) -> Landed[T]:
        """Return, or raise, what comes of `work`: our own, or that going on under the same name."""
        with self._guard:
            other = self._flying.get(name)
            if other is None:
                mine = self._flying[name] = Future[T]()
        if other is None:
            return Landed(self._lead(name, mine, work), led=True)
        if wait([other], self._timeout_seconds).done:
            return Landed(other.result(), led=False)
        metrics.FLIGHT_WAITS.labels("late").inc()
        _log.warning("Waited %s s for %a: going ahead alone", self._timeout_seconds, name)
        return Landed(work(), led=True)

    def _lead(self, name: str, mine: Future[T], work: Callable[[], T]) -> T:
        try:
            with self._alone_on_this_node(name):
                value = work()
            mine.set_result(value)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            return value
        finally:
            with self._guard:
                del self._flying[name]

    @contextlib.contextmanager
    def _alone_on_this_node(self, name: str) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            try:
                self._lock_dir.mkdir(parents=True, exist_ok=True)
                path = self._lock_dir / hashlib.sha256(name.encode()).hexdigest()[:3]
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                held.callback(os.close, descriptor)
                self._take(descriptor, name)
            except OSError as error:
                if not self._lockless:
                    _log.warning("No lock for %a, other processes may do the same work: %s", name, error)
                self._lockless = True
            yield

    def _take(self, descriptor: int, name: str) -> None:
        # flock knows no timeout, and signals do not belong to threads: so it is asked again and again.
        until = time.monotonic() + self._timeout_seconds
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    _log.warning(
                        "Waited %s s for the lock of %a: going ahead alone", self._timeout_seconds, name
                    )
                    return None
                time.sleep(_POLL_SECONDS)
