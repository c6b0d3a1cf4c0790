"""Application and network load balancers: each with one target group of its own name behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.ownership import tag_list, tags_of
from aws.patience import Patience, wait_for
from fleet import health_check, lb_ground, target_groups
from fleet.lb_errors import LoadBalancerWrong, NoLoadBalancer
from fleet.listener import Listener
from fleet.load_balancer import OWNED, Change, LoadBalancer
from fleet.target_groups import deregister, health, register

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.lb_ground import Ground
    from fleet.load_balancer import Wanted

__all__ = ["changes", "deregister", "find", "health", "owned", "register", "removals"]

_ACTIVE = Patience(delay_seconds=1, budget_seconds=600)
_GONE = Patience(delay_seconds=1, budget_seconds=120)
_TAGS_AT_ONCE = 20
_CROSS_ZONE = "load_balancing.cross_zone.enabled"


def find(cloud: Cloud, name: str) -> LoadBalancer | None:
    """See Balancing."""
    described = _described(cloud, name)
    if described is None:
        return None
    arn = described["LoadBalancerArn"]
    return _of(cloud, described, _tags(cloud, [arn])[arn])


def owned(cloud: Cloud) -> list[LoadBalancer]:
    """See Balancing. One whose making was cut short before it had a target group is left out."""
    pages = cloud.elbv2.get_paginator("describe_load_balancers").paginate()
    described = {one["LoadBalancerArn"]: one for page in pages for one in page["LoadBalancers"]}
    tags = _tags(cloud, list(described))
    read = (_of(cloud, one, tags[arn]) for arn, one in described.items() if OWNED in tags[arn])
    return [one for one in read if one is not None]


def changes(cloud: Cloud, wanted: Wanted) -> Iterator[Change]:
    """See Balancing."""
    ground = lb_ground.find_ground(cloud, wanted)
    yield from lb_ground.group_changes(cloud, wanted, ground)
    yield from target_groups.changes(cloud, wanted, ground.vpc_id)
    found = _described(cloud, wanted.name)
    if found is None:
        yield Change(
            f"create {wanted.kind} load balancer {wanted.name} in {', '.join(ground.zones)}",
            lambda: _create(cloud, wanted, ground),
        )
        found = _described(cloud, wanted.name)
    if found is None:
        yield from _listener_changes(cloud, "", "", wanted)
        return
    _check_fixed(found, wanted)
    arn = found["LoadBalancerArn"]
    group = target_groups.find(cloud, wanted.name)
    yield from _place_changes(cloud, found, wanted, ground)
    yield from _listener_changes(cloud, arn, group["TargetGroupArn"] if group else "", wanted)
    yield from _cross_zone_changes(cloud, arn, wanted)


def removals(cloud: Cloud, name: str) -> Iterator[Change]:
    """See Balancing."""
    found = _described(cloud, name)
    if found and OWNED in _tags(cloud, [found["LoadBalancerArn"]])[found["LoadBalancerArn"]]:
        arn = found["LoadBalancerArn"]
        yield Change(f"delete {found['Type']} load balancer {name}", lambda: _delete(cloud, name, arn))
    yield from target_groups.removals(cloud, name)


def _delete(cloud: Cloud, name: str, arn: str) -> None:
    cloud.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    wait_for(f"{name}: being deleted", lambda: True if _described(cloud, name) is None else None, _GONE)


def _described(cloud: Cloud, name: str) -> Any | None:
    try:
        found = cloud.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
    except ClientError as why:
        if why.response["Error"]["Code"] != "LoadBalancerNotFound":
            raise
        return None
    return next(iter(found), None)


def _tags(cloud: Cloud, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {arn: {} for arn in arns}
    for start in range(0, len(arns), _TAGS_AT_ONCE):
        answer = cloud.elbv2.describe_tags(ResourceArns=list(arns[start : start + _TAGS_AT_ONCE]))
        tags |= {one["ResourceArn"]: tags_of(one) for one in answer["TagDescriptions"]}
    return tags


def _of(cloud: Cloud, described: Any, tags: dict[str, str]) -> LoadBalancer | None:
    if described["Type"] not in ("application", "network"):
        return None
    arn, name = described["LoadBalancerArn"], described["LoadBalancerName"]
    # Its own group may stand alone for a moment: a creation may have been cut short before the listener.
    group = _own(target_groups.behind(cloud, arn), name) or target_groups.find(cloud, name)
    if group is None:
        return None
    attributes = target_groups.attributes(cloud, group["TargetGroupArn"])
    return LoadBalancer(
        kind=described["Type"],
        name=name,
        dns_name=described["DNSName"],
        zone_id=described.get("CanonicalHostedZoneId", ""),
        vpc_id=described["VpcId"],
        subnet_ids=tuple(sorted(zone["SubnetId"] for zone in described["AvailabilityZones"])),
        group_ids=tuple(sorted(described.get("SecurityGroups", []))),
        check=health_check.of_target_group(group),
        draining_seconds=int(attributes[target_groups.DRAINING]),
        tags=tags,
        arn=arn,
        target_group_arn=group["TargetGroupArn"],
    )


def _own(groups: list[Any], name: str) -> Any | None:
    """The group of the load balancer's name, else the only one; which of several is meant cannot be told."""
    named = [one for one in groups if one["TargetGroupName"] == name]
    if not named and len(groups) > 1:
        names = ", ".join(one["TargetGroupName"] for one in groups)
        raise NoLoadBalancer(
            f"{name} forwards to several target groups: {names}",
            "this toolkit drives load balancers with one target group",
        )
    return next(iter(named or groups), None)


def _create(cloud: Cloud, wanted: Wanted, ground: Ground) -> None:
    options: dict[str, Any] = {}
    if groups := lb_ground.groups_for(cloud, wanted, ground):
        options["SecurityGroups"] = list(groups)
    made = cloud.elbv2.create_load_balancer(
        Name=wanted.name,
        Type=wanted.kind,  # type: ignore[arg-type]
        Subnets=list(ground.subnet_ids),
        Scheme="internal" if wanted.internal else "internet-facing",
        Tags=tag_list(wanted.all_tags),
        **options,
    )["LoadBalancers"][0]

    def look() -> bool | None:
        described = cloud.elbv2.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])
        state = described["LoadBalancers"][0]["State"]
        if state["Code"] == "failed":
            raise LoadBalancerWrong(
                f"{wanted.name}: AWS could not set it up: {state.get('Reason', 'it gives no reason')}",
                f"delete it with `invoke lb.delete {wanted.name}`, and try again",
            )
        return True if state["Code"] in ("active", "active_impaired") else None

    wait_for(f"{wanted.name}: becoming active", look, _ACTIVE)


def _check_fixed(found: Any, wanted: Wanted) -> None:
    scheme = "internal" if wanted.internal else "internet-facing"
    if (found["Type"], found["Scheme"]) != (wanted.kind, scheme):
        raise LoadBalancerWrong(
            f"{wanted.name} is of type {found['Type']} and {found['Scheme']}, and AWS does not change that",
            f"delete it with `invoke lb.delete {wanted.name}`, or create one of another name",
        )


def _place_changes(cloud: Cloud, found: Any, wanted: Wanted, ground: Ground) -> Iterator[Change]:
    arn, name = found["LoadBalancerArn"], wanted.name
    if {zone["SubnetId"] for zone in found["AvailabilityZones"]} != set(ground.subnet_ids):
        yield Change(
            f"put {name} into {', '.join(ground.subnet_ids)}",
            lambda: cloud.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=list(ground.subnet_ids)),
        )
    groups = lb_ground.groups_for(cloud, wanted, ground)
    if groups and set(found.get("SecurityGroups", [])) != set(groups):
        yield Change(
            f"give {name} the security groups {', '.join(groups)}",
            lambda: cloud.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=list(groups)),
        )


def _listener_changes(cloud: Cloud, arn: str, group_arn: str, wanted: Wanted) -> Iterator[Change]:
    """What makes the listeners so; without an ARN the load balancer is still to be made."""
    described = cloud.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"] if arn else []
    has = {one["Port"]: one for one in described}
    shall = {one.port: one for one in wanted.all_listeners}
    for port, listener in shall.items():
        arguments = _listener(listener, group_arn)
        if port not in has:
            yield Change(
                f"add listener {listener}",
                lambda given=arguments: cloud.elbv2.create_listener(  # type: ignore[misc]
                    LoadBalancerArn=arn, Tags=tag_list(wanted.all_tags), **given
                ),
            )
        elif not _same(has[port], listener, group_arn):
            yield Change(
                f"change listener {listener}",
                lambda given=arguments, old=has[port]["ListenerArn"]: cloud.elbv2.modify_listener(  # type: ignore[misc]
                    ListenerArn=old, **given
                ),
            )
    for port in sorted(has.keys() - shall.keys()):
        yield Change(
            f"remove the listener on port {port}",
            lambda old=has[port]["ListenerArn"]: cloud.elbv2.delete_listener(ListenerArn=old),  # type: ignore[misc]
        )


def _listener(listener: Listener, group_arn: str) -> Any:
    certificates = [{"CertificateArn": listener.certificate_arn}] if listener.certificate_arn else []
    return {
        "Protocol": listener.protocol,
        "Port": listener.port,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group_arn}],
        **({"Certificates": certificates} if certificates else {}),
    }


def _same(described: Any, listener: Listener, group_arn: str) -> bool:
    certificates = [one["CertificateArn"] for one in described.get("Certificates", [])]
    return (
        described["Protocol"] == listener.protocol
        and [one.get("TargetGroupArn") for one in described["DefaultActions"]] == [group_arn]
        and (not listener.certificate_arn or certificates == [listener.certificate_arn])
    )


def _cross_zone_changes(cloud: Cloud, arn: str, wanted: Wanted) -> Iterator[Change]:
    if wanted.kind != "network":
        return
    listed = cloud.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    has = {one["Key"]: one["Value"] for one in listed}.get(_CROSS_ZONE, "false")
    shall = "true" if wanted.cross_zone else "false"
    if has != shall:
        attribute: Any = {"Key": _CROSS_ZONE, "Value": shall}
        yield Change(
            "balance across zones" if wanted.cross_zone else "balance within zones",
            lambda: cloud.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute]),
        )
