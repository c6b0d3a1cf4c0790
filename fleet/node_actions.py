"""The actions of a plan that concern nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.actions import CHANGED, MADE, WAITED, Action, Removal

if TYPE_CHECKING:
    from fleet.grace import Grace
    from fleet.scaling_groups import ActualScaling
    from fleet.wanted import Kind


@dataclass(frozen=True)
class Launch(Action):
    """New nodes."""

    kind: Kind
    zones: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """How many, in all."""
        return sum(number for _, number in self.zones)

    @property
    def what(self) -> str:
        """See Action."""
        return f"{nodes(self.count)} of {self.kind.name}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return tuple(f"{number} in {zone}" for zone, number in self.zones)


@dataclass(frozen=True)
class Start(Action):
    """Nodes that are stopped."""

    template: str
    ids: tuple[str, ...]

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED

    @property
    def what(self) -> str:
        """See Action."""
        return f"start {nodes(len(self.ids))} of {self.template}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return self.ids


@dataclass(frozen=True)
class Stop(Start):
    """Nodes that are to rest: drained, then stopped."""

    @property
    def what(self) -> str:
        """See Action."""
        return f"drain and stop {nodes(len(self.ids))} of {self.template}"


@dataclass(frozen=True)
class AwaitService(Action):
    """Until all nodes are operational, and in service with their load balancers."""

    @property
    def sign(self) -> str:
        """See Action."""
        return WAITED

    @property
    def what(self) -> str:
        """See Action."""
        return "until all nodes are operational and in service"


@dataclass(frozen=True)
class PutScaling(Action):
    """An auto scaling group."""

    kind: Kind
    there: ActualScaling | None
    desired: int
    grace: Grace

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED if self.there else MADE

    @property
    def what(self) -> str:
        """See Action."""
        return f"auto scaling group of {self.kind.name}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        scaling = self.kind.scaling
        return (f"{scaling.least} to {scaling.most} nodes", str(self.grace)) if scaling else ()


@dataclass(frozen=True)
class Terminate(Removal):
    """Nodes that are drained and ended."""

    template: str
    ids: tuple[str, ...]
    why: str
    at_once: bool = False
    """Without draining: nothing is to be served any more."""

    @property
    def what(self) -> str:
        """See Action."""
        return f"{nodes(len(self.ids))} of {self.template}: {self.why}"

    @property
    def ending(self) -> tuple[str, ...]:
        """See Removal."""
        return self.ids

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return self.ids


@dataclass(frozen=True)
class RemoveScaling(Removal):
    """An auto scaling group and its nodes."""

    there: ActualScaling
    at_once: bool = False

    @property
    def what(self) -> str:
        """See Action."""
        return f"auto scaling group {self.there.name} with {nodes(len(self.there.ids))}"

    @property
    def ending(self) -> tuple[str, ...]:
        """See Removal."""
        return self.there.ids


def nodes(count: int) -> str:
    """A number of nodes in words."""
    return "1 node" if count == 1 else f"{count} nodes"
