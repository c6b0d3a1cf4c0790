"""A file whose content, mode and owners are as wanted; written only when they are not."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class ManagedFile:
    """What a file should be."""

    path: Path
    content: str
    mode: int
    owner: str
    group: str

    def differences(self) -> list[str]:
        """Name what is not as wanted: nothing, `absent`, or some of content, mode and owner."""
        try:
            found = self.path.lstat()
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ["absent"]
        wrong = {
            "content": content != self.content.encode(),
            "mode": not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != self.mode,
            "owner": (found.st_uid, found.st_gid) != self._ids(),
        }
        return [name for name, differs in wrong.items() if differs]

    def ensure(self) -> str:
        """Make the file as wanted in one rename, and say what was done; empty when nothing was.

        Raises FileError when the file system or the user database refuses.
        """
        try:
            wrong = self.differences()
            if wrong:
                self._replace()
        except (OSError, KeyError) as why:
            raise FileError(
                f"{self.path}: cannot be written: {why}",
                hint="check that its directory, owner and group exist, and run as root",
            ) from why
        return self._done(wrong)

    def foretold(self) -> str:
        """Say what `ensure` would do, empty when nothing; touches nothing."""
        return self._done(self.differences())

    def _done(self, wrong: list[str]) -> str:
        if not wrong:
            return ""
        return f"wrote {self.path}" if wrong == ["absent"] else f"rewrote {self.path} ({', '.join(wrong)})"

    def _ids(self) -> tuple[int, int]:
        return pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid

    def _replace(self) -> None:
        owner, group = self._ids()
        with draft_of(self.path) as draft:
            os.fchown(draft, owner, group)
            os.fchmod(draft, self.mode)
            os.write(draft, self.content.encode())
            os.fsync(draft)


@contextmanager
def draft_of(path: Path) -> Iterator[int]:
    """Open a draft beside `path` that takes its place at the end, or is gone when the writing fails."""
    draft, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        yield draft
        os.replace(name, path)  # noqa: PTH105 - mkstemp gives a string
    except BaseException:
        os.unlink(name)  # noqa: PTH108 - mkstemp gives a string
        raise
    finally:
        os.close(draft)
