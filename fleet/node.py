"""Nodes: the instances of a deployment as EC2 and they themselves describe them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws.leftovers import LIVING
from aws.ownership import tags_of
from fleet.errors import NotThere
from fleet.naming import DEPLOYMENT, DIGEST, REASON, SINCE, STATE, TEMPLATE

if TYPE_CHECKING:
    from aws.session import Cloud

OPERATIONAL, STRANDED = "operational", "stranded"
_GROUP = "aws:autoscaling:groupName"
# EC2 takes two hundred values a filter.
FILTERED_AT_ONCE = 200
# What took longer was no boot: the node has been rebooted since, or bootstrapped again.
_LONGEST_BOOT = timedelta(minutes=15)
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Node:
    """One instance, not terminated."""

    id: str
    template: str
    zone: str = ""
    private_ip: str = ""
    public_ip: str = ""
    image_id: str = ""
    ec2_state: str = "running"
    bootstrap_state: str = ""
    since: str = ""
    """Since when it is in that state, in its own words (ISO 8601)."""
    reason: str = ""
    digest: str = ""
    launched: datetime = _EPOCH
    deployment: str = ""
    group: str = ""
    """The auto scaling group that keeps it; empty for a plain instance."""

    @property
    def up(self) -> bool:
        """Whether it runs or is about to."""
        return self.ec2_state in ("pending", "running")

    @property
    def address(self) -> str:
        """Where the desk reaches it."""
        return self.public_ip or self.private_ip

    @property
    def boot_seconds(self) -> float | None:
        """How long it took from its launch until it was operational; None where that is not known."""
        if self.bootstrap_state != OPERATIONAL:
            return None
        with suppress(ValueError, TypeError):
            took = datetime.fromisoformat(self.since) - self.launched
            return took.total_seconds() if timedelta() <= took <= _LONGEST_BOOT else None
        return None

    @classmethod
    def of(cls, described: Any) -> Node:
        """The node that DescribeInstances tells of."""
        tags = tags_of(described)
        return cls(
            id=described["InstanceId"],
            template=tags.get(TEMPLATE, ""),
            zone=described["Placement"]["AvailabilityZone"],
            private_ip=described.get("PrivateIpAddress", ""),
            public_ip=described.get("PublicIpAddress", ""),
            image_id=described["ImageId"],
            ec2_state=described["State"]["Name"],
            bootstrap_state=tags.get(STATE, ""),
            since=tags.get(SINCE, ""),
            reason=tags.get(REASON, ""),
            digest=tags.get(DIGEST, ""),
            launched=described["LaunchTime"],
            deployment=tags.get(DEPLOYMENT, ""),
            group=tags.get(_GROUP, ""),
        )


def described(cloud: Cloud, deployment: str, only: Collection[str] | None = None) -> tuple[Node, ...]:
    """The deployment's nodes, a page of a thousand a call, by template and age; or some of them, by id."""
    filters: list[Any] = [
        {"Name": f"tag:{DEPLOYMENT}", "Values": [deployment]},
        {"Name": "instance-state-name", "Values": list(LIVING)},
    ]
    found = _pages(cloud, filters) if only is None else _named(cloud, filters, list(only))
    return tuple(sorted(found, key=lambda one: (one.template, one.launched, one.id)))


def _named(cloud: Cloud, filters: list[Any], ids: Sequence[str]) -> Iterator[Node]:
    # By a filter, since a call that names an instance that is gone fails as a whole.
    for start in range(0, len(ids), FILTERED_AT_ONCE):
        some = {"Name": "instance-id", "Values": list(ids[start : start + FILTERED_AT_ONCE])}
        yield from _pages(cloud, [*filters, some])


def _pages(cloud: Cloud, filters: list[Any]) -> Iterator[Node]:
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=filters, PaginationConfig={"PageSize": 1000}
    )
    return (Node.of(one) for page in pages for group in page["Reservations"] for one in group["Instances"])


def named(nodes: Sequence[Node], wanted: str) -> Node:
    """The node of an id, of a beginning of one, or of an address. Raises NotThere."""
    found = [one for one in nodes if wanted in (one.id, one.private_ip, one.public_ip)]
    found = found or [one for one in nodes if len(wanted) > 3 and one.id.startswith(wanted)]
    if len(found) != 1:
        how = "no node" if not found else f"{len(found)} nodes"
        raise NotThere(f"the deployment has {how} {wanted!r}", "`invoke fleet.status` lists them")
    return found[0]


def chosen(
    nodes: Sequence[Node], template: str = "", count: int | None = None, node: str = ""
) -> tuple[Node, ...]:
    """The nodes that a command is for: one, some of a template, or all. Raises NotThere.

    Some are chosen so that those not chosen stay spread over the zones.
    """
    if node:
        return (named(nodes, node),)
    if template and not any(one.template == template for one in nodes):
        raise NotThere(f"no node is of a template {template!r}", "`invoke fleet.status` lists them")
    of_template = [one for one in nodes if template in ("", one.template)]
    if count is None:
        return tuple(of_template)
    return tuple(thinning(of_template))[:count]


def thinning(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes in the order in which to take them away: always the newest of the fullest zone."""
    left = list(nodes)
    while left:
        full = Counter(one.zone for one in left)
        victim = max(left, key=lambda one: (full[one.zone], one.launched, one.id))
        left.remove(victim)
        yield victim


def spread(count: int, zones: Sequence[str], there: Sequence[Node] = ()) -> dict[str, int]:
    """How many of `count` new nodes go to each zone, so that all have as many as can be; none is left out."""
    totals = Counter(dict.fromkeys(zones, 0))
    totals.update(one.zone for one in there if one.zone in totals)
    added = dict.fromkeys(zones, 0)
    for _ in range(count):
        zone = min(zones, key=lambda one: (totals[one], zones.index(one)))
        totals[zone] += 1
        added[zone] += 1
    return {zone: number for zone, number in added.items() if number}
