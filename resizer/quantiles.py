"""Percentiles of any number of whole numbers in a fixed space, each known to 1.6 %."""

from __future__ import annotations

from collections import Counter

_BITS = 6  # of a number are kept beside its magnitude: 1/64 is the error


class Quantiles:
    """Counts numbers in bins as wide as a 64th of their value."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self.count = 0

    def add(self, value: int) -> None:
        """Count a number, zero or more."""
        shift = max(0, value.bit_length() - _BITS - 1)
        self._bins[(value >> shift) << shift] += 1
        self.count += 1

    def at(self, share: float) -> int:
        """Return the smallest number that at least this share of all do not exceed; 0 of none."""
        wanted, seen = share * self.count, 0
        for value in sorted(self._bins):
            seen += self._bins[value]
            if seen >= wanted:
                return value
        return 0
