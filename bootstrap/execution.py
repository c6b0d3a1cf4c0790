"""Running one boot script as a process of its own.

A script of this node's own Python is run by a copy of this process instead of a new interpreter: what a
node's boot
would otherwise spend most of its time on is starting Python, once for each script.
"""

from __future__ import annotations

import gc
import os
import pkgutil  # noqa: F401 - runpy asks for it: once here, not in each copy
import runpy
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

_TICK_SECONDS = 1.0
_GRACE_SECONDS = 5.0
TIMED_OUT = -1


@dataclass(frozen=True)
class Order:
    """What is to be run: a file, its environment, where, and for how long at most."""

    path: Path
    environment: Mapping[str, str]
    folder: Path
    longest_seconds: float


def execute(order: Order, hear: Callable[[str], None], meanwhile: Callable[[], None]) -> int:
    """Run a script to its end and return its exit code, TIMED_OUT when it had to be ended.

    `hear` gets each line it writes, `meanwhile` is called about once a second.
    """
    end = time.monotonic() + order.longest_seconds
    with _started(order) as (pid, output), _Lines(output, hear) as lines:
        over = os.pidfd_open(pid)
        try:
            while over not in (ready := select.select([output, over], [], [], _TICK_SECONDS)[0]):
                if output in ready and not lines.read():
                    select.select([over], [], [], _TICK_SECONDS)
                meanwhile()
                if time.monotonic() > end:
                    return TIMED_OUT
        finally:
            os.close(over)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_copy(work: Callable[[], None]) -> int:  # noqa: RET503 - the copy never returns
    """Do something in a copy of this process, and return the copy's id at once."""
    sys.stdout.flush()
    sys.stderr.flush()
    # What a copy begins with is no garbage of its own.
    gc.freeze()
    if pid := os.fork():
        return pid
    gc.enable()
    _work_and_end(work)


@contextmanager
def _started(order: Order) -> Iterator[tuple[int, int]]:
    """Start a script and yield its process id and the end its output comes from.

    None of it outlives the block.
    """
    output, its_end = os.pipe2(os.O_CLOEXEC)
    pid = in_copy(lambda: _become(order, its_end))
    os.close(its_end)
    try:
        yield pid, output
    finally:
        _end(pid)
        os.close(output)


def _end(pid: int) -> None:
    """End a script that still runs, with all that it started."""
    until = time.monotonic() + _GRACE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                with suppress(ProcessLookupError):
                    os.killpg(pid, number)
                if number == signal.SIGTERM and time.monotonic() > until:
                    break
                time.sleep(0.05)
        except ChildProcessError:
            return


def _become(order: Order, output: int) -> None:
    """Turn this copy into the script: in a session of its own, writing into the pipe."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # What this process has bound these to is of no concern to the script; it is to be heard line by line.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(order.folder)
    if not _is_ours(order.path):
        os.execve(order.path, [str(order.path)], dict(order.environment))  # noqa: S606 - a script is a program
    os.environ.clear()
    os.environ.update(order.environment)
    runpy.run_path(str(order.path), run_name="__main__")


def _is_ours(path: Path) -> bool:
    """Whether the first line of a script asks for the very interpreter that runs this."""
    with path.open("rb") as script:
        first = script.readline(200).decode(errors="replace")
    return first.startswith("#!") and first[2:].split() == [sys.executable]


def _work_and_end(work: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except SystemExit as why:
        code = why.code if isinstance(why.code, int) else int(why.code is not None)
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class _Lines:
    """Whole lines out of what a process writes, the last one even without its end."""

    def __init__(self, source: int, hear: Callable[[str], None]) -> None:
        os.set_blocking(source, False)
        self._source = source
        self._hear = hear
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What a script left in the background may hold the pipe open: read what is there, wait for nothing.
        while self.read():
            pass
        if self._rest:
            self._tell(self._rest)

    def read(self) -> bool:
        """Read what there is; false when there is nothing, now or for ever."""
        try:
            held = os.read(self._source, 65536)
        except BlockingIOError:
            return False
        *whole, self._rest = (self._rest + held).split(b"\n")
        for line in whole:
            self._tell(line)
        return bool(held)

    def _tell(self, line: bytes) -> None:
        self._hear(line.decode(errors="replace").rstrip())
