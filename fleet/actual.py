"""A deployment as it is: all that carries its name, described in pages and few calls, and nothing changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet import (
    alarms,
    bucket,
    groups,
    launch_templates,
    lb,
    login_key,
    names_in_route53,
    roles,
    scaling_groups,
)
from fleet.ground import Ground
from fleet.load_balancer import LoadBalancer
from fleet.load_balancer import Wanted as WantedBalancer
from fleet.node import Node, described
from fleet.wanted import GROUP_OF_BALANCERS

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.balancing import Balancer
    from fleet.deployment import Deployment
    from fleet.groups import ActualGroup
    from fleet.launch_templates import ActualTemplate
    from fleet.names_in_route53 import ActualName
    from fleet.naming import Names
    from fleet.scaling_groups import ActualScaling
    from fleet.wanted import Wanted


@dataclass(frozen=True)
class Actual:
    """What there is. Everything is the deployment's own, but for the name's hosted zone."""

    nodes: tuple[Node, ...] = ()
    bucket: str = ""
    """The owned bucket's name where it is there."""
    sample: bool = False
    key: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    groups: dict[str, ActualGroup] = field(default_factory=dict)
    templates: dict[str, ActualTemplate] = field(default_factory=dict)
    scaling: dict[str, ActualScaling] = field(default_factory=dict)
    balancers: tuple[LoadBalancer, ...] = ()
    differing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a load balancer -> what of it is not as it is wanted."""
    name: ActualName | None = None
    alarms: dict[str, str] = field(default_factory=dict)

    def balancer(self, wanted: Balancer, names: Names) -> LoadBalancer | None:
        """The load balancer of a name in the file, where it is there and of the wanted type."""
        short = names.short(wanted.name)
        return next((one for one in self.balancers if (one.name, one.kind) == (short, wanted.kind)), None)

    def nodes_of(self, template: str) -> tuple[Node, ...]:
        """A template's plain nodes, those that no auto scaling group keeps."""
        return tuple(one for one in self.nodes if one.template == template and not one.group)


def describe(cloud: Cloud, wanted: Wanted) -> Actual:
    """Everything that a plan compares."""
    names, deployment = wanted.names, wanted.deployment
    templates = launch_templates.described(cloud, names.deployment)
    role_names = {one.name for one in wanted.roles} | {names.of(template) for template in templates}
    balancers = tuple(lb.ours(cloud, names.deployment))
    found = groups.described(cloud, names.deployment)
    owned = deployment.bucket and deployment.bucket.owned
    has_bucket = bool(owned) and bucket.owned(cloud, names.deployment, wanted.bucket)
    sample = deployment.bucket.sample if deployment.bucket else ""
    return Actual(
        nodes=described(cloud, names.deployment),
        bucket=wanted.bucket if has_bucket else "",
        sample=bool(has_bucket and sample) and bucket.has(cloud, wanted.bucket, sample),
        key=login_key.there(cloud, names),
        roles=roles.described(cloud, names.deployment, sorted(role_names)),
        groups=found,
        templates=templates,
        scaling=scaling_groups.described(cloud, names.deployment),
        balancers=balancers,
        differing=_differing(cloud, wanted, balancers, found),
        name=names_in_route53.described(cloud, names.deployment, deployment.dns) if deployment.dns else None,
        alarms=alarms.described(cloud, names),
    )


def owned(cloud: Cloud, deployment: Deployment, names: Names) -> Actual:
    """Everything that is there to be removed; the file says little more than the name."""
    templates = launch_templates.described(cloud, names.deployment)
    role_names = {names.of(one) for one in templates} | {names.of(one.name) for one in deployment.templates}
    held = ""
    if deployment.bucket and deployment.bucket.owned:
        name = Ground.known(cloud.account, cloud.region).filled(deployment.bucket.name, names.deployment)
        held = name if bucket.owned(cloud, names.deployment, name) else ""
    return Actual(
        nodes=described(cloud, names.deployment),
        bucket=held,
        key=login_key.any_half(cloud, names),
        roles=roles.described(cloud, names.deployment, sorted(role_names)),
        groups=groups.described(cloud, names.deployment),
        templates=templates,
        scaling=scaling_groups.described(cloud, names.deployment),
        balancers=tuple(lb.ours(cloud, names.deployment)),
        name=names_in_route53.described(cloud, names.deployment, deployment.dns) if deployment.dns else None,
        alarms=alarms.described(cloud, names),
    )


def wanted_balancer(wanted: Wanted, balancer: Balancer, found: dict[str, ActualGroup]) -> WantedBalancer:
    """A load balancer of the file as those who make it want it told."""
    group = found.get(wanted.names.of(GROUP_OF_BALANCERS))
    return WantedBalancer(
        kind=balancer.kind,
        name=wanted.names.short(balancer.name),
        check=balancer.check,
        listeners=balancer.listeners,
        subnet_ids=tuple(one.id for one in wanted.ground.subnets),
        group_ids=(group.id,) if group and balancer.kind != "network" else (),
        draining_seconds=balancer.draining_seconds,
        cross_zone=balancer.cross_zone,
        internal=balancer.internal,
        deployment=wanted.names.deployment,
        tags=dict(wanted.deployment.tags),
    )


def _differing(
    cloud: Cloud, wanted: Wanted, balancers: tuple[LoadBalancer, ...], found: dict[str, ActualGroup]
) -> dict[str, tuple[str, ...]]:
    there = {(one.name, one.kind) for one in balancers}
    shall = [wanted_balancer(wanted, one, found) for one in wanted.deployment.balancers]
    return {one.name: tuple(lb.plan(cloud, one)) for one in shall if (one.name, one.kind) in there}
