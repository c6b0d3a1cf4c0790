"""What making and checking boot scripts ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from fleet.script_findings import Finding


@dataclass(frozen=True)
class Written:
    """A new script."""

    path: Path
    text: str
    dry_run: bool
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"path": str(self.path), "text": self.text, "dry_run": self.dry_run}

    def __rich__(self) -> str:
        """As people read it."""
        if self.dry_run:
            return escape(self.text)
        return f"wrote {self.path}; describe its inputs there, then `invoke bootstrap.check`"


@dataclass(frozen=True)
class Checkup:
    """What was found. Degraded when there are errors; hints are for thinking about."""

    scripts: tuple[str, ...]
    findings: tuple[Finding, ...]
    shellchecked: bool

    @property
    def degraded(self) -> bool:
        """Whether there are errors."""
        return any(one.weight == "error" for one in self.findings)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "scripts": list(self.scripts),
            "findings": [one.document() for one in self.findings],
            "shellcheck": self.shellchecked,
        }

    def __rich__(self) -> Group:
        """As people read it."""
        table = Table("script", "line", "", "what", box=None)
        for one in self.findings:
            colour = "red" if one.weight == "error" else "yellow"
            where = str(one.line) if one.line else ""
            table.add_row(one.script, where, f"[{colour}]{one.weight}[/]", escape(one.what))
        errors = sum(one.weight == "error" for one in self.findings)
        told = f"{len(self.scripts)} scripts: {errors} errors, {len(self.findings) - errors} hints"
        missing = (
            "" if self.shellchecked else "shell was not looked at by shellcheck: apt-get install shellcheck"
        )
        return Group(*([table] if self.findings else []), told, *([missing] if missing else []))
