"""What moto's records of application and network load balancers lack, and the health of their targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud import lb_health, lb_places, lb_v2
from localcloud.hooks import replace
from localcloud.lb_classic_api import Findings
from localcloud.lb_classic_records import Found
from localcloud.lb_health import Finding, Phase, Told
from localcloud.site import ACCOUNT, Site

_MODELS = "moto.elbv2.models"


def install(site: Site, found: Found, findings: Findings) -> None:
    """Complete what is recorded, and answer health from what the checks found."""
    replace(f"{_MODELS}:FakeLoadBalancer.__init__", lambda original: _born(original, site))
    replace(f"{_MODELS}:FakeLoadBalancer.activate", lambda original: _activated(original, findings))
    replace(f"{_MODELS}:ELBv2Backend.create_load_balancer", _created)
    replace(f"{_MODELS}:ELBv2Backend.delete_load_balancer", _deleted)
    replace(f"{_MODELS}:FakeTargetGroup.register", lambda original: _registered(original, found))
    replace(f"{_MODELS}:FakeTargetGroup.health_for", lambda _: _health_for(findings))
    replace(
        f"{_MODELS}:ELBv2Backend.describe_target_health", lambda original: _with_leaving(original, findings)
    )


def _born(original: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """A name in AWS's form, the VPC's default group where none is named, and a place in the VPC."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.scheme = self.scheme or "internet-facing"
        self.dns_name = lb_places.dns_name(self.name, self.type, site.region, self.scheme)
        self.canonical_hosted_zone_id = lb_places.HOSTED_ZONES.get(self.type, "")
        ec2 = _ec2(site.region)
        if self.type == "application" and not self.security_groups:
            self.security_groups = [ec2.get_default_security_group(self.vpc_id).id]
        if self.arn.split(":")[3] == site.region:
            lb_places.settle(site, self, self.subnets)

    return init


def _created(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let a network load balancer's ARN say what it is; CloudWatch's dimensions are its last part."""

    def create_load_balancer(self: Any, *args: Any, **kwargs: Any) -> Any:
        record = original(self, *args, **kwargs)
        if record.type == "network":
            before, record.arn = record.arn, record.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
            self.load_balancers[record.arn] = self.load_balancers.pop(before)
            self.tagging_service.copy_tags(before, record.arn)
            self.tagging_service.delete_all_tags_for_resource(before)
        return record

    return create_load_balancer


def _activated(original: Callable[..., Any], findings: Findings) -> Callable[..., Any]:
    """A load balancer is provisioning until it carries traffic."""

    def activate(self: Any) -> None:
        place = lb_places.place_of(self)
        if place is None or findings.runs(place.id):
            original(self)

    return activate


def _deleted(original: Callable[..., Any]) -> Callable[..., Any]:
    def delete_load_balancer(self: Any, arn: str) -> None:
        record = self.load_balancers.get(arn)
        original(self, arn)
        if record is not None:
            lb_places.leave(record, _ec2(self.region_name))
            for group in self.target_groups.values():
                group.load_balancer_arns = [one for one in group.load_balancer_arns if one != arn]

    return delete_load_balancer


def _registered(original: Callable[..., Any], found: Found) -> Callable[..., Any]:
    def register(self: Any, targets: list[dict[str, Any]]) -> None:
        from moto.elbv2.exceptions import ELBClientError

        ids = [target["Id"] for target in targets]
        missing = [one for one in ids if self.target_type == "instance" and found(one) is None]
        if missing:
            names = ", ".join(f"'{one}'" for one in missing)
            raise ELBClientError("InvalidTarget", f"The following targets do not exist: {names}")
        original(self, targets)

    return register


def _with_leaving(original: Callable[..., Any], findings: Findings) -> Callable[..., Any]:
    """Asked for all targets, tell also of those that drain."""

    def describe_target_health(self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> list[Any]:
        group = self.target_groups.get(target_group_arn)
        if targets or group is None:
            return list(original(self, target_group_arn, targets))
        place = _place_of_user(group)
        leaving = findings.leaving(place.id, group.name) if place else []
        ids = dict.fromkeys([*group.targets, *leaving])
        everything = [group.targets.get(one) or {"Id": one, "Port": group.port} for one in ids]
        return list(original(self, target_group_arn, everything)) if everything else []

    return describe_target_health


def _health_for(findings: Findings) -> Callable[..., Any]:
    def health_for(self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        from moto.elbv2.models import FakeHealthStatus

        recorded = self.targets.get(target["Id"], {})
        told = _told(self, target["Id"], ec2_backend, findings)
        port = recorded.get("Port") or target.get("Port") or self.port
        check_port = str(self.health_check_port or "traffic-port")
        return FakeHealthStatus(
            target["Id"],
            port,
            check_port if check_port.isdecimal() else str(port),
            told.state,
            told.reason or None,
            told.description or None,
        )

    return health_for


def _told(group: Any, target_id: str, ec2: Any, findings: Findings) -> Told:
    user = _user(group)
    place = lb_places.place_of(user)
    found = findings.finding(place.id, group.name, target_id) if place else None
    if target_id not in group.targets:
        return lb_health.TARGET_DRAINING if found is not None else lb_health.TARGET_NOT_REGISTERED
    if user is None:
        return lb_health.TARGET_NOT_IN_USE
    if group.target_type == "instance":
        instance = ec2.get_instance_by_id(target_id)
        state = instance.state if instance is not None else "terminated"
        if state != "running":
            return lb_health.target_not_running(state)
        if found is None and instance.placement.zone not in lb_v2.zones(user):
            return lb_health.TARGET_OTHER_ZONE
    return lb_health.target(found or Finding(Phase.REGISTERING))


def _user(group: Any) -> Any | None:
    """The load balancer that sends requests to a target group; there is one at most."""
    from moto.elbv2.models import elbv2_backends

    balancers = elbv2_backends[ACCOUNT][group.region_name].load_balancers.values()
    return next((one for one in list(balancers) if group.arn in lb_v2.used(one)), None)


def _place_of_user(group: Any) -> lb_places.Place | None:
    return lb_places.place_of(_user(group))


def _ec2(region: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][region]
