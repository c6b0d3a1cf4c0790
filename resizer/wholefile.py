"""A file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from resizer.blob import Blob

TEMPORARY_PREFIX = ".new-"


def write(path: Path, blob: Blob, *, lasting: bool = True) -> None:
    """Put `blob` at `path`, making its directories, with the blob's `modified` as its modification time.

    Readers see the old file or the whole new one: the bytes go to a temporary file beside it and reach the
    disk before the rename, for Apache would serve for ever what a power failure had cut short. Whatever goes
    wrong, the temporary file is removed; one left by a process that was killed is the keeper's to remove.
    What need not be `lasting` may be cut short by a power failure after all. Raises OSError.
    """
    temporary = path.with_name(TEMPORARY_PREFIX + secrets.token_hex(8))
    try:
        _fill(temporary, blob, lasting=lasting)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _fill(path: Path, blob: Blob, *, lasting: bool) -> None:
    # Not mkstemp: its files are for their owner only, and Apache may run as somebody else.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(blob.data)
        file.flush()
        os.utime(descriptor, (time.time(), blob.modified))
        if lasting:
            os.fsync(descriptor)
