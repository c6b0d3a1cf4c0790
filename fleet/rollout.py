"""A roll-out's next move, from how things stand. Pure, so that it goes on from wherever it was cut short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

# So many of a template's nodes are a batch, unless it is said how many.
_BATCH_SHARE = 0.2


@dataclass(frozen=True)
class Pace:
    """How fast, and how carefully. The first new node is a canary: it comes alone, whatever the batch."""

    batch: int = 0
    """Nodes at a time; 0 for a fifth of those that are wanted, one at least."""
    in_place: bool = False
    """Old nodes go before new ones come: no more nodes than wanted at any time, but fewer meanwhile."""

    def step(self, wanted: int) -> int:
        """How many nodes of so many go at a time."""
        return self.batch or max(1, int(wanted * _BATCH_SHARE))


@dataclass(frozen=True)
class Standing:
    """One template's nodes: how many are wanted; the old, the new that serve, the new that are coming."""

    wanted: int
    old: tuple[str, ...]
    fresh: tuple[str, ...]
    coming: tuple[str, ...] = ()

    @property
    def all(self) -> int:
        """How many nodes there are."""
        return len(self.old) + len(self.fresh) + len(self.coming)

    def launched(self, ids: Sequence[str]) -> Standing:
        """After these were launched."""
        return replace(self, coming=(*self.coming, *ids))

    def arrived(self) -> Standing:
        """After those that were coming serve."""
        return replace(self, fresh=(*self.fresh, *self.coming), coming=())

    def without(self, ids: Sequence[str]) -> Standing:
        """After these old ones went."""
        return replace(self, old=tuple(one for one in self.old if one not in set(ids)))


@dataclass(frozen=True)
class Launch:
    """So many new nodes are to be launched."""

    count: int


@dataclass(frozen=True)
class Await:
    """These new nodes are to come into service."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Retire:
    """These old nodes are to be drained and ended, once the new ones have shown that they do well."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """Nothing is left to do."""


Move = Launch | Await | Retire | Done


def next_move(standing: Standing, pace: Pace) -> Move:
    """What is to be done next."""
    if standing.coming:
        return Await(standing.coming)
    if not standing.old:
        lacking = standing.wanted - standing.all
        return Launch(min(lacking, _step(standing, pace))) if lacking > 0 else Done()
    step = min(_step(standing, pace), len(standing.old))
    surplus = standing.all - standing.wanted
    if pace.in_place:
        return Launch(min(-surplus, step)) if surplus < 0 else Retire(standing.old[: max(step, surplus)])
    if surplus > 0:
        return Retire(standing.old[:surplus])
    return Launch(step - surplus if standing.fresh else 1)


def moves(standing: Standing, pace: Pace) -> Sequence[Move]:
    """All moves, if all goes well: what `--dry-run` shows."""
    found: list[Move] = []
    number = 0
    while not isinstance(move := next_move(standing, pace), Done):
        found.append(move)
        if isinstance(move, Launch):
            standing = standing.launched([f"new {number + each}" for each in range(1, move.count + 1)])
            number += move.count
        elif isinstance(move, Await):
            standing = standing.arrived()
        else:
            standing = standing.without(move.ids)
    return found


def _step(standing: Standing, pace: Pace) -> int:
    return pace.step(standing.wanted) if standing.fresh else 1
