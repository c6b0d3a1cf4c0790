"""Auto scaling groups of a deployment: one for each server template that [scaling] names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aws.patience import Patience, wait_for
from fleet.naming import DEPLOYMENT, DIGEST, TEMPLATE, Names, digest

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.launch_templates import ActualTemplate
    from fleet.load_balancer import LoadBalancer
    from fleet.scaling_rules import Scaling
    from fleet.wanted import Kind, Wanted

LAUNCHING = "amibake-boot"
# A boot takes seconds, ten minutes at the longest; the node extends it by its heartbeat while it boots.
_BOOT_SECONDS = 600
_EMPTY = Patience(delay_seconds=2, budget_seconds=3600)


@dataclass(frozen=True)
class ActualScaling:
    """An auto scaling group as it is."""

    name: str
    template: str
    digest: str
    least: int
    most: int
    desired: int
    ids: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    """Names of classic load balancers and ARNs of target groups."""
    grace_seconds: int = 0


def described(cloud: Cloud, deployment: str) -> dict[str, ActualScaling]:
    """The deployment's groups, by the name of their server template."""
    filters: Any = [{"Name": f"tag:{DEPLOYMENT}", "Values": [deployment]}]
    pages = cloud.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(Filters=filters)
    found = [_actual(one) for page in pages for one in page["AutoScalingGroups"]]
    return {one.template: one for one in found}


def digest_of(kind: Kind, wanted: Wanted) -> str:
    """Stands for everything that decides how a kind is scaled."""
    content = {
        "scaling": asdict(kind.scaling) if kind.scaling else None,
        "kind": kind.digest,
        "subnets": [one.id for one in wanted.ground.subnets],
        "balancers": [(one.name, one.kind) for one in wanted.balancers_of(kind)],
    }
    return digest(json.dumps(content, sort_keys=True))


def put(
    cloud: Cloud,
    wanted: Wanted,
    kind: Kind,
    template: ActualTemplate,
    balancers: Sequence[LoadBalancer],
    there: ActualScaling | None,
    desired: int,
    grace_seconds: int,
) -> None:
    """Make a group as it is wanted; its digest is written last, so that what was cut short is done again."""
    scaling, name = _scaling(kind), wanted.names.of(kind.name)
    settings = {
        **_settings(wanted, kind, scaling, template, balancers),
        "HealthCheckGracePeriod": scaling.grace_seconds or grace_seconds,
    }
    if there is None:
        cloud.autoscaling.create_auto_scaling_group(
            **settings,
            DesiredCapacity=max(scaling.least, min(desired, scaling.most)),
            Tags=_tags(name, {**wanted.tags, TEMPLATE: kind.name, DIGEST: ""}),
            LifecycleHookSpecificationList=_hooks(),
            **_attached(balancers),
        )
    else:
        cloud.autoscaling.update_auto_scaling_group(**settings)
        _attach(cloud, name, _attached(balancers))
    _rules(cloud, name, scaling, balancers)
    cloud.autoscaling.create_or_update_tags(Tags=_tags(name, {DIGEST: digest_of(kind, wanted)}))


def detach(cloud: Cloud, template: str, names: Names, balancers: Iterable[LoadBalancer]) -> None:
    """Have a template's group put its nodes behind these load balancers no more; those it has drain."""
    group = described(cloud, names.deployment)[template]
    loose = [one for one in balancers if {one.name, one.target_group_arn} & {*group.behind}]
    attached = _attached(loose)
    if classic := attached["LoadBalancerNames"]:
        cloud.autoscaling.detach_load_balancers(AutoScalingGroupName=group.name, LoadBalancerNames=classic)
    if groups := attached["TargetGroupARNs"]:
        cloud.autoscaling.detach_load_balancer_target_groups(
            AutoScalingGroupName=group.name, TargetGroupARNs=groups
        )


def resize(cloud: Cloud, name: str, count: int) -> None:
    """Ask for so many nodes, within the group's limits."""
    cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=count)


def remove(cloud: Cloud, name: str, *, at_once: bool = False) -> None:
    """Delete a group; its nodes are drained and ended first, unless it is to go at once."""
    if not at_once:
        cloud.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0
        )

        def look() -> bool | None:
            (one,) = cloud.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
                "AutoScalingGroups"
            ]
            return not one["Instances"] or None

        wait_for(f"{name}: letting its nodes go", look, _EMPTY)
    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def _scaling(kind: Kind) -> Scaling:
    if kind.scaling is None:
        raise AssertionError(f"{kind.name} is not scaled")
    return kind.scaling


def _settings(
    wanted: Wanted,
    kind: Kind,
    scaling: Scaling,
    template: ActualTemplate,
    balancers: Sequence[LoadBalancer],
) -> dict[str, Any]:
    return {
        "AutoScalingGroupName": wanted.names.of(kind.name),
        # A version by its number: an instance refresh cannot go back from `$Latest`.
        "LaunchTemplate": {"LaunchTemplateId": template.id, "Version": str(template.version)},
        "MinSize": scaling.least,
        "MaxSize": scaling.most,
        "VPCZoneIdentifier": ",".join(one.id for one in wanted.ground.subnets),
        "HealthCheckType": "ELB" if balancers else "EC2",
        "DefaultInstanceWarmup": scaling.warm_up_seconds,
        "NewInstancesProtectedFromScaleIn": scaling.protected,
    }


def _attached(balancers: Sequence[LoadBalancer]) -> dict[str, Any]:
    return {
        "LoadBalancerNames": [one.name for one in balancers if one.kind == "classic"],
        "TargetGroupARNs": [one.target_group_arn for one in balancers if one.kind != "classic"],
    }


def _attach(cloud: Cloud, name: str, attached: Mapping[str, Any]) -> None:
    if classic := attached["LoadBalancerNames"]:
        cloud.autoscaling.attach_load_balancers(AutoScalingGroupName=name, LoadBalancerNames=classic)
    if groups := attached["TargetGroupARNs"]:
        cloud.autoscaling.attach_load_balancer_target_groups(
            AutoScalingGroupName=name, TargetGroupARNs=groups
        )


def _hooks() -> Any:
    """A node completes its boot itself, and comes into service only then.

    There is none for the end: the group takes a node out of its load balancers, and lets it drain, before it
    terminates it; the node's own farewell is a part of its shutdown.
    """
    return [
        {
            "LifecycleHookName": LAUNCHING,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "HeartbeatTimeout": _BOOT_SECONDS,
            "DefaultResult": "ABANDON",
        },
    ]


def _rules(cloud: Cloud, name: str, scaling: Scaling, balancers: Sequence[LoadBalancer]) -> None:
    cloud.autoscaling.put_scaling_policy(
        AutoScalingGroupName=name,
        PolicyName="amibake-target",
        PolicyType="TargetTrackingScaling",
        EstimatedInstanceWarmup=scaling.warm_up_seconds,
        TargetTrackingConfiguration=_target(scaling, balancers),
    )
    found = cloud.autoscaling.describe_scheduled_actions(AutoScalingGroupName=name)
    names = {one.name for one in scaling.schedule}
    for old in found["ScheduledUpdateGroupActions"]:
        if old["ScheduledActionName"] not in names:
            cloud.autoscaling.delete_scheduled_action(
                AutoScalingGroupName=name, ScheduledActionName=old["ScheduledActionName"]
            )
    for one in scaling.schedule:
        cloud.autoscaling.put_scheduled_update_group_action(
            AutoScalingGroupName=name,
            ScheduledActionName=one.name,
            Recurrence=one.cron,
            MinSize=one.least,
            MaxSize=one.most,
        )


def _target(scaling: Scaling, balancers: Sequence[LoadBalancer]) -> Any:
    if scaling.target_cpu_percent:
        metric: dict[str, str] = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
        return {"PredefinedMetricSpecification": metric, "TargetValue": float(scaling.target_cpu_percent)}
    counting = next(one for one in balancers if one.kind == "application")
    load_balancer = counting.arn.partition("loadbalancer/")[2]
    group = counting.target_group_arn.rpartition(":")[2]
    metric = {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": f"{load_balancer}/{group}",
    }
    return {"PredefinedMetricSpecification": metric, "TargetValue": float(scaling.requests_per_target)}


def _tags(name: str, tags: Mapping[str, str]) -> list[Any]:
    # The digest is the group's alone: its nodes have their own from the launch template.
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": key in (DEPLOYMENT, TEMPLATE),
        }
        for key, value in tags.items()
    ]


def _actual(described: Any) -> ActualScaling:
    tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    return ActualScaling(
        name=described["AutoScalingGroupName"],
        template=tags.get(TEMPLATE, ""),
        digest=tags.get(DIGEST, ""),
        least=described["MinSize"],
        most=described["MaxSize"],
        desired=described["DesiredCapacity"],
        ids=tuple(one["InstanceId"] for one in described["Instances"]),
        grace_seconds=described.get("HealthCheckGracePeriod", 0),
        behind=(*described.get("LoadBalancerNames", ()), *described.get("TargetGroupARNs", ())),
    )
