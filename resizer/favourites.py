"""The most frequent of any number of names, in a fixed space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Favourite:
    """A name, how often it came at least, and how often more it may have come."""

    name: str
    count: int
    size: int
    missed: int


class Favourites:
    """Counts exactly as long as there are fewer than twice `capacity` names; then it forgets the rarest half.

    A name that comes anew after that may have been forgotten: at most `missed` of its occurrences were.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._found: dict[str, tuple[int, int, int]] = {}
        self._forgotten = 0

    def add(self, name: str, size: int) -> None:
        """Count a name once, and add up sizes."""
        count, total, missed = self._found.get(name, (0, 0, self._forgotten))
        self._found[name] = (count + 1, total + size, missed)
        if len(self._found) >= 2 * self._capacity:
            self._forget()

    def top(self, number: int) -> tuple[Favourite, ...]:
        """Return the most frequent names, most frequent first."""
        best = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))[:number]
        return tuple(Favourite(name, *numbers) for name, numbers in best)

    def _forget(self) -> None:
        ranked = sorted(self._found.items(), key=lambda item: item[1][0] + item[1][2], reverse=True)
        count, _, missed = ranked[self._capacity][1]
        self._forgotten = max(self._forgotten, count + missed)
        self._found = dict(ranked[: self._capacity])
