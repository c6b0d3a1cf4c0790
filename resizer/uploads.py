"""What may be done after the reply: results and masters go to the store, purges are told to it."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from resizer import metrics
from resizer.errors import ResizerError

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_SECONDS = 5.0  # at the end of the process; mod_wsgi waits as long
_log = logging.getLogger(__name__)


class Uploads:
    """Tasks done one after the other, in order. What does not fit is dropped: that costs a rendering."""

    def __init__(self, most: int) -> None:
        self._tasks: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue(max(1, most))
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dropping = False

    def add(self, what: str, task: Callable[[], object]) -> bool:
        """Do `task` soon; False if too many wait. `what` is what the log calls it."""
        self._begin()
        metrics.UPLOADS.inc()
        try:
            self._tasks.put_nowait((what, task))
        except queue.Full:
            metrics.UPLOADS.dec()
            if not self._dropping:
                _log.warning("Too much waits to be stored: %s is dropped, and what follows", what)
            self._dropping = True
            return False
        self._dropping = False
        return True

    def finish(self, seconds: float = _LAST_SECONDS) -> bool:
        """Wait until all is done, at most so long; tell whether it is."""
        until = time.monotonic() + seconds
        while self._tasks.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)
        return not self._tasks.unfinished_tasks

    def _begin(self) -> None:
        # At the first task, not at the start: a thread would not survive a server's fork.
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)
                self._thread.start()
                atexit.register(self.finish)

    def _run(self) -> None:
        while True:
            what, task = self._tasks.get()
            try:
                task()
            except ResizerError as error:
                _log.warning("The store did not take %s: %s %s", what, error, error.hint)
            except Exception:  # noqa: BLE001 - the thread serves all that come after
                _log.exception("The store did not take %s", what)
            finally:
                self._tasks.task_done()
                metrics.UPLOADS.dec()
