"""What is asked of a renderer, and what it answers; and how both look on the wire between two processes.

A frame is four bytes of length, then JSON, then as many bytes of body as the JSON's `size` says. It is not
pickle: the process that decodes strangers' images must not be able to run anything in the one that asks.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resizer import errors
from resizer.errors import RefusalError
from resizer.limits import Limits
from resizer.options import Options
from resizer.pixels import Rendering, render, render_with_master

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Job:
    """Render `options` as `format`; if `master_side` is not 0, with a master of at most that size."""

    options: Options
    format: str
    limits: Limits
    master_side: int = 0


@dataclass(frozen=True)
class Done:
    """What came of a job; `master` if one was asked for and pays. `seconds` are of rendering alone."""

    result: Rendering
    master: Rendering | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Frame:
    """A message: its head, and its body."""

    head: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


def work(job: Job, data: bytes) -> Done:
    """Do a job. Raises RefusalError, as `pixels.render` does."""
    if job.master_side:
        return Done(*render_with_master(data, job.options, job.limits, job.format, job.master_side))
    return Done(render(data, job.options, job.limits, job.format))


def asked(job: Job) -> dict[str, Any]:
    """Write a job as JSON can hold it."""
    limits = vars(job.limits) | {"formats": sorted(job.limits.formats)}
    return {
        "options": vars(job.options),
        "format": job.format,
        "limits": limits,
        "master_side": job.master_side,
    }


def understood(head: dict[str, Any]) -> Job:
    """Read a job."""
    options = dict(head["options"])
    if options["background"] is not None:
        options["background"] = tuple(options["background"])
    limits = Limits(**head["limits"] | {"formats": frozenset(head["limits"]["formats"])})
    return Job(Options(**options), head["format"], limits, head["master_side"])


def told(done: Done) -> Frame:
    """Write what came of a job."""
    parts = [done.result, *([done.master] if done.master else [])]
    images = [[each.media_type, each.width, each.height, len(each.data)] for each in parts]
    return Frame({"images": images, "seconds": done.seconds}, b"".join(each.data for each in parts))


def refused(error: RefusalError) -> Frame:
    """Write that a job was refused."""
    return Frame({"error": type(error).__name__, "sentence": str(error), "hint": error.hint})


def heard(frame: Frame) -> Done:
    """Read what came of a job. Raises the RefusalError it says."""
    if "error" in frame.head:
        kind = getattr(errors, str(frame.head["error"]), None)
        if not (isinstance(kind, type) and issubclass(kind, RefusalError)):
            raise ValueError(f"no such refusal: {frame.head['error']!r}")
        raise kind(frame.head["sentence"], frame.head["hint"])
    renderings, at = [], 0
    for kind, width, height, size in frame.head["images"]:
        renderings.append(Rendering(frame.body[at : at + size], kind, width, height))
        at += size
    return Done(renderings[0], renderings[1] if renderings[1:] else None, frame.head["seconds"])


def send(connection: socket.socket, frame: Frame) -> None:
    """Write a frame. Raises OSError."""
    head = json.dumps(frame.head | {"size": len(frame.body)}).encode()
    connection.sendall(_LENGTH.pack(len(head)) + head)
    if frame.body:
        connection.sendall(frame.body)


def receive(connection: socket.socket, begin: bytes = b"") -> Frame:
    """Read a frame, of which `begin` has been read already. Raises OSError, EOFError at a cut end."""
    (length,) = _LENGTH.unpack(begin + _exactly(connection, _LENGTH.size - len(begin)))
    head = json.loads(_exactly(connection, length))
    return Frame(head, _exactly(connection, head["size"]))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        some = connection.recv(min(count - len(parts), 1 << 20))
        if not some:
            raise EOFError
        parts += some
    return bytes(parts)
