"""Classic load balancers: one thing with its listeners, its check and its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.ownership import tag_list, tags_of
from fleet import health_check, lb_ground
from fleet.lb_errors import LoadBalancerWrong
from fleet.listener import Listener
from fleet.load_balancer import OWNED, Change, Health, LoadBalancer, State

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.lb_ground import Ground
    from fleet.load_balancer import Wanted

_TAGS_AT_ONCE = 20
_NOT_ATTACHED = "InvalidInstance"
_DRAINING = "deregistration currently in progress"
_REGISTERING = "registration is still in progress"


def find(cloud: Cloud, name: str) -> LoadBalancer | None:
    """See Balancing."""
    described = _described(cloud, name)
    return _of(cloud, described, _tags(cloud, [name])[name]) if described else None


def owned(cloud: Cloud) -> list[LoadBalancer]:
    """See Balancing."""
    pages = cloud.elb.get_paginator("describe_load_balancers").paginate()
    described = {one["LoadBalancerName"]: one for page in pages for one in page["LoadBalancerDescriptions"]}
    tags = _tags(cloud, list(described))
    return [_of(cloud, one, tags[name]) for name, one in described.items() if OWNED in tags[name]]


def changes(cloud: Cloud, wanted: Wanted) -> Iterator[Change]:
    """See Balancing."""
    ground = lb_ground.find_ground(cloud, wanted)
    yield from lb_ground.group_changes(cloud, wanted, ground)
    found = _described(cloud, wanted.name)
    if found is None:
        said = ", ".join(map(str, wanted.all_listeners))
        yield Change(
            f"create classic load balancer {wanted.name}: {said}, in {', '.join(ground.zones)}",
            lambda: _create(cloud, wanted, ground),
        )
        found = _described(cloud, wanted.name)
    if found is not None:
        _check_fixed(found, wanted)
        yield from _place_changes(cloud, found, wanted, ground)
        yield from _listener_changes(cloud, found, wanted)
        yield from _check_changes(cloud, found, wanted)
        yield from _attribute_changes(cloud, wanted)


def register(cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
    """See Balancing."""
    cloud.elb.register_instances_with_load_balancer(
        LoadBalancerName=balancer.name, Instances=[{"InstanceId": one} for one in ids]
    )


def deregister(cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
    """See Balancing."""
    try:
        cloud.elb.deregister_instances_from_load_balancer(
            LoadBalancerName=balancer.name, Instances=[{"InstanceId": one} for one in ids]
        )
    except ClientError as why:
        # A terminated instance leaves by itself, and the call then refuses all that were named with it.
        if why.response["Error"]["Code"] != _NOT_ATTACHED:
            raise
        if len(ids) > 1:
            for one in ids:
                deregister(cloud, balancer, [one])


def health(cloud: Cloud, balancer: LoadBalancer) -> dict[str, Health]:
    """See Balancing."""
    states = cloud.elb.describe_instance_health(LoadBalancerName=balancer.name)["InstanceStates"]
    return {one["InstanceId"]: read_health(one) for one in states}


def removals(cloud: Cloud, name: str) -> Iterator[Change]:
    """See Balancing."""
    if _described(cloud, name) and OWNED in _tags(cloud, [name])[name]:
        yield Change(
            f"delete classic load balancer {name}",
            lambda: cloud.elb.delete_load_balancer(LoadBalancerName=name),
        )


def read_health(described: Any) -> Health:
    """A node's health, from what DescribeInstanceHealth says of it."""
    text = described.get("Description", "")
    text = "" if text == "N/A" else text
    reason = described.get("ReasonCode", "")
    return Health(_state(described["State"], text), "" if reason == "N/A" else reason, text)


def _state(word: str, description: str) -> State:
    # While a node drains it is called InService; only the description tells.
    if _DRAINING in description:
        return "draining"
    if word == "InService":
        return "healthy"
    if word == "Unknown":
        return "unavailable"
    return "initial" if _REGISTERING in description else "unhealthy"


def _described(cloud: Cloud, name: str) -> Any | None:
    try:
        found = cloud.elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    except ClientError as why:
        if why.response["Error"]["Code"] not in ("LoadBalancerNotFound", "AccessPointNotFound"):
            raise
        return None
    return next(iter(found), None)


def _tags(cloud: Cloud, names: Sequence[str]) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {name: {} for name in names}
    for start in range(0, len(names), _TAGS_AT_ONCE):
        answer = cloud.elb.describe_tags(LoadBalancerNames=list(names[start : start + _TAGS_AT_ONCE]))
        tags |= {one["LoadBalancerName"]: tags_of(one) for one in answer["TagDescriptions"]}
    return tags


def _of(cloud: Cloud, described: Any, tags: dict[str, str]) -> LoadBalancer:
    draining = _attributes(cloud, described["LoadBalancerName"])["ConnectionDraining"]
    return LoadBalancer(
        kind="classic",
        name=described["LoadBalancerName"],
        dns_name=described["DNSName"],
        zone_id=described.get("CanonicalHostedZoneNameID", ""),
        vpc_id=described.get("VPCId", ""),
        subnet_ids=tuple(sorted(described.get("Subnets", []))),
        group_ids=tuple(sorted(described.get("SecurityGroups", []))),
        check=health_check.of_classic(_check(described)),
        draining_seconds=draining.get("Timeout", 300) if draining["Enabled"] else 0,
        tags=tags,
    )


def _attributes(cloud: Cloud, name: str) -> Any:
    return cloud.elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]


def _create(cloud: Cloud, wanted: Wanted, ground: Ground) -> None:
    options: dict[str, Any] = {"Scheme": "internal"} if wanted.internal else {}
    cloud.elb.create_load_balancer(
        LoadBalancerName=wanted.name,
        Listeners=[_listener(one) for one in wanted.all_listeners],
        Subnets=list(ground.subnet_ids),
        SecurityGroups=list(lb_ground.groups_for(cloud, wanted, ground)),
        Tags=tag_list(wanted.all_tags),
        **options,
    )


def _check_fixed(found: Any, wanted: Wanted) -> None:
    if (found.get("Scheme") == "internal") != wanted.internal:
        raise LoadBalancerWrong(
            f"{wanted.name} is {found.get('Scheme')}, and AWS does not change that",
            f"delete it with `invoke lb.delete {wanted.name}`, or create one of another name",
        )


def _place_changes(cloud: Cloud, found: Any, wanted: Wanted, ground: Ground) -> Iterator[Change]:
    name, has = wanted.name, set(found.get("Subnets", []))
    if missing := sorted(set(ground.subnet_ids) - has):
        yield Change(
            f"attach {name} to {', '.join(missing)}",
            lambda: cloud.elb.attach_load_balancer_to_subnets(LoadBalancerName=name, Subnets=missing),
        )
    if surplus := sorted(has - set(ground.subnet_ids)):
        yield Change(
            f"detach {name} from {', '.join(surplus)}",
            lambda: cloud.elb.detach_load_balancer_from_subnets(LoadBalancerName=name, Subnets=surplus),
        )
    groups = lb_ground.groups_for(cloud, wanted, ground)
    if groups and set(groups) != set(found.get("SecurityGroups", [])):
        yield Change(
            f"give {name} the security groups {', '.join(groups)}",
            lambda: cloud.elb.apply_security_groups_to_load_balancer(
                LoadBalancerName=name, SecurityGroups=list(groups)
            ),
        )


def _listener_changes(cloud: Cloud, found: Any, wanted: Wanted) -> Iterator[Change]:
    has = {_read_listener(one["Listener"]) for one in found["ListenerDescriptions"]}
    shall = set(wanted.all_listeners)
    # A listener is not altered but replaced, and the port must be free first.
    if surplus := sorted(has - shall, key=str):
        yield Change(
            f"remove listener {', '.join(map(str, surplus))}",
            lambda: cloud.elb.delete_load_balancer_listeners(
                LoadBalancerName=wanted.name, LoadBalancerPorts=[one.port for one in surplus]
            ),
        )
    if missing := sorted(shall - has, key=str):
        yield Change(
            f"add listener {', '.join(map(str, missing))}",
            lambda: cloud.elb.create_load_balancer_listeners(
                LoadBalancerName=wanted.name, Listeners=[_listener(one) for one in missing]
            ),
        )


def _check_changes(cloud: Cloud, found: Any, wanted: Wanted) -> Iterator[Change]:
    has = health_check.of_classic(_check(found))
    if has != wanted.check:
        yield Change(
            f"check health by {wanted.check.described()}",
            lambda: cloud.elb.configure_health_check(
                LoadBalancerName=wanted.name, HealthCheck=health_check.classic_arguments(wanted.check)
            ),
        )


def _attribute_changes(cloud: Cloud, wanted: Wanted) -> Iterator[Change]:
    has = _attributes(cloud, wanted.name)
    shall: Any = {
        "ConnectionDraining": {"Enabled": True, "Timeout": wanted.draining_seconds},
        "CrossZoneLoadBalancing": {"Enabled": wanted.cross_zone},
    }
    said = {
        "ConnectionDraining": f"drain for {wanted.draining_seconds} s",
        "CrossZoneLoadBalancing": "balance across zones" if wanted.cross_zone else "balance within zones",
    }
    differing: Any = {key: value for key, value in shall.items() if {**has[key], **value} != has[key]}
    if differing:
        yield Change(
            ", ".join(said[key] for key in differing),
            lambda: cloud.elb.modify_load_balancer_attributes(
                LoadBalancerName=wanted.name, LoadBalancerAttributes=differing
            ),
        )


def _check(described: Any) -> Any:
    """The check; the one that AWS gives to begin with, where nothing is said of it yet."""
    port = described["ListenerDescriptions"][0]["Listener"]["InstancePort"]
    first = {"Target": f"TCP:{port}", "Interval": 30, "Timeout": 5}
    return described.get("HealthCheck") or {**first, "HealthyThreshold": 10, "UnhealthyThreshold": 2}


def _listener(one: Listener) -> Any:
    certificate = {"SSLCertificateId": one.certificate_arn} if one.certificate_arn else {}
    return {
        "Protocol": one.protocol,
        "LoadBalancerPort": one.port,
        "InstanceProtocol": one.node_protocol,
        "InstancePort": one.node_port,
        **certificate,
    }


def _read_listener(described: Any) -> Listener:
    return Listener(
        described["Protocol"].upper(),
        described["LoadBalancerPort"],
        described.get("InstanceProtocol", described["Protocol"]).upper(),
        described["InstancePort"],
        described.get("SSLCertificateId") or "",
    )
