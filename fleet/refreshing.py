"""Roll-outs of auto scaling groups: an instance refresh, watched from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws.patience import Patience, wait_for
from fleet import launch_templates, scaling_groups, service
from fleet.actions import CHANGED, Action
from fleet.errors import DoesWorse
from fleet.roll_record import Paused
from fleet.watching import LATEST_SECONDS

if TYPE_CHECKING:
    from fleet.act import Site
    from fleet.roll_record import Order
    from fleet.wanted import Kind

_LOOK = Patience(delay_seconds=2, budget_seconds=4 * 3600)
_UNDER_WAY = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
_WELL = ("InProgress", "Baking", "Successful")
_WATCH_GRACE_SECONDS = 30
_MOST_HEALTHY_PERCENT = 200
_ALL_PERCENT = 100
_ALL_JUDGED = _ALL_PERCENT + 1
_MOST_ALARMS = 10  # AWS takes no more


@dataclass(frozen=True)
class Refresh(Action):
    """An instance refresh."""

    kind: Kind
    group: str

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED

    @property
    def what(self) -> str:
        """See Action."""
        return f"instance refresh of {self.group} to {self.kind.image.id}"


def forwards(
    site: Site,
    kind: Kind,
    order: Order,
    alarms: Sequence[str],
    obey: Callable[[], None],
    watched: Callable[[datetime, float], None],
) -> None:
    """Start a refresh, or join the one under way, and see it through; after each batch, traffic is judged.

    Auto Scaling rests at a checkpoint meanwhile, for as long as that takes at most; then another refresh
    takes over, as nobody can tell it to go on. It goes by `alarms` even when this desk is gone. Where
    somebody pauses, or things are worse than before, it is cancelled: what was replaced stays so. Raises
    DoesWorse where it fails or things are worse.
    """
    name, began, said = site.names.of(kind.name), datetime.now(UTC), ""
    size = _start(site, kind, order, alarms)
    mark = checkpoints(order, size)[0]

    def look() -> Any:
        nonlocal began, mark, said
        site.check()
        obey()
        one = _newest(site, name)
        done = one.get("PercentageComplete", 0)
        if (told := f"{name}: {one['Status']}, {done} %") != said:
            said = told
            site.progress.note(said)
        if one["Status"] in _WELL and done >= mark:
            left = one.get("InstancesToUpdate", 0)
            watched(began, 1 - left / size)
            if one["Status"] != "Successful":
                _cancel(site, name)
                began, marks = datetime.now(UTC), checkpoints(order, _start(site, kind, order, alarms))
                mark = marks[0] if left else _ALL_JUDGED
                return None
        return None if one["Status"] in _UNDER_WAY else one

    with site.progress.phase(f"~ instance refresh of {name} to {kind.image.id}"):
        try:
            ended = wait_for(f"{name}: being refreshed", look, _LOOK)
        except (Paused, DoesWorse):
            _cancel(site, name)
            raise
    if ended["Status"] != "Successful":
        raise DoesWorse(f"{name}: the refresh is {ended['Status']}: {ended.get('StatusReason', 'no reason')}")
    _settle(site, kind)


def backwards(site: Site, kind: Kind) -> None:
    """Refresh to what the launch template says again, and wait until it has ended. Raises DoesWorse."""
    name = site.names.of(kind.name)
    with site.progress.phase(f"~ {name}: going back"):
        _cancel(site, name)
        _start(site, kind, None, ())

        def look() -> Any:
            site.check()
            one = _newest(site, name)
            return None if one["Status"] in _UNDER_WAY else one

        ended = wait_for(f"{name}: going back", look, _LOOK)
    if ended["Status"] != "Successful":
        raise DoesWorse(
            f"{name}: going back is {ended['Status']}: {ended.get('StatusReason', 'no reason')}",
            "`invoke fleet.roll --abort` tries again",
        )


def _start(site: Site, kind: Kind, order: Order | None, alarms: Sequence[str]) -> int:
    """Begin a refresh unless one is under way; how many nodes the group has."""
    name = site.names.of(kind.name)
    there = launch_templates.described(site.cloud, site.names.deployment)[kind.name]
    group = scaling_groups.described(site.cloud, site.names.deployment)[kind.name]
    size = max(1, group.desired)
    newest = _newest(site, name)
    if not newest or newest["Status"] not in _UNDER_WAY:
        site.cloud.autoscaling.start_instance_refresh(
            AutoScalingGroupName=name,
            Strategy="Rolling",
            DesiredConfiguration={
                "LaunchTemplate": {"LaunchTemplateId": there.id, "Version": str(there.version)}
            },
            Preferences=preferences(kind, order, size, alarms),
        )
    return size


def checkpoints(order: Order, size: int) -> list[int]:
    """At which percentages of a group it rests: after each batch.

    Where nodes go before others come there was no canary, and the first comes alone. Auto Scaling rounds up
    to whole instances.
    """
    step = max(1, order.pace.step(size))
    counts = [*range(1 if order.pace.in_place else step, size, step), size]
    return sorted({max(1, _ALL_PERCENT * count // size) for count in counts})


def preferences(kind: Kind, order: Order | None, size: int, alarms: Sequence[str]) -> Any:
    """How a group of a size is to be refreshed; without an order, back to what was, as surely as can be."""
    step = math.ceil(100 * (order.pace.step(size) if order else 1) / size)
    in_place = bool(order and order.pace.in_place)
    chosen: dict[str, Any] = {
        "MinHealthyPercentage": max(0, 100 - step) if in_place else 100,
        "MaxHealthyPercentage": 100 if in_place else min(_MOST_HEALTHY_PERCENT, 100 + step),
        "SkipMatching": True,
        "InstanceWarmup": kind.scaling.warm_up_seconds if kind.scaling else 0,
        "AutoRollback": bool(order and order.takes_back),
    }
    if order:
        chosen["CheckpointPercentages"] = checkpoints(order, size)
        chosen["CheckpointDelay"] = int(order.watch_seconds + LATEST_SECONDS) + _WATCH_GRACE_SECONDS
    if alarms:
        chosen["AlarmSpecification"] = {"Alarms": list(alarms)[:_MOST_ALARMS]}
    return chosen


def _cancel(site: Site, name: str) -> None:
    """Stop a refresh where it is, and wait until it has stopped."""
    if (newest := _newest(site, name)) and newest["Status"] in ("Pending", "InProgress", "Baking"):
        site.cloud.autoscaling.cancel_instance_refresh(AutoScalingGroupName=name)

    def look() -> bool | None:
        site.check()
        one = _newest(site, name)
        return not one or one["Status"] not in _UNDER_WAY or None

    wait_for(f"{name}: stopping its refresh", look, _LOOK)


def _settle(site: Site, kind: Kind) -> None:
    """The group is as the file wants it now: it launches what its nodes are of."""
    there = launch_templates.described(site.cloud, site.names.deployment)[kind.name]
    group = scaling_groups.described(site.cloud, site.names.deployment)[kind.name]
    behind = site.balancers(service.balancers_of(site.need, kind.name))
    scaling_groups.put(site.cloud, site.need, kind, there, behind, group, group.desired, group.grace_seconds)


def _newest(site: Site, name: str) -> Any:
    found = site.cloud.autoscaling.describe_instance_refreshes(AutoScalingGroupName=name, MaxRecords=1)
    return next(iter(found["InstanceRefreshes"]), None)
