"""Which nodes a command is for: named, those of a deployment, or all that are operational."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aws.errors import OutOfPatience
from aws.leftovers import LIVING
from aws.patience import Clock, Patience, wait_for
from fleet import node as nodes_of
from fleet.errors import NotThere, NotUp
from fleet.naming import DEPLOYMENT, STATE
from fleet.node import OPERATIONAL, STRANDED, Node

if TYPE_CHECKING:
    from aws.session import Cloud

# A boot's own budget is ten minutes; who is not operational by then will not be.
BOOTING = Patience(delay_seconds=2, budget_seconds=600)


def selected(cloud: Cloud, deployment: str = "", ids: Sequence[str] = ()) -> tuple[Node, ...]:
    """The nodes named; else the deployment's; else all that are operational. Raises NotThere."""
    if ids:
        return by_ids(cloud, ids)
    if not deployment:
        return _described(cloud, [{"Name": f"tag:{STATE}", "Values": [OPERATIONAL]}])
    found = nodes_of.described(cloud, deployment)
    if not found:
        raise NotThere(
            f"the deployment {deployment!r} has no nodes", "is its name right? `invoke fleet.status` tells"
        )
    return found


def of_deployments(cloud: Cloud, deployment: str = "") -> tuple[Node, ...]:
    """The nodes of a deployment, or of all."""
    if deployment:
        return nodes_of.described(cloud, deployment)
    return _described(cloud, [{"Name": "tag-key", "Values": [DEPLOYMENT]}])


def by_ids(cloud: Cloud, ids: Sequence[str]) -> tuple[Node, ...]:
    """The nodes of these ids, in that order. Raises NotThere, naming all that are not there."""
    found = {one.id: one for one in known(cloud, ids)}
    if missing := [one for one in ids if one not in found]:
        raise NotThere(
            f"there is no instance {', '.join(missing)} in {cloud.region}", "is it terminated, or elsewhere?"
        )
    return tuple(found[one] for one in dict.fromkeys(ids))


def known(cloud: Cloud, ids: Sequence[str]) -> tuple[Node, ...]:
    """Those of the nodes that EC2 still knows as living."""
    return _described(cloud, [{"Name": "instance-id", "Values": list(ids)}]) if ids else ()


def until_operational(
    cloud: Cloud, nodes: Sequence[Node], patience: Patience = BOOTING, clock: Clock = time
) -> tuple[Node, ...]:
    """Wait until all are operational by their own word. Raises NotUp, naming who is stranded or late."""
    ids = [one.id for one in nodes]
    seen = list(nodes)

    def look() -> tuple[Node, ...] | None:
        seen[:] = by_ids(cloud, ids)
        if any(one.bootstrap_state == STRANDED for one in seen):
            raise _not_up(seen)
        return tuple(seen) if all(one.bootstrap_state == OPERATIONAL for one in seen) else None

    try:
        return wait_for("nodes: becoming operational", look, patience, clock)
    except OutOfPatience as why:
        raise _not_up(seen) from why


def _not_up(nodes: Sequence[Node]) -> NotUp:
    told = "; ".join(
        f"{one.id} is {one.bootstrap_state or 'silent'}" + (f" ({one.reason})" if one.reason else "")
        for one in nodes
        if one.bootstrap_state != OPERATIONAL
    )
    return NotUp(f"not operational: {told}", "`invoke bootstrap --node I-…` runs its boot scripts again")


def _described(cloud: Cloud, filters: list[Any]) -> tuple[Node, ...]:
    living: Any = {"Name": "instance-state-name", "Values": list(LIVING)}
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=[*filters, living])
    found = [Node.of(one) for page in pages for group in page["Reservations"] for one in group["Instances"]]
    return tuple(sorted(found, key=lambda one: (one.template, one.launched, one.id)))
