"""The node's disk cache: a tree of files that Apache serves by itself, and beside it one for Python alone.

A result lies at `{root}/{URL path}`, where Apache's `-f` test finds it. But Apache names the media type by
the file's extension: a result whose extension says something else (`a.bmp` rendered as JPEG, `photo` without
any) lies at `{root}/.python/{URL path}`, which no address can reach: no key's segment begins with a dot.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from resizer import wholefile
from resizer.blob import Blob
from resizer.media import media_type, type_by_name

if TYPE_CHECKING:
    from pathlib import Path

    from resizer.address import Address

_log = logging.getLogger(__name__)


class DiskCache:
    """Results on this node's disk. A cache that fails is a slow cache: no method raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def lock_dir(self) -> Path:
        """Return the directory for this node's lock files."""
        return self.root / ".locks"

    def read(self, address: Address) -> Blob | None:
        """Return the cached result, or None; a file that is no image is passed over."""
        for path in (self._for_apache(address), self._for_python(address)):
            try:
                with path.open("rb") as file:
                    blob = Blob(file.read(), int(os.fstat(file.fileno()).st_mtime))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except OSError as error:
                _log.warning("The disk cache cannot read %s: %s", path, error)
                continue
            if media_type(blob.data) is not None:
                return blob
            _log.warning("The disk cache holds what is no image: %s", path)
        return None

    def write(self, address: Address, blob: Blob) -> bool:
        """Keep a result; False if the disk would not have it.

        That is so when it is full, and when one key is a directory of another (`a` and `a/b`): such results
        are then served from the store.
        """
        agreed = type_by_name(address.key) == media_type(blob.data)
        path = self._for_apache(address) if agreed else self._for_python(address)
        try:
            wholefile.write(path, blob)
        except OSError as error:
            _log.warning("The disk cache cannot keep %s: %s", path, error)
            return False
        return True

    def _for_apache(self, address: Address) -> Path:
        return self.root / address.path

    def _for_python(self, address: Address) -> Path:
        return self.root / ".python" / address.path
