"""Application and network load balancers: moto's records of them as descriptions of what carries traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any

from localcloud.lb_classic import target_of
from localcloud.lb_model import Balancer, Check, Listener, Mode, Pool, Rule, Target
from localcloud.lb_places import place_of
from localcloud.lb_rules import action, rules

_IDLE_SECONDS = {"application": 60, "network": 350}
_CARRIED = ("HTTP", "HTTPS", "TCP", "TLS")


def described(record: Any, groups: Mapping[str, Any]) -> Balancer | None:
    """What a record describes, None when it has no place here. `groups` are all target groups by ARN."""
    place = place_of(record)
    if place is None or record.type not in _IDLE_SECONDS:
        return None
    names = {arn: group.name for arn, group in groups.items()}
    idle = record.attrs.get("idle_timeout.timeout_seconds") or _IDLE_SECONDS[record.type]
    open_to_all = record.type == "network" and not record.security_groups
    return Balancer(
        id=place.id,
        name=record.name,
        kind=record.type,
        address=place.address,
        dns_name=record.dns_name,
        listeners=tuple(_listener(one, names) for one in carried(record)),
        pools=tuple(_pool(record, groups[arn]) for arn in used(record) if arn in groups),
        groups=None if open_to_all else tuple(sorted(record.security_groups)),
        idle_seconds=int(idle),
        metric=record.arn.partition(":loadbalancer/")[2],
    )


def members(
    record: Any, groups: Mapping[str, Any], instances: Mapping[str, Any], balancers: Mapping[str, Any]
) -> dict[str, dict[str, Target | None]]:
    """Where the registered targets are, for each pool."""
    return {
        groups[arn].name: {
            target["Id"]: _target(record, groups[arn], target, instances, balancers)
            for target in list(groups[arn].targets.values())
        }
        for arn in used(record)
        if arn in groups
    }


def carried(record: Any) -> list[Any]:
    """The listeners whose protocol is carried here: UDP and QUIC are not."""
    return [one for one in list(record.listeners.values()) if one.protocol in _CARRIED]


def used(record: Any) -> list[str]:
    """The ARNs of the target groups that a load balancer's listeners send requests to."""
    actions = [
        one
        for listener in carried(record)
        for rule in [*listener.rules.values(), listener]
        for one in (rule.default_actions if rule is listener else rule.actions)
    ]
    return list(dict.fromkeys(arn for one in actions for arn in _groups_of(one)))


def zones(record: Any) -> tuple[str, ...]:
    """The zones that traffic is routed to."""
    return tuple(sorted({subnet.availability_zone for subnet in record.subnets}))


def across_zones(record: Any, group: Any) -> bool:
    """Whether zones share the requests: so for an application load balancer, unless its group says no."""
    wanted = str(group.attributes.get("load_balancing.cross_zone.enabled", "")).lower()
    if wanted in ("true", "false"):
        return wanted == "true"
    own = str(record.attrs.get("load_balancing.cross_zone.enabled", "false")).lower()
    return record.type == "application" or own == "true"


def _groups_of(one: Any) -> Iterator[str]:
    if one.type == "forward":
        config = one.data.get("ForwardConfig", {}).get("TargetGroups", [])
        yield from (group["TargetGroupArn"] for group in config)
        if not config:
            yield one.data["TargetGroupArn"]


def _listener(listener: Any, names: Mapping[str, str]) -> Listener:
    certificate = listener.certificate or "made"
    return Listener(
        port=int(listener.port),
        mode=_mode(listener.protocol),
        default=action(listener.default_actions, names),
        certificate=str(certificate) if listener.protocol in ("HTTPS", "TLS") else "",
        rules=tuple(_rules(listener, names)) if _mode(listener.protocol) == "http" else (),
    )


def _rules(listener: Any, names: Mapping[str, str]) -> Iterator[Rule]:
    return rules([rule for rule in listener.rules.values() if not rule.is_default], names)


def _mode(protocol: str) -> Mode:
    return "http" if protocol in ("HTTP", "HTTPS") else "tcp"


def _pool(record: Any, group: Any) -> Pool:
    least = group.attributes.get("load_balancing.algorithm.type") != "round_robin" or record.type == "network"
    return Pool(
        name=group.name,
        mode=_mode(str(group.protocol)),
        tls=group.protocol in ("HTTPS", "TLS"),
        check=_check(group),
        zones=() if across_zones(record, group) else zones(record),
        drain_seconds=int(group.attributes["deregistration_delay.timeout_seconds"]),
        balance="leastconn" if least else "roundrobin",
        metric=group.arn.rpartition(":")[2],
    )


def _check(group: Any) -> Check:
    port = str(group.health_check_port or "traffic-port")
    protocol = {"TLS": "SSL", "TCP_UDP": "TCP"}.get(group.health_check_protocol, group.health_check_protocol)
    return Check(
        protocol=protocol,
        port=int(port) if port.isdecimal() else 0,
        path=str(group.health_check_path or "/"),
        interval=int(group.health_check_interval_seconds),
        timeout=int(group.health_check_timeout_seconds),
        rise=int(group.healthy_threshold_count),
        fall=int(group.unhealthy_threshold_count),
        codes=str((getattr(group, "matcher", None) or {}).get("HttpCode", "200")),
    )


def _target(
    record: Any,
    group: Any,
    target: Mapping[str, Any],
    instances: Mapping[str, Any],
    balancers: Mapping[str, Any],
) -> Target | None:
    port = int(target["Port"] or group.port)
    if group.target_type == "ip":
        return Target(target["Id"], IPv4Address(target["Id"]), port, _zone_of(record, target["Id"]))
    if group.target_type == "alb":
        place = place_of(balancers.get(target["Id"]))
        return Target(target["Id"][-16:], place.address, port, zones(record)[0]) if place else None
    enabled = zones(record)
    instance = instances.get(target["Id"])
    if instance is not None and across_zones(record, group) and record.type == "network":
        enabled = (*enabled, instance.placement.zone)
    return target_of(instance, port, enabled)


def _zone_of(record: Any, address: str) -> str:
    for subnet in record.subnets:
        if ip_address(address) in subnet.cidr:
            return str(subnet.availability_zone)
    return zones(record)[0]
