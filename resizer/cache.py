"""The node's disk cache: results where Apache finds them (see place.py), masters beside them."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from resizer import metrics, wholefile
from resizer.blob import Blob
from resizer.media import media_type
from resizer.place import MASTER, etag_of_master, master_place, place, stem

if TYPE_CHECKING:
    from resizer.address import Address

_log = logging.getLogger(__name__)


class DiskCache:
    """Results on this node's disk. A cache that fails is a slow cache: no method raises OSError.

    A disk that fails is counted each time, and logged when it begins and when it ends.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._failing: set[str] = set()

    @property
    def lock_dir(self) -> Path:
        """Return the directory for this node's lock files."""
        return self.root / ".locks"

    def read(self, address: Address, *, negotiated: bool = False) -> Blob | None:
        """Return the cached result, or None; a file that is no image is passed over."""
        where = place(address, negotiated=negotiated)
        return self._read(f"{self.root}/{where}") if where else None

    def write(self, address: Address, blob: Blob, *, negotiated: bool = False) -> bool:
        """Keep a result; False if the disk would not have it: then it is served from the store."""
        where = place(address, negotiated=negotiated)
        return bool(where) and self._write(self.root / str(where), blob)

    def master(self, key: str, younger_than: float) -> Blob | None:
        """Return the master of an original, if it came to this disk after `younger_than`."""
        for path in self._files(key):
            if f"-{MASTER}" in path:
                blob = self._read(path)
                if blob is not None and blob.stored >= younger_than:
                    return replace(blob, source=etag_of_master(path))
        return None

    def write_master(self, key: str, blob: Blob) -> bool:
        """Keep a master; its `source` is the etag of its original."""
        return self._write(self.root / master_place(key, blob.source), blob, lasting=False)

    def results(self, key: str) -> int:
        """Count the results of this original that are here."""
        return sum(f"-{MASTER}" not in path for path in self._files(key))

    def purge(self, key: str) -> int:
        """Remove all results of a key, and its masters; return how many files that were."""
        gone = 0
        for path in self._files(key):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - paths are strings here: see _files
                gone += 1
        return gone

    def _files(self, key: str) -> list[str]:
        # Strings: to make a Path takes longer than to look into a folder of a few files.
        folder, start = stem(key)
        try:
            names = os.listdir(f"{self.root}/{folder}")  # noqa: PTH208
        except OSError:
            return []
        return [f"{self.root}/{folder}/{name}" for name in names if name.startswith(start)]

    def _read(self, path: str) -> Blob | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                state = os.fstat(descriptor)
                blob = Blob(
                    _whole(descriptor, state.st_size), int(state.st_mtime), stored=int(state.st_ctime)
                )
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._failed("read", path, error)
            return None
        self._recovered("read")
        if media_type(blob.data) is not None:
            return blob
        _log.warning("The disk cache holds what is no image: %s", path)
        return None

    def _write(self, path: Path, blob: Blob, *, lasting: bool = True) -> bool:
        try:
            wholefile.write(path, blob, lasting=lasting)
        except OSError as error:
            self._failed("write", path, error)
            return False
        self._recovered("write")
        return True

    def _failed(self, operation: str, path: Path | str, error: OSError) -> None:
        metrics.CACHE_FAILURES.labels(operation).inc()
        if operation not in self._failing:
            self._failing.add(operation)
            kind = errno.errorcode.get(error.errno or 0, "?")
            _log.warning("The disk cache fails to %s (%s), first at %s: %s", operation, kind, path, error)

    def _recovered(self, operation: str) -> None:
        if operation in self._failing:
            self._failing.discard(operation)
            _log.warning("The disk cache is able to %s again.", operation)


def _whole(descriptor: int, size: int) -> bytes:
    """Read a file, which is never changed once it has its name."""
    data = os.read(descriptor, size)
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            break
        data += more
    return data
