"""Where a load balancer stands: its subnets, and the security group that admits its clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.ownership import specification, tags_of
from aws.patience import settled
from aws.place import find_place
from fleet.lb_errors import LoadBalancerWrong, NotOurBalancer
from fleet.load_balancer import OWNED, Change

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import Kind, Wanted


@dataclass(frozen=True)
class Ground:
    """A network, and a subnet of each zone."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    zones: tuple[str, ...]


def find_ground(cloud: Cloud, wanted: Wanted) -> Ground:
    """The subnets asked for, else each zone's default. Raises LoadBalancerWrong where they do not fit."""
    found = _subnets(cloud, wanted.subnet_ids)
    zones = tuple(one["AvailabilityZone"] for one in found)
    if len({one["VpcId"] for one in found}) > 1:
        raise LoadBalancerWrong(f"{wanted.name}: its subnets are not of one VPC", "name subnets of one VPC")
    if len(set(zones)) < len(zones):
        raise LoadBalancerWrong(
            f"{wanted.name}: two of its subnets are in one zone", "name one subnet of each zone"
        )
    if wanted.kind == "application" and len(zones) < 2:
        raise LoadBalancerWrong(
            f"{wanted.name}: an application load balancer stands in two zones or more, not in {len(zones)}",
            "name subnets of two zones, or take --type classic or network",
        )
    return Ground(found[0]["VpcId"], tuple(one["SubnetId"] for one in found), zones)


def group_name(kind: Kind, name: str) -> str:
    """The name of a load balancer's own security group."""
    return f"amibake-{kind}-{name}"


def find_group(cloud: Cloud, wanted: Wanted, vpc_id: str) -> Any | None:
    """A load balancer's own security group, if there is one."""
    filters: Any = [
        {"Name": "group-name", "Values": [group_name(wanted.kind, wanted.name)]},
        {"Name": "vpc-id", "Values": [vpc_id]},
    ]
    return next(iter(cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]), None)


def group_changes(cloud: Cloud, wanted: Wanted, ground: Ground) -> Iterator[Change]:
    """What makes the group so: that it is there, and admits the clients to the listeners, and nobody else."""
    if wanted.group_ids or wanted.kind == "network":
        return
    name = group_name(wanted.kind, wanted.name)
    found = find_group(cloud, wanted, ground.vpc_id)
    if found is None:
        yield Change(f"create security group {name}", lambda: _create_group(cloud, wanted, ground))
        found = find_group(cloud, wanted, ground.vpc_id)
    elif OWNED not in tags_of(found):
        raise NotOurBalancer(
            f"there is a security group {name} that this toolkit did not make",
            f"rename or remove {found['GroupId']}, or name a group with --group",
        )
    if found is None:
        return
    group_id, is_open, shall = found["GroupId"], _open(found), _rules(cloud, wanted, ground)
    if missing := sorted(shall - is_open):
        yield Change(
            f"open {name} to {_said(missing)}",
            lambda: settled(
                name,
                lambda: cloud.ec2.authorize_security_group_ingress(
                    GroupId=group_id, IpPermissions=_permissions(missing)
                ),
                {"InvalidGroup.NotFound"},
            ),
        )
    if surplus := sorted(is_open - shall):
        yield Change(
            f"close {name} to {_said(surplus)}",
            lambda: cloud.ec2.revoke_security_group_ingress(
                GroupId=group_id, IpPermissions=_permissions(surplus)
            ),
        )


def groups_for(cloud: Cloud, wanted: Wanted, ground: Ground) -> tuple[str, ...]:
    """The ids of the groups that a load balancer shall have; none before its own is made."""
    if wanted.group_ids or wanted.kind == "network":
        return wanted.group_ids
    found = find_group(cloud, wanted, ground.vpc_id)
    return (found["GroupId"],) if found else ()


def group_removals(cloud: Cloud, kind: Kind, name: str) -> Iterator[Change]:
    """What removes a load balancer's own group, as soon as the load balancer lets go of it."""
    filters: Any = [
        {"Name": "group-name", "Values": [group_name(kind, name)]},
        {"Name": "tag-key", "Values": [OWNED]},
    ]
    for found in cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
        act = partial(_delete_group, cloud, found["GroupId"])
        yield Change(f"delete security group {found['GroupName']}", act)


def _delete_group(cloud: Cloud, group: str) -> None:
    settled(
        f"deleting security group {group}",
        lambda: cloud.ec2.delete_security_group(GroupId=group),
        {"DependencyViolation"},
    )


def _subnets(cloud: Cloud, ids: Sequence[str]) -> list[Any]:
    if not ids:
        filters: Any = [{"Name": "default-for-az", "Values": ["true"]}]
        found = cloud.ec2.describe_subnets(Filters=filters)["Subnets"]
        if not found:
            raise LoadBalancerWrong(
                f"there is no default subnet in {cloud.region}", "name subnets with --subnet subnet-…"
            )
        return sorted(found, key=lambda one: one["AvailabilityZone"])
    try:
        named = cloud.ec2.describe_subnets(SubnetIds=list(ids))["Subnets"]
    except ClientError as why:
        raise LoadBalancerWrong(
            f"{cloud.region} has not all of {', '.join(ids)}: {why}", "aws ec2 describe-subnets lists them"
        ) from why
    return sorted(named, key=lambda one: one["AvailabilityZone"])


def _create_group(cloud: Cloud, wanted: Wanted, ground: Ground) -> None:
    cloud.ec2.create_security_group(
        GroupName=group_name(wanted.kind, wanted.name),
        Description=f"the clients of load balancer {wanted.name}",
        VpcId=ground.vpc_id,
        TagSpecifications=specification(wanted.all_tags, "security-group"),
    )


def _rules(cloud: Cloud, wanted: Wanted, ground: Ground) -> set[tuple[int, str]]:
    admitted = wanted.admits or (find_place(cloud, ground.subnet_ids[0]).caller,)
    return {(one.port, cidr) for one in wanted.all_listeners for cidr in admitted}


def _open(group: Any) -> set[tuple[int, str]]:
    return {
        (rule["FromPort"], source["CidrIp"])
        for rule in group["IpPermissions"]
        if rule.get("IpProtocol") == "tcp" and rule.get("FromPort") == rule.get("ToPort")
        for source in rule["IpRanges"]
    }


def _permissions(rules: Sequence[tuple[int, str]]) -> list[Any]:
    return [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
        for port, cidr in rules
    ]


def _said(rules: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{cidr} on port {port}" for port, cidr in rules)
