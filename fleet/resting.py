"""Nodes stopped, started and ended, all at once, waited for with one look at all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aws.instance import RUNNING, STOPPED
from aws.leftovers import LIVING
from aws.patience import Clock, Patience, wait_for
from fleet import lb
from fleet.node import FILTERED_AT_ONCE

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer

# EC2 takes a thousand ids a call.
_AT_ONCE = 1000
_LEFT = (*LIVING, "shutting-down")
# To describe instances is what costs, and one that is left will do: EC2 shows five at least.
_FEWEST = 5


def drain(cloud: Cloud, balancers: Sequence[LoadBalancer], ids: Sequence[str]) -> None:
    """Take nodes out of load balancers, of all at once, and wait until requests under way have ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(balancers))) as pool:
        list(pool.map(lambda one: lb.deregister(cloud, one, ids), balancers))


def stop(cloud: Cloud, ids: Sequence[str], check: Callable[[], None], clock: Clock = time) -> None:
    """Stop nodes and wait until they are; those that are already are left alone."""
    up = [one for one, state in _states(cloud, ids).items() if state in ("pending", "running")]
    for batch in _batches(up):
        cloud.ec2.stop_instances(InstanceIds=batch)
    _until(cloud, ids, ("stopped",), STOPPED, check, clock)


def start(cloud: Cloud, ids: Sequence[str], check: Callable[[], None], clock: Clock = time) -> None:
    """Start nodes, which must be stopped to that end; those on their way to it are waited for first."""
    _until(cloud, ids, ("stopped", "pending", "running"), STOPPED, check, clock)
    resting = [one for one, state in _states(cloud, ids).items() if state == "stopped"]
    for batch in _batches(resting):
        cloud.ec2.start_instances(InstanceIds=batch)


def terminate(cloud: Cloud, ids: Sequence[str], check: Callable[[], None], clock: Clock = time) -> None:
    """End nodes and wait until they are gone, so that nothing holds on to their groups."""
    for batch in _batches(ids):
        cloud.ec2.terminate_instances(InstanceIds=batch)

    def gone() -> bool | None:
        check()
        return None if _any_left(cloud, ids) else True

    wait_for(f"{len(ids)} nodes: becoming terminated", gone, RUNNING, clock)


def _until(
    cloud: Cloud,
    ids: Sequence[str],
    states: tuple[str, ...],
    patience: Patience,
    check: Callable[[], None],
    clock: Clock,
) -> None:
    def look() -> bool | None:
        check()
        return all(state in (*states, "terminated") for state in _states(cloud, ids).values()) or None

    wait_for(f"{len(ids)} nodes: becoming {' or '.join(states)}", look, patience, clock)


def _any_left(cloud: Cloud, ids: Sequence[str]) -> bool:
    """Whether any is not terminated yet."""
    pages = cloud.ec2.get_paginator("describe_instances")
    left: Any = {"Name": "instance-state-name", "Values": list(_LEFT)}
    return any(
        page["Reservations"]
        for batch in _batches(ids, FILTERED_AT_ONCE)
        for page in pages.paginate(
            Filters=[left, {"Name": "instance-id", "Values": batch}], PaginationConfig={"PageSize": _FEWEST}
        )
    )


def _states(cloud: Cloud, ids: Sequence[str]) -> dict[str, str]:
    """The state of each, in a call for a thousand."""
    found: dict[str, str] = {}
    for batch in _batches(ids):
        for group in cloud.ec2.describe_instances(InstanceIds=batch)["Reservations"]:
            found |= {one["InstanceId"]: one["State"]["Name"] for one in group["Instances"]}
    return found


def _batches(ids: Sequence[str], size: int = _AT_ONCE) -> list[list[str]]:
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]
