"""What scaling policies make of a metric: how many instances there should be. Pure.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A target is let be until the metric is a tenth below it for a quarter of an hour; above it, 3 minutes do.
LOW_SHARE = 0.9
LOW_PERIODS, HIGH_PERIODS = 15, 3
PERIOD_SECONDS = 60


@dataclass(frozen=True)
class Capacity:
    """A group's: `ready` are in service and warm, `warming` are on their way to that."""

    desired: int
    minimum: int
    maximum: int
    ready: int
    warming: int = 0

    def within(self, wanted: int) -> int:
        """A size that the group's limits allow."""
        return max(self.minimum, min(wanted, self.maximum))


@dataclass(frozen=True)
class Step:
    """A step: by how much to change when the metric is from `low` to `high` beyond the threshold."""

    change: int
    low: float = -math.inf
    high: float = math.inf

    def fits(self, beyond: float) -> bool:
        """Whether it is this step's turn. The bound nearer to the threshold belongs to the step."""
        if beyond >= 0:
            return self.low <= beyond < self.high
        return self.low < beyond <= self.high


def tracked(capacity: Capacity, value: float, target: float, *, scale_in: bool) -> int:
    """The size that brings a metric to its target; unchanged where it is not yet time to shrink.

    Instances that are warming up are part of the desired size but not yet of the metric: while there are
    some, the group may grow beyond them, and never shrinks.
    """
    wanted = capacity.within(math.ceil(capacity.ready * value / target - 1e-9))
    if scale_in:
        return capacity.desired if capacity.warming else min(wanted, capacity.desired)
    return max(wanted, capacity.desired)


def stepped(
    capacity: Capacity, steps: Sequence[Step], beyond: float, kind: str, least: int | None = None
) -> int:
    """The size that a step policy wants; `beyond` is how far the metric is from the threshold."""
    step = next((one for one in steps if one.fits(beyond)), None)
    if step is None:
        return capacity.desired
    base = capacity.ready if capacity.warming else capacity.desired
    wanted = capacity.within(adjusted(base, step.change, kind, least))
    grows = step.change > 0 and kind != "ExactCapacity"
    if capacity.warming:
        return max(wanted, capacity.desired) if grows else capacity.desired
    return wanted


def adjusted(size: int, change: int, kind: str, least: int | None = None) -> int:
    """A size after an adjustment: ChangeInCapacity, ExactCapacity or PercentChangeInCapacity."""
    if kind == "ExactCapacity":
        return change
    if kind != "PercentChangeInCapacity":
        return size + change
    by = size * change / 100
    # Less than one instance is one; parts of more than one do not count.
    whole = math.trunc(by) if abs(by) >= 1 else int(math.copysign(1, by)) if by else 0
    if least and by and abs(whole) < least:
        whole = int(math.copysign(least, by))
    return size + whole
