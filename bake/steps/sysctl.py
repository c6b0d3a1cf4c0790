"""Kernel settings that take effect at boot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bake.steps.file import File
from bake.steps.option import Desk, Option, Options, Settings, Takes

if TYPE_CHECKING:
    from bake.machine import Machine


@dataclass(frozen=True)
class Sysctl:
    """A file in /etc/sysctl.d; nothing is set on the builder, whose kernel is not the node's."""

    kind: ClassVar[str] = "sysctl"
    options: ClassVar[tuple[Option, ...]] = (
        Option("sysctl", Takes.SETTINGS, required=True),
        Option("name", Takes.TEXT, default="60-amibake"),
    )
    one_of: ClassVar[tuple[str, ...]] = ()

    settings: Settings
    name: str = "60-amibake"

    @classmethod
    def build(cls, options: Options, desk: Desk) -> Sysctl:  # noqa: ARG003 - every kind is built alike
        """From a step table."""
        return cls(options.settings("sysctl"), options.text("name"))

    def describe(self) -> str:
        """See Step."""
        return f"sysctl {self.name}: {len(self.settings)} settings"

    def probe(self) -> str:
        """See Step."""
        return self._file().probe()

    def apply(self, machine: Machine) -> None:
        """See Step."""
        self._file().apply(machine)

    def _file(self) -> File:
        text = "".join(f"{key} = {value}\n" for key, value in self.settings)
        return File(f"/etc/sysctl.d/{self.name}.conf", text.encode())
