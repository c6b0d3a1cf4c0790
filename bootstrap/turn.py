"""Taking turns: of several runs at once, one works and the others wait."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Wait for the turn and keep it for a block; a run that is killed gives it back."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"another run is under way (process {lock.read().strip() or '?'}): waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
