"""Security groups of a deployment: described, made, opened and closed as their rules ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws.ownership import specification
from aws.patience import settled
from aws.temporary import delete_group
from fleet.errors import NotOurs
from fleet.naming import DEPLOYMENT
from fleet.wanted import Group, Rule

if TYPE_CHECKING:
    from aws.session import Cloud

_NEW = {"InvalidGroup.NotFound"}


@dataclass(frozen=True)
class ActualGroup:
    """A security group as it is."""

    id: str
    name: str
    rules: frozenset[Rule]


def described(cloud: Cloud, deployment: str) -> dict[str, ActualGroup]:
    """The deployment's groups by name."""
    filters: Any = [{"Name": f"tag:{DEPLOYMENT}", "Values": [deployment]}]
    pages = cloud.ec2.get_paginator("describe_security_groups").paginate(Filters=filters)
    found = [one for page in pages for one in page["SecurityGroups"]]
    names = {one["GroupId"]: one["GroupName"] for one in found}
    return {
        one["GroupName"]: ActualGroup(one["GroupId"], one["GroupName"], frozenset(_rules(one, names)))
        for one in found
    }


def make(cloud: Cloud, wanted: Group, vpc_id: str, tags: Mapping[str, str]) -> str:
    """Create a group without rules and return its id. Raises NotOurs when the name is taken."""
    filters: Any = [{"Name": "group-name", "Values": [wanted.name]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    if cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
        raise NotOurs(
            f"a security group {wanted.name} exists and is not of this deployment",
            "remove it, or give the deployment another `name`",
        )
    return cloud.ec2.create_security_group(
        GroupName=wanted.name,
        Description=wanted.what,
        VpcId=vpc_id,
        TagSpecifications=specification({**tags, "Name": wanted.name}, "security-group"),
    )["GroupId"]


def change(
    cloud: Cloud, group_id: str, opened: Iterable[Rule], closed: Iterable[Rule], ids: Mapping[str, str]
) -> None:
    """Open and close ports; `ids` tells the group of a name."""
    if permissions := [_permission(one, ids) for one in opened]:
        settled(
            f"security group {group_id}",
            lambda: cloud.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=permissions),
            _NEW,
        )
    if permissions := [_permission(one, ids) for one in closed]:
        cloud.ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=permissions)


def remove(cloud: Cloud, groups: Iterable[ActualGroup]) -> None:
    """Delete groups: first what refers to another one of them, as AWS keeps what is referred to."""
    doomed = sorted(groups, key=lambda one: -sum(rule.source.startswith("group:") for rule in one.rules))
    for one in doomed:
        delete_group(cloud, one.id)


def _rules(described: Any, names: Mapping[str, str]) -> Iterable[Rule]:
    for permission in described["IpPermissions"]:
        port = permission.get("FromPort", 0)
        yield from (Rule(port, held["CidrIp"]) for held in permission.get("IpRanges", []))
        for pair in permission.get("UserIdGroupPairs", []):
            yield Rule(port, f"group:{names.get(pair['GroupId'], pair['GroupId'])}")


def _permission(rule: Rule, ids: Mapping[str, str]) -> Any:
    permission: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": rule.port, "ToPort": rule.port}
    if rule.source.startswith("group:"):
        name = rule.source.removeprefix("group:")
        return {**permission, "UserIdGroupPairs": [{"GroupId": ids.get(name, name)}]}
    return {**permission, "IpRanges": [{"CidrIp": rule.source}]}
