"""Boot scripts on nodes, as people see them: a table of nodes and scripts that fills, and what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from fleet.bootstrapping import Outcome
from fleet.node_report import Step
from fleet.reach import Target

_STATES = {"operational": "green", "booting": "yellow", "decommissioned": "dim"}


class Board:
    """The table that fills: a row for each node, a column for each script that any of them ran."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._cells: dict[str, dict[str, str]] = {one.name: {} for one in targets}
        self._ends: dict[str, str] = {}
        self._scripts: dict[str, None] = {}
        self._lock = Lock()

    def note(self, target: Target, what: Step | Outcome) -> None:
        """Take in what was heard of a node."""
        with self._lock:
            if isinstance(what, Step):
                self._take(target.name, what)
                return
            for one in what.scripts:
                changed, failed = bool(one.changed), bool(one.error)
                self._take(target.name, Step(one.name, one.seconds, changed, failed))
            self._ends[target.name] = _verdict(what)

    def _take(self, name: str, step: Step) -> None:
        self._scripts[step.name] = None
        self._cells[name][step.name] = _cell(step)

    def __rich__(self) -> Table:
        """As it stands."""
        with self._lock:
            table = Table("node", *self._scripts, "state", box=None)
            for name, cells in self._cells.items():
                table.add_row(
                    name, *(cells.get(one, "") for one in self._scripts), self._ends.get(name, "[dim]…[/]")
                )
            return table


@contextmanager
def board(targets: Sequence[Target], console: Console) -> Iterator[Any]:
    """A table on a terminal, a line for each script elsewhere; yields what is told of steps and ends."""
    if not console.is_terminal:
        yield lambda target, what: _line(console, target, what)
        return
    shown = Board(targets)
    with Live(shown, console=console, refresh_per_second=8):
        yield shown.note


@dataclass(frozen=True)
class Bootstrapped:
    """What the run came to. Degraded when a node failed."""

    title: str
    outcomes: tuple[Outcome, ...]
    dry_run: bool = False
    nobody: str = ""
    """Why there was nothing to run on, where there was not."""

    @property
    def degraded(self) -> bool:
        """Whether a node failed."""
        return any(one.error for one in self.outcomes)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"nodes": [one.document() for one in self.outcomes], "dry_run": self.dry_run}

    def __rich__(self) -> Group | str:
        """As people read it."""
        if not self.outcomes:
            return escape(self.nobody)
        failed = sum(bool(one.error) for one in self.outcomes)
        good = len(self.outcomes) - failed
        head = f"{self.title}: {good} of {len(self.outcomes)} nodes well"
        return Group(head, *(line for one in self.outcomes for line in self._lines(one)))

    def _lines(self, one: Outcome) -> Iterator[str]:
        yield f"  {escape(str(one.target))}: {_verdict(one)} [dim]{one.seconds:.1f} s[/]"
        would = "would: " if self.dry_run else ""
        for script in one.scripts:
            yield from (f"    {script.name}: {would}{escape(what)}" for what in script.changed)
        if one.error:
            yield f"    [red]{escape(one.error)}[/]"
        elif not any(script.changed for script in one.scripts):
            yield "    nothing to change"


def _verdict(one: Outcome) -> str:
    colour = "red" if one.error else _STATES.get(one.state, "yellow")
    return f"[{colour}]{'failed' if one.error and one.state == 'unknown' else one.state}[/]"


def _cell(step: Step) -> str:
    if step.seconds is None:
        return "[yellow]…[/]"
    sign = "[red]✗[/]" if step.failed else "[green]✓[/]" if step.changed else "[dim]=[/]"
    return f"{sign} {step.seconds:.1f} s"


def _line(console: Console, target: Target, what: Step | Outcome) -> None:
    if isinstance(what, Step) and what.seconds is None:
        return
    told = f"{what.name} {_cell(what)}" if isinstance(what, Step) else _verdict(what)
    console.print(f"  {target.name}: {told}", highlight=False, soft_wrap=True)
