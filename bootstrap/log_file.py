"""A log file that grows and is rotated: what of it has not been read, in whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PIECE_BYTES = 1 << 20


def unread(path: Path, inode: int, offset: int) -> list[tuple[Path, int]]:
    """The files that are to be read, and from where, given where the last look got to; the log comes last.

    A log that was rotated since then is read to its end as `….1`. Raises OSError where there is none.
    """
    there = path.stat()
    if there.st_ino == inode and there.st_size >= offset:
        return [(path, offset)]
    rotated = path.with_name(f"{path.name}.1")
    if rotated.exists() and rotated.stat().st_ino == inode:
        return [(rotated, offset), (path, 0)]
    return [(path, 0)]


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The whole lines, in a space that does not grow with the file; a line without an end is left."""
    rest = b""
    while piece := file.read(_PIECE_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
