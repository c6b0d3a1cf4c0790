"""Waiting longer and longer, at random, so that a fleet that failed together does not try together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Jitter = Callable[[float, float], float]


@dataclass(frozen=True)
class Backoff:
    """Pauses drawn evenly from 0 to a bound that doubles from `base_seconds` up to `cap_seconds`."""

    base_seconds: float = 0.5
    cap_seconds: float = 10.0
    jitter: Jitter = random.uniform

    def pauses(self) -> Iterator[float]:
        """Yield seconds, without end."""
        bound = self.base_seconds
        while True:
            yield self.jitter(0, bound)
            bound = min(self.cap_seconds, 2 * bound)


def start_delay(deployment_size: int, jitter: Jitter = random.uniform) -> float:
    """Return the seconds to wait before the first write, so that N nodes spread theirs.

    0 to N/10, at most 15.
    """
    return jitter(0, min(15.0, deployment_size / 10))
