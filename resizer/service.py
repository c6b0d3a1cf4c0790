"""The render service: processes that do nothing but decode, scale and encode, and may die of it.

    python -m resizer.service SOCKET      (resizer-render.service on a node)

One parent listens, and forks a child per place; the children take requests from its socket, one at a time.
A child that crashes, or is killed by the alarm it sets itself, costs the one request it had: the parent forks
the next within milliseconds, for Pillow is loaded already. The parent never touches a stranger's image.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import resource
import select
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from resizer import config as configuration
from resizer import job, metrics
from resizer.errors import RefusalError, UndecodableError
from resizer.renderer import STARTED, taken_over

if TYPE_CHECKING:
    from types import FrameType

# Beyond the deadline that rendering keeps by itself, for decoders that never look at the clock.
GRACE_SECONDS = 1.0
MOST_JOBS = 2000  # then a child makes place for a fresh one: no heap stays in pieces for ever
MOST_MEMORY_BYTES = 2 << 30  # of address space; the largest originals admitted need less than half
_PDEATHSIG = 1
_CRASHING_SECONDS = 0.2
# By itself malloc gives the memory of each picture back to the kernel, and has it zeroed for the next: a
# tenth of the CPU of a rendering. M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD; what is larger goes back.
_KEPT_MEMORY = ((-1, 32 << 20), (-2, 4 << 20), (-3, 16 << 20))
_log = logging.getLogger(__name__)


class Service:
    """A parent and its children; `run` returns when SIGTERM has come and the last child is done."""

    def __init__(self, listener: socket.socket, places: int) -> None:
        self._listener = listener
        self._places = places
        self._children: set[int] = set()
        self._ending = False

    def run(self) -> None:
        """Keep as many children as there are places."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        metrics.SLOTS.set(self._places)
        while True:
            while len(self._children) < self._places and not self._ending:
                self._fork()
            if not self._children:
                return
            self._bury()

    def _fork(self) -> None:
        child = os.fork()
        if child:
            self._children.add(child)
            return
        code = 1
        try:
            Child(self._listener).run()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, a child must not return into the parent's code
            _log.exception("A renderer failed")
        finally:
            os._exit(code)

    def _bury(self) -> None:
        child, status = os.wait()
        self._children.discard(child)
        how = os.waitstatus_to_exitcode(status)
        if how < 0 and not self._ending:
            _log.error("A renderer was ended by %s; the next one takes its place", signal.Signals(-how).name)
        elif how > 0:
            time.sleep(_CRASHING_SECONDS)  # it could not even begin: do not fork a thousand of them a second

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


class Child:
    """One place: takes a request, answers it, takes the next."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._ending = False

    def run(self) -> None:
        """Work until SIGTERM, or until it is time for a fresh process."""
        libc = ctypes.CDLL(None)
        libc.prctl(_PDEATHSIG, signal.SIGKILL)  # never outlive the parent
        for what, size in _KEPT_MEMORY:
            libc.mallopt(what, size)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for _ in range(MOST_JOBS):
            connection = self._next()
            if connection is None:
                return
            with connection, contextlib.suppress(OSError, EOFError):
                self._answer(connection)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def _next(self) -> socket.socket | None:
        # A signal between looking at the flag and waiting would be missed for ever: so the wait has an end.
        self._listener.settimeout(1.0)
        while not self._ending:
            with contextlib.suppress(TimeoutError):
                connection = self._listener.accept()[0]
                connection.settimeout(10.0)
                return connection
        return None

    def _answer(self, connection: socket.socket) -> None:
        data = taken_over(connection)
        asked = job.understood(job.receive(connection).head)
        if _is_gone(connection):
            return
        connection.sendall(STARTED)
        signal.setitimer(signal.ITIMER_REAL, asked.limits.decode_seconds + GRACE_SECONDS)
        metrics.BUSY.inc()
        try:
            answer = _worked(asked, data)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            metrics.BUSY.dec()
        job.send(connection, answer)


def _worked(asked: job.Job, data: bytes) -> job.Frame:
    begun = time.perf_counter()
    try:
        done = job.work(asked, data)
    except RefusalError as error:
        return job.refused(error)
    except MemoryError:
        return job.refused(
            UndecodableError("Decoding it takes more memory than a renderer may have.", "Lower max_pixels.")
        )
    except Exception as error:  # noqa: BLE001 - one odd image must not cost a process
        _log.exception("Rendering failed")
        return job.refused(UndecodableError("Rendering it failed.", f"{type(error).__name__}: see the log."))
    return job.told(replace(done, seconds=time.perf_counter() - begun))


def _is_gone(connection: socket.socket) -> bool:
    """Tell whether whoever asked has given up waiting: then the work would be for nobody."""
    ready, _, _ = select.select([connection], [], [], 0)
    return bool(ready) and connection.recv(1, socket.MSG_PEEK) == b""


def listening(path: Path, backlog: int) -> socket.socket:
    """Return a socket at `path` for this user alone; `backlog` requests may wait at it. Raises OSError."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(backlog)
    return listener


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM. Raises ConfigError, OSError."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = configuration.read(Path(os.environ.get("RESIZER_CONFIG", "/etc/resizer.toml")))
    with listening(Path(arguments[0]), config.queue_length) as listener:
        gc.freeze()  # nor will its children's collector write on pages that they share with it
        Service(listener, config.renders).run()


if __name__ == "__main__":
    main(sys.argv[1:])
