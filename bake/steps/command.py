"""The way out when no other kind fits: a command with its own test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Command:
    """A command that runs unless its test, which must not change anything, already succeeds."""

    kind: ClassVar[str] = "command"
    options: ClassVar[tuple[Option, ...]] = (
        Option("command", Takes.TEXT, required=True),
        Option("unless", Takes.TEXT, required=True),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    command: str
    unless: str

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Command:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("command"), options.text("unless"))

    def describe(self) -> str:
        """See Step."""
        return f"command {' '.join(self.command.split())}"

    def probe(self) -> str:
        """See Step."""
        return self.unless

    def apply(self, machine: Machine) -> None:
        """See Step."""
        must(self, machine, self.command)
