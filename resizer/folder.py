"""A folder of this machine as a store, for development: keys are paths below it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from resizer import wholefile
from resizer.blob import Blob
from resizer.errors import StoreError
from resizer.store import admit, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_NOTES = ".sources"  # what S3 keeps as metadata: the etag of the original an object was made of


class FolderStore:
    """The files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str, max_bytes: int) -> Blob:
        """Return the file's content and modification time."""
        with self._failing(key), (self._root / key).open("rb") as file:
            state = os.fstat(file.fileno())
            admit(key, state.st_size, max_bytes)
            data = file.read()
        source = ""
        with contextlib.suppress(OSError):
            source = (self._root / _NOTES / key).read_text()
        return Blob(data, int(state.st_mtime), _etag(state), source, int(state.st_ctime))

    def etag(self, key: str) -> str:
        """Name the file's bytes by its time and size."""
        with self._failing(key):
            path = self._root / key
            if path.is_dir():
                raise IsADirectoryError
            return _etag(path.stat())

    def write(self, key: str, blob: Blob, media_type: str) -> None:  # noqa: ARG002 - a file keeps no media type
        """Write the file."""
        with self._failing(key, absent=()):
            note = self._root / _NOTES / key
            if blob.source:
                wholefile.write(note, Blob(blob.source.encode(), blob.modified))
            else:
                note.unlink(missing_ok=True)
            wholefile.write(self._root / key, blob)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the files."""
        for key in keys:
            for path in (self._root / key, self._root / _NOTES / key):
                with self._failing(key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()

    def names(self, prefix: str, after: str = "") -> Iterator[str]:
        """Walk the folder that `prefix` begins in."""
        found = []
        for folder, inner, files in os.walk(self._root / prefix.rpartition("/")[0]):
            if Path(folder) == self._root:
                inner[:] = [each for each in inner if each != _NOTES]
            found += [(Path(folder) / each).relative_to(self._root).as_posix() for each in files]
        yield from sorted(key for key in found if key.startswith(prefix) and key > after)

    def folders(self, prefix: str) -> Iterator[str]:
        """Look into the folder that `prefix` begins in."""
        parent, _, start = prefix.rpartition("/")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            inside = sorted(each.name for each in (self._root / parent).iterdir() if each.is_dir())
            yield from (each[len(start) :] for each in inside if each.startswith(start) and each != _NOTES)

    @contextlib.contextmanager
    def _failing(self, key: str, absent: tuple[type[OSError], ...] = _ABSENT) -> Iterator[None]:
        try:
            yield
        except absent as error:
            raise missing(key) from error
        except OSError as error:
            raise StoreError(
                f"The object store failed ({type(error).__name__}).",
                f"See to the folder {self._root}: {error}",
            ) from error


def _etag(state: os.stat_result) -> str:
    return f"{state.st_mtime_ns:x}-{state.st_size:x}"
