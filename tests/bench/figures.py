"""Figures by name, each beside its aim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured value; its name carries its unit."""

    name: str
    value: float
    at_most: float | None = None
    """The aim: no more than this, where there is one."""
    values: Sequence[float] = ()
    """What a median was taken of."""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most

    def shown(self, value: float) -> str:
        """A value as people read it in this figure's unit."""
        if self.name.endswith("_bytes"):
            return f"{value / 1e6:.0f} MB"
        return f"{value:g}" if isinstance(value, int) else f"{value:.2f}"


@dataclass(frozen=True)
class Measured:
    """All figures of one run."""

    figures: tuple[Figure, ...]
    details: dict[str, Any] = field(default_factory=dict)
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON: each figure by its name, then what they were taken from."""
        found: dict[str, Any] = {
            one.name: one.value if isinstance(one.value, int) else round(one.value, 3) for one in self.figures
        }
        missed = [one.name for one in self.figures if one.met is False]
        aims = {one.name: one.at_most for one in self.figures if one.at_most is not None}
        values = {one.name: [round(each, 3) for each in one.values] for one in self.figures if one.values}
        return {**found, "aims_at_most": aims, "missed": missed, "values": values, "details": self.details}

    def __rich__(self) -> Table:
        """As people read it."""
        table = Table("figure", "measured", "aim", "", box=None)
        table.columns[1].justify = table.columns[2].justify = "right"
        for one in self.figures:
            aim = "" if one.at_most is None else f"<= {one.shown(one.at_most)}"
            verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[one.met]
            table.add_row(one.name, one.shown(one.value), aim, verdict)
        return table


def median(name: str, values: Sequence[float], at_most: float | None = None) -> Figure:
    """The middle of several values as one figure."""
    ordered = sorted(values)
    return Figure(name, ordered[len(ordered) // 2], at_most, tuple(values))
