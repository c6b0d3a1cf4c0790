"""A systemd unit that shall, or shall not, start at boot."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from bake.steps.option import Desk, Option, Options, Takes
from bake.steps.step import must

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Unit:
    """Enabled, disabled or masked; never started or stopped, as services are held back while baking."""

    kind: ClassVar[str] = "unit"
    options: ClassVar[tuple[Option, ...]] = (
        Option("unit", Takes.TEXT, required=True),
        Option("enabled", Takes.FLAG, default=True),
        Option("masked", Takes.FLAG, default=False),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    name: str
    enabled: bool = True
    masked: bool = False

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Unit:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.text("unit"), options.flag("enabled"), options.flag("masked"))

    def describe(self) -> str:
        """See Step."""
        return f"unit {self.name} {self._wanted()[0]}"

    def probe(self) -> str:
        """See Step."""
        state = f"$(systemctl is-enabled {quote(self.name)} 2>/dev/null)"
        return f"case {state} in {'|'.join(self._wanted())}) ;; *) exit 1;; esac"

    def apply(self, machine: Machine) -> None:
        """See Step: unmask first, as systemctl neither enables nor disables a masked unit."""
        # Nothing is started here, so systemd need not read its units again: the next boot does.
        name, tell = quote(self.name), "systemctl -q --no-reload"
        act = f"mask {name}" if self.masked else f"{'enable' if self.enabled else 'disable'} {name}"
        free = "" if self.masked else f"{tell} unmask {name} && "
        must(self, machine, f"{free}{tell} {act}", hint="is the unit's file shipped by an earlier step?")

    def _wanted(self) -> tuple[str, ...]:
        if self.masked:
            return ("masked",)
        return ("enabled",) if self.enabled else ("disabled", "static", "indirect")
