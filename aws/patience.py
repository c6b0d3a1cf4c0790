"""Waiting: how long between looks, how long in all, and what to forgive meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, TypeVar

from botocore.exceptions import ClientError

from aws.errors import OutOfPatience

T = TypeVar("T")


class Clock(Protocol):
    """Time, as waiting needs it."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float, /) -> None:
        """Let that much time pass."""


@dataclass(frozen=True)
class Patience:
    """A look every `delay_seconds`, for `budget_seconds` in all."""

    delay_seconds: float
    budget_seconds: float

    def pause(self, looks: int) -> float:  # noqa: ARG002 - others grow
        """Seconds to let pass after so many looks."""
        return self.delay_seconds


@dataclass(frozen=True)
class Backoff(Patience):
    """Full jitter: any share of a delay that doubles from half a second up to `delay_seconds`."""

    def pause(self, looks: int) -> float:
        """See Patience."""
        return random.uniform(0, min(self.delay_seconds, 2.0 ** (looks - 2)))  # noqa: S311 - no secret


def wait_for(what: str, look: Callable[[], T | None], patience: Patience, clock: Clock = time) -> T:
    """Look until something other than None is seen, and return it. Raises OutOfPatience naming `what`."""
    deadline = clock.monotonic() + patience.budget_seconds
    looks = 0
    while True:
        seen = look()
        if seen is not None:
            return seen
        if clock.monotonic() >= deadline:
            raise OutOfPatience(f"{what} took more than {patience.budget_seconds:.0f} s")
        looks += 1
        clock.sleep(patience.pause(looks))


# A thing just created may not be found for a while (coldsnap#43 saw up to two minutes).
SETTLING = Backoff(delay_seconds=8, budget_seconds=120)


def settled(what: str, call: Callable[[], T], forgive: Collection[str], clock: Clock = time) -> T:
    """Make a call that depends on something just created, again while it fails with one of these codes."""

    def look() -> tuple[T] | None:
        try:
            return (call(),)
        except ClientError as why:
            if why.response["Error"]["Code"] not in forgive:
                raise
            return None

    return wait_for(what, look, SETTLING, clock)[0]
