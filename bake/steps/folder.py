"""A folder with known owner and mode, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Folder:
    """A folder at `path`, made with those above it as needed."""

    kind: ClassVar[str] = "folder"
    options: ClassVar[tuple[Option, ...]] = (
        Option("folder", Takes.PLACE, required=True),
        Option("owner", Takes.TEXT, default="root"),
        Option("group", Takes.TEXT, default="root"),
        Option("mode", Takes.MODE, default="0755"),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Folder:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("folder"), options.text("owner"), options.text("group"), options.mode("mode"))

    def describe(self) -> str:
        """See Step."""
        return f"folder {self.path} ({self.owner}:{self.group} {self.mode:04o})"

    def probe(self) -> str:
        """See Step."""
        path, owned = quote(self.path), quote(f"directory {self.owner} {self.group} {self.mode:o}")
        return f"test \"$(stat -c '%F %U %G %a' {path})\" = {owned}"

    def apply(self, machine: Machine) -> None:
        """See Step."""
        owned = f"-o {quote(self.owner)} -g {quote(self.group)} -m {self.mode:04o}"
        must(self, machine, f"install -d {owned} {quote(self.path)}")
