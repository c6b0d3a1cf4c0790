"""Who renders: this process, or the node's render service, so that a decoder's crash hurts nobody else."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Protocol

from resizer import metrics
from resizer.errors import BusyError, TooSlowError, UndecodableError
from resizer.gate import Gate
from resizer.job import Done, Frame, Job, asked, heard, receive, send, work

if TYPE_CHECKING:
    from pathlib import Path

STARTED = b"\x01"  # a renderer says so before its answer, and no answer is 16 MiB of head long
_RETRY_SECONDS = 1
# Beyond the deadline that the renderer sets itself: for it to be killed, and for the answer to get here.
_GRACE_SECONDS = 2


class Renderer(Protocol):
    """Does jobs. Raises RefusalError: what `pixels.render` raises, and BusyError."""

    def render(self, job: Job, data: bytes) -> Done:
        """Do one job with the bytes of an original or of a master."""


class OwnRenderer:
    """Renders in this process, `renders` at a time; for development."""

    def __init__(self, renders: int, queue_seconds: float) -> None:
        self._gate = Gate(renders, queue_seconds)

    def render(self, job: Job, data: bytes) -> Done:
        """Wait for a place, and do it."""
        with self._gate.passage():
            return work(job, data)


class RenderService:
    """Asks the processes behind a socket (see service.py).

    The socket's backlog is the node's queue: when it is full the kernel says so at once.
    """

    def __init__(self, path: Path, queue_seconds: float) -> None:
        self._path = str(path)
        self._queue_seconds = queue_seconds

    def render(self, job: Job, data: bytes) -> Done:
        """Queue, hand the original over, and wait for the result.

        Not only images end renderers, but want of memory and restarts too: so only what ends two is to blame.
        """
        try:
            return self._asked(job, data)
        except EOFError:
            try:
                return self._asked(job, data)
            except EOFError as error:
                raise UndecodableError(
                    "The original makes its decoder crash.",
                    "See the journal of resizer-render.service for the signal; it may be an attack.",
                ) from error

    def _asked(self, job: Job, data: bytes) -> Done:
        """Ask once. Raises EOFError if the renderer dies of it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._queue_seconds)
            self._queue(connection, job, data)
            begun = time.monotonic()
            connection.settimeout(job.limits.decode_seconds + _GRACE_SECONDS)
            try:
                return heard(receive(connection))
            except (EOFError, OSError) as error:
                if time.monotonic() - begun >= job.limits.decode_seconds:
                    raise _too_slow(job) from error
                raise EOFError from error

    def _queue(self, connection: socket.socket, job: Job, data: bytes) -> None:
        begun = time.monotonic()
        metrics.QUEUE.inc()
        try:
            connection.connect(self._path)
            hand_over(connection, data)
            send(connection, Frame(asked(job)))
            if connection.recv(1) != STARTED:
                raise ConnectionResetError("the render service went away")
        except BlockingIOError as error:
            raise _busy("As many requests wait for a place to render as the queue holds.") from error
        except TimeoutError as error:
            raise _busy(f"All renderers were busy for {self._queue_seconds} s.") from error
        except OSError as error:
            raise BusyError(
                "The render service does not answer.", f"See to resizer-render.service: {error}", 5
            ) from error
        finally:
            metrics.QUEUE.dec()
            metrics.STAGES.labels("wait").observe(time.monotonic() - begun)


def hand_over(connection: socket.socket, data: bytes) -> None:
    """Pass bytes to another process as a file in memory: megabytes are copied twice, and nobody is woken."""
    descriptor = os.memfd_create("original", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", buffering=0, closefd=False) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        socket.send_fds(connection, [b"\x00"], [descriptor])
    finally:
        os.close(descriptor)


def taken_over(connection: socket.socket) -> bytes:
    """Receive what `hand_over` passed. Raises EOFError if the other end is gone."""
    said, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not said or not descriptors:
        raise EOFError
    with os.fdopen(descriptors[0], "rb", buffering=0) as file:
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


def _busy(sentence: str) -> BusyError:
    return BusyError(sentence, "Add nodes; or raise renders if the cores are idle.", _RETRY_SECONDS)


def _too_slow(job: Job) -> TooSlowError:
    return TooSlowError(
        f"The original was not rendered within {job.limits.decode_seconds:g} seconds.",
        "Upload it in another format or smaller; it is built to be slow, or the node is overloaded.",
    )
