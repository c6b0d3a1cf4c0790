"""Target groups: the nodes behind an application or network load balancer, and how they are checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.ownership import tag_list, tags_of
from aws.patience import settled
from fleet import health_check
from fleet.lb_errors import LoadBalancerWrong, NotOurBalancer
from fleet.load_balancer import OWNED, Change, Health

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer, Wanted

_STICKY = "stickiness.enabled"
DRAINING = "deregistration_delay.timeout_seconds"
_CROSS_ZONE = "load_balancing.cross_zone.enabled"
_NOT_REGISTERED = "Target.NotRegistered"


def find(cloud: Cloud, name: str) -> Any | None:
    """A target group, as AWS describes it, if there is one of that name."""
    return next(iter(_described(cloud, Names=[name])), None)


def behind(cloud: Cloud, arn: str) -> list[Any]:
    """The target groups that a load balancer forwards to, as AWS describes them."""
    return _described(cloud, LoadBalancerArn=arn)


def changes(cloud: Cloud, wanted: Wanted, vpc_id: str) -> Iterator[Change]:
    """What makes the target group so. Raises LoadBalancerWrong where AWS changes nothing afterwards."""
    found = find(cloud, wanted.name)
    front = wanted.all_listeners[0]
    if found is None:
        yield Change(
            f"create target group {wanted.name}: {front.node_protocol}:{front.node_port}, "
            f"health by {wanted.check.described()}",
            lambda: _create(cloud, wanted, vpc_id),
        )
        found = find(cloud, wanted.name)
    if found is None:
        return
    arn = found["TargetGroupArn"]
    if OWNED not in _tags(cloud, arn):
        raise NotOurBalancer(
            f"there is a target group {wanted.name} that this toolkit did not make", "choose another name"
        )
    _check_fixed(found, wanted, vpc_id)
    if health_check.of_target_group(found) != wanted.check:
        yield Change(
            f"check health by {wanted.check.described()}",
            lambda: cloud.elbv2.modify_target_group(
                TargetGroupArn=arn, **health_check.target_group_arguments(wanted.check)
            ),
        )
    yield from _attribute_changes(cloud, arn, wanted)


def attributes(cloud: Cloud, arn: str) -> dict[str, str]:
    """A target group's attributes by name."""
    listed = cloud.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    return {one["Key"]: one["Value"] for one in listed}


def register(cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
    """See Balancing."""
    cloud.elbv2.register_targets(
        TargetGroupArn=balancer.target_group_arn, Targets=[{"Id": one} for one in ids]
    )


def deregister(cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
    """See Balancing."""
    cloud.elbv2.deregister_targets(
        TargetGroupArn=balancer.target_group_arn, Targets=[{"Id": one} for one in ids]
    )


def health(cloud: Cloud, balancer: LoadBalancer) -> dict[str, Health]:
    """See Balancing."""
    listed = cloud.elbv2.describe_target_health(TargetGroupArn=balancer.target_group_arn)
    targets = listed["TargetHealthDescriptions"]
    read = {one["Target"]["Id"]: read_health(one["TargetHealth"]) for one in targets}
    return {key: value for key, value in read.items() if value.reason != _NOT_REGISTERED}


def read_health(described: Any) -> Health:
    """A node's health, from what DescribeTargetHealth says of it."""
    state = described["State"]
    return Health(
        "draining" if state == "unhealthy.draining" else state,
        described.get("Reason", ""),
        described.get("Description", ""),
    )


def removals(cloud: Cloud, name: str) -> Iterator[Change]:
    """What removes the target group of that name, if it is ours, as soon as no load balancer holds it."""
    found = find(cloud, name)
    if found is None or OWNED not in _tags(cloud, found["TargetGroupArn"]):
        return
    yield Change(
        f"delete target group {name}",
        lambda: settled(
            f"deleting target group {name}",
            lambda: cloud.elbv2.delete_target_group(TargetGroupArn=found["TargetGroupArn"]),
            {"ResourceInUse"},
        ),
    )


def _described(cloud: Cloud, **which: Any) -> list[Any]:
    try:
        return list(cloud.elbv2.describe_target_groups(**which)["TargetGroups"])
    except ClientError as why:
        if why.response["Error"]["Code"] != "TargetGroupNotFound":
            raise
        return []


def _tags(cloud: Cloud, arn: str) -> dict[str, str]:
    return tags_of(cloud.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0])


def _create(cloud: Cloud, wanted: Wanted, vpc_id: str) -> None:
    front = wanted.all_listeners[0]
    cloud.elbv2.create_target_group(
        Name=wanted.name,
        Protocol=front.node_protocol,  # type: ignore[arg-type]
        Port=front.node_port,
        VpcId=vpc_id,
        TargetType="instance",
        Tags=tag_list(wanted.all_tags),
        **health_check.target_group_arguments(wanted.check),
    )


def _check_fixed(found: Any, wanted: Wanted, vpc_id: str) -> None:
    front = wanted.all_listeners[0]
    has = (found["Protocol"], found["Port"], found["VpcId"])
    if has != (front.node_protocol, front.node_port, vpc_id):
        raise LoadBalancerWrong(
            f"target group {wanted.name} is for {has[0]}:{has[1]} in {has[2]}, and AWS does not change that",
            f"delete it with `invoke lb.delete {wanted.name}`, or create one of another name",
        )


def _attribute_changes(cloud: Cloud, arn: str, wanted: Wanted) -> Iterator[Change]:
    has = attributes(cloud, arn)
    differing = {}
    said = []
    if has.get(DRAINING) != str(wanted.draining_seconds):
        differing[DRAINING] = str(wanted.draining_seconds)
        said.append(f"drain for {wanted.draining_seconds} s")
    if has.get(_STICKY) == "true":
        differing[_STICKY] = "false"
        said.append("bind no client to a node")
    # An application load balancer balances across zones always; its target group may keep within them.
    if wanted.kind == "application" and (has.get(_CROSS_ZONE) == "false") == wanted.cross_zone:
        differing[_CROSS_ZONE] = "use_load_balancer_configuration" if wanted.cross_zone else "false"
        said.append("balance across zones" if wanted.cross_zone else "balance within zones")
    if differing:
        listed: Any = [{"Key": key, "Value": value} for key, value in differing.items()]
        yield Change(
            ", ".join(said),
            lambda: cloud.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=listed),
        )
