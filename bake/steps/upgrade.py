"""Every package at the newest version its release has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bake.steps.apt import FRESH, INSTALL, fresh_lists
from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Upgrade:
    """A full upgrade; `as_of` decides nothing on the machine, but changing it changes the fingerprint."""

    kind: ClassVar[str] = "upgrade"
    options: ClassVar[tuple[Option, ...]] = (Option("upgrade", Takes.TEXT, required=True),)
    one_of: ClassVar[tuple[str, ...]] = ()

    as_of: str

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Upgrade:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("upgrade"))

    def describe(self) -> str:
        """See Step."""
        return f"upgrade of all packages, as of {self.as_of}"

    def probe(self) -> str:
        """See Step: only a simulation against fresh lists is an answer."""
        nothing = "^0 upgraded, 0 newly installed, 0 to remove"
        return f"{FRESH} && LC_ALL=C apt-get -s dist-upgrade | grep -q '{nothing}'"

    def apply(self, machine: Machine) -> None:
        """See Step."""
        must(self, machine, f"{fresh_lists()}\n{INSTALL} dist-upgrade")
