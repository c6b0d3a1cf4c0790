"""A symbolic link that shall exist."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Link:
    """A symbolic link at `path`, pointing `to` something that need not exist yet."""

    kind: ClassVar[str] = "link"
    options: ClassVar[tuple[Option, ...]] = (
        Option("link", Takes.PLACE, required=True),
        Option("to", Takes.TEXT, required=True),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    path: str
    to: str

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Link:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("link"), options.text("to"))

    def describe(self) -> str:
        """See Step."""
        return f"link {self.path} -> {self.to}"

    def probe(self) -> str:
        """See Step."""
        return f'test "$(readlink {quote(self.path)})" = {quote(self.to)}'

    def apply(self, machine: Machine) -> None:
        """See Step: a folder in its place is left alone, and said so."""
        path, above = quote(self.path), quote(self.path.rpartition("/")[0])
        must(
            self,
            machine,
            f"mkdir -p {above} && ln -sfT {quote(self.to)} {path}",
            hint=f"if {self.path} is a folder, remove it with an `absent` step first",
        )
