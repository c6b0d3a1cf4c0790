"""How long Auto Scaling leaves a new node alone before it heeds its health: by the boots measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.node import Node
    from fleet.scaling_rules import Scaling

UNMEASURED_SECONDS = 120
_TIMES = 4
# Boots differ from one another: what is between these many times the slowest one is left as it is.
_LEAST_TIMES, _MOST_TIMES = 2, 8
_STEP_SECONDS = 30


@dataclass(frozen=True)
class Grace:
    """A time, and where it comes from."""

    seconds: int
    why: str = ""

    def __str__(self) -> str:
        return f"grace of {self.seconds} s" + (f": {self.why}" if self.why else "")


def grace(scaling: Scaling, admitted_seconds: int, nodes: Iterable[Node], there: int | None) -> Grace:
    """What the file says; else four times the slowest boot of these nodes, and what admitting one takes.

    `there` is what the group has: it stays while there is no measure, and while it is not far off.
    """
    if scaling.grace_seconds:
        return Grace(scaling.grace_seconds)
    slowest = max((one.boot_seconds for one in nodes if one.boot_seconds is not None), default=None)
    if slowest is None:
        return Grace(UNMEASURED_SECONDS if there is None else there, "no boot has been measured yet")
    least, most = (times * slowest + admitted_seconds for times in (_LEAST_TIMES, _MOST_TIMES))
    rounded = math.ceil((_TIMES * slowest + admitted_seconds) / _STEP_SECONDS) * _STEP_SECONDS
    seconds = there if there is not None and least <= there <= most else rounded
    return Grace(seconds, f"the slowest boot took {slowest:.0f} s")
