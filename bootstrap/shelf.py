"""The boot scripts of a node: files in one folder, their attachments in another within it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.errors import ScriptError
from bootstrap.header import Script, parse

_PROTOCOL = "BOOTSTRAP_DRY_RUN"


@dataclass(frozen=True)
class Shelved:
    """A script on this node; one that names BOOTSTRAP_DRY_RUN heeds it and may take part in dry runs."""

    path: Path
    header: Script
    heeds_dry_run: bool


@dataclass(frozen=True)
class Shelf:
    """The folder of scripts; each is read once."""

    folder: Path
    _taken: dict[str, Shelved] = field(default_factory=dict, repr=False, compare=False)

    @property
    def attachments(self) -> Path:
        """What scripts get as RS_ATTACH_DIR."""
        return self.folder / "attachments"

    def names(self) -> list[str]:
        """Return the names of all scripts, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if one.is_file() and os.access(one, os.X_OK))

    def take(self, name: str) -> Shelved:
        """Return a script. Raises ScriptError when it is not there.

        HeaderError when its header is not right.
        """
        if name not in self._taken:
            self._taken[name] = self._read(name)
        return self._taken[name]

    def _read(self, name: str) -> Shelved:
        path = self.folder / name
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as why:
            raise ScriptError(
                f"{name}: there is no such script in {self.folder}",
                hint=f"there are: {', '.join(self.names()) or 'none'}; the image's spec ships them",
            ) from why
        if not os.access(path, os.X_OK):
            raise ScriptError(f"{name}: {path} may not be executed", hint="ship it with mode 0755")
        header = parse(text, name)
        lacking = [one for one in header.attachments if not (self.attachments / one).exists()]
        if lacking:
            raise ScriptError(
                f"{name}: its attachments are not there: {', '.join(lacking)}",
                hint=f"ship them to {self.attachments}",
            )
        return Shelved(path, header, _PROTOCOL in text)
