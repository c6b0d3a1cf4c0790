"""A path that shall not exist."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Absent:
    """No file, folder or link at `path`."""

    kind: ClassVar[str] = "absent"
    options: ClassVar[tuple[Option, ...]] = (Option("absent", Takes.PLACE, required=True),)
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Absent:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("absent"))

    def describe(self) -> str:
        """See Step."""
        return f"nothing at {self.path}"

    def probe(self) -> str:
        """See Step."""
        return f"test ! -e {quote(self.path)} && test ! -L {quote(self.path)}"

    def apply(self, machine: Machine) -> None:
        """See Step."""
        must(self, machine, f"rm -rf --one-file-system -- {quote(self.path)}")
