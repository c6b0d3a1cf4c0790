"""Roll-outs of auto scaling groups: an instance refresh, watched from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws.patience import Patience, wait_for
from fleet import launch_templates, scaling_groups
from fleet.actions import CHANGED, Action
from fleet.errors import DoesWorse

if TYPE_CHECKING:
    from fleet.act import Site
    from fleet.roll_record import Order
    from fleet.wanted import Kind

_LOOK = Patience(delay_seconds=2, budget_seconds=4 * 3600)
_UNDER_WAY = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
_CANARY_PERCENT = 1


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
    obey: Callable[[], None],
    watched: Callable[[datetime], None],
) -> None:
    """Start a refresh, or join the one under way, and see it through; after the canary, traffic is judged.

    Raises DoesWorse where it fails, or where things are worse than before.
    """
    name, began, judged = site.names.of(kind.name), datetime.now(UTC), False
    _start(site, kind, order)

    def look() -> Any:
        nonlocal judged
        site.check()
        obey()
        one = _newest(site, name)
        site.progress.note(f"{name}: {one['Status']}, {one.get('PercentageComplete', 0)} %")
        if not judged and one.get("PercentageComplete", 0) >= _CANARY_PERCENT:
            judged = True
            watched(began)
        return None if one["Status"] in _UNDER_WAY else one

    with site.progress.phase(f"~ instance refresh of {name} to {kind.image.id}"):
        ended = wait_for(f"{name}: being refreshed", look, _LOOK)
    if ended["Status"] != "Successful":
        raise DoesWorse(f"{name}: the refresh is {ended['Status']}: {ended.get('StatusReason', 'no reason')}")


def backwards(site: Site, kind: Kind) -> None:
    """Roll a refresh back, or refresh to what the launch template says again; wait until it has ended."""
    name = site.names.of(kind.name)
    newest = _newest(site, name)
    if newest and newest["Status"] in ("Pending", "InProgress", "Baking"):
        site.cloud.autoscaling.rollback_instance_refresh(AutoScalingGroupName=name)
    elif newest and newest["Status"] == "Successful":
        _start(site, kind, None)

    def look() -> bool | None:
        site.check()
        one = _newest(site, name)
        return not one or one["Status"] not in _UNDER_WAY or None

    with site.progress.phase(f"~ {name}: going back"):
        wait_for(f"{name}: going back", look, _LOOK)


def _start(site: Site, kind: Kind, order: Order | None) -> None:
    name = site.names.of(kind.name)
    newest = _newest(site, name)
    if newest and newest["Status"] in _UNDER_WAY:
        return
    there = launch_templates.described(site.cloud, site.names.deployment)[kind.name]
    group = scaling_groups.described(site.cloud, site.names.deployment)[kind.name]
    batch = order.pace.batch if order else 1
    size = max(1, group.desired)
    surge = 0 if order and order.pace.in_place else min(100, -(-100 * batch // size))
    preferences: dict[str, Any] = {
        "MinHealthyPercentage": 100 if surge else max(0, 100 - -(-100 * batch // size)),
        "MaxHealthyPercentage": 100 + surge,
        "SkipMatching": True,
        "InstanceWarmup": kind.scaling.warm_up_seconds if kind.scaling else 60,
        "AutoRollback": bool(order and order.takes_back),
    }
    site.cloud.autoscaling.start_instance_refresh(
        AutoScalingGroupName=name,
        Strategy="Rolling",
        DesiredConfiguration={
            "LaunchTemplate": {"LaunchTemplateId": there.id, "Version": str(there.version)}
        },
        Preferences=preferences,  # type: ignore[arg-type]
    )


def _newest(site: Site, name: str) -> Any:
    found = site.cloud.autoscaling.describe_instance_refreshes(AutoScalingGroupName=name, MaxRecords=1)
    return next(iter(found["InstanceRefreshes"]), None)
