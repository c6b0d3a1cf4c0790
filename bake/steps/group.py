"""A group that shall exist."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Group:
    """A group, by name."""

    kind: ClassVar[str] = "group"
    options: ClassVar[tuple[Option, ...]] = (
        Option("group", Takes.TEXT, required=True),
        Option("system", Takes.FLAG, default=True),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    name: str
    system: bool = True

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Group:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("group"), options.flag("system"))

    def describe(self) -> str:
        """See Step."""
        return f"{'system ' if self.system else ''}group {self.name}"

    def probe(self) -> str:
        """See Step."""
        return f"getent group {quote(self.name)}"

    def apply(self, machine: Machine) -> None:
        """See Step."""
        must(self, machine, f"groupadd {'--system ' if self.system else ''}{quote(self.name)}")
