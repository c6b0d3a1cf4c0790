"""Instances without machines (LOCALCLOUD_BODIES=none): records that run, stop and end in name only.

A thousand of them cost this computer memory and nothing else, need no root and no package of Debian's.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from localcloud.checks import Health
from localcloud.errors import LocalCloudError
from localcloud.roster import Roster, set_state

# About what a machine of this computer takes; long enough that whoever polls sees the states in between.
_MOMENT_SECONDS = 1.0


class Later:
    """One thread that does things when their time has come; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._news = threading.Condition()

    def do(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something done so many seconds from now."""
        with self._news:
            heapq.heappush(self._due, (self._clock() + seconds, next(self._numbers), act))
            self._news.notify()

    def run_due(self) -> float:
        """Do all that is due, and return for how many seconds nothing will be; at most one."""
        while True:
            with self._news:
                if not self._due or self._due[0][0] > self._clock():
                    return min(1.0, self._due[0][0] - self._clock()) if self._due else 1.0
                _, _, act = heapq.heappop(self._due)
            act()

    def start(self) -> None:
        """Do things in a thread of its own, until this process ends."""
        threading.Thread(target=self._follow, name="later", daemon=True).start()

    def _follow(self) -> None:
        while True:
            idle = self.run_due()
            with self._news:
                self._news.wait(max(0.0, idle))


class Bodiless(Roster):
    """Every instance of the site, without a machine. What they would do happens when `later` says."""

    def __init__(self, later: Later, dies: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._later = later
        self._dies = dies

    def health(self, instance_id: str) -> Health:  # noqa: ARG002 (nothing can be wrong with what is not there)
        """Always fine."""
        return Health.OK

    def launch(self, record: Any) -> None:
        """Let a new record run after a moment."""
        self._records[record.id] = record
        self.start(record)

    def restore(self, records: Iterable[Any]) -> None:
        """Take over the instances of an earlier run, as they were; those under way go on."""
        onward: dict[str, Callable[[Any], None]] = {
            "pending": self.start,
            "stopping": self.stop,
            "shutting-down": self.terminate,
        }
        for record in records:
            self._records[record.id] = record
            onward.get(record.state, lambda _: None)(record)

    def start(self, record: Any) -> None:
        """Let a record run after a moment, or end when it is one that must not boot."""
        set_state(record, "pending")
        self._soon(record, "pending", self._run)

    def stop(self, record: Any) -> None:
        """Let a record be stopped after a moment."""
        set_state(record, "stopping")
        self._soon(record, "stopping", lambda one: set_state(one, "stopped"))

    def reboot(self, record: Any) -> None:
        """Nothing is there that could reboot."""

    def terminate(self, record: Any) -> None:
        """Let a record be terminated after a moment."""
        set_state(record, "shutting-down")
        self._soon(record, "shutting-down", lambda one: set_state(one, "terminated"))

    def capture(self, record: Any, layer: Path, *, reboot: bool) -> tuple[Path, ...]:  # noqa: ARG002 (see Roster)
        """There is no disk to make an image of. Raises LocalCloudError."""
        raise LocalCloudError(
            f"{record.id} has no disk to make an image of: machines are off (LOCALCLOUD_BODIES=none)",
            "unset LOCALCLOUD_BODIES and start the local cloud again",
        )

    def console(self, instance_id: str) -> bytes:  # noqa: ARG002 (see Roster)
        """Nothing was said."""
        return b""

    def layers_in_use(self) -> Iterable[Path]:
        """None: the folders of an earlier run with machines keep their own."""
        return ()

    def end_all(self, *, patience_seconds: float) -> None:
        """Nothing runs."""

    def _soon(self, record: Any, state: str, act: Callable[[Any], None]) -> None:
        def once_it_is_time() -> None:
            if record.state == state:  # else something else was asked for meanwhile
                act(record)
                self.changed()

        self._later.do(_MOMENT_SECONDS, once_it_is_time)

    def _run(self, record: Any) -> None:
        if self._dies():
            why = "Internal error on launch: it was not let boot, as asked for by local.fault"
            set_state(record, "terminated", "Server.InternalError", why)
        else:
            set_state(record, "running")
