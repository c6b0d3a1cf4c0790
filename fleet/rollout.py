"""A roll-out's next move, from how things stand. Pure, so that it goes on from wherever it was cut short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How fast, and how carefully. The first new node is a canary: it comes alone, whatever the batch."""

    batch: int = 1
    in_place: bool = False
    """Old nodes go before new ones come: no more nodes than wanted at any time, but fewer meanwhile."""


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
        old, fresh, coming = standing.old, standing.fresh, standing.coming
        if isinstance(move, Launch):
            coming = tuple(f"new {number + each}" for each in range(1, move.count + 1))
            number += move.count
        elif isinstance(move, Await):
            fresh, coming = (*fresh, *coming), ()
        else:
            old = tuple(one for one in old if one not in move.ids)
        standing = Standing(standing.wanted, old, fresh, coming)
    return found


def _step(standing: Standing, pace: Pace) -> int:
    return pace.batch if standing.fresh else 1
