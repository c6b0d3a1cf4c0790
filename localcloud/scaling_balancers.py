"""A group's load balancers: its members put in and taken out, and what they say of their health."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

_DRAINING = "deregistration currently in progress"


def register(group: Any, ids: list[str]) -> None:
    """Put instances into all load balancers and target groups of a group."""
    backend = group.autoscaling_backend
    for name in _present(backend, group.load_balancer_names):
        there = set(backend.elb_backend.get_load_balancer(name).instance_ids)
        missing = [one for one in ids if one not in there]
        if missing:
            backend.elb_backend.register_instances(name, missing, from_autoscaling=True)
    for arn in _target_groups(group):
        missing = [one for one in ids if one not in backend.elbv2_backend.target_groups[arn].targets]
        if missing:
            backend.elbv2_backend.register_targets(arn, [{"Id": one} for one in missing])


def deregister(group: Any, ids: list[str]) -> None:
    """Take instances out of all load balancers and target groups of a group."""
    backend = group.autoscaling_backend
    for name in _present(backend, group.load_balancer_names):
        for ours in (True, False):  # one may have been registered by hand before it was attached
            there = [one for one in ids if one in backend.elb_backend.get_load_balancer(name).instance_ids]
            if there:
                backend.elb_backend.deregister_instances(name, there, from_autoscaling=ours)
    for arn in _target_groups(group):
        targets = backend.elbv2_backend.target_groups[arn].targets
        for one in ids:
            if one in targets:
                backend.elbv2_backend.deregister_targets(arn, [{"Id": one}])


def deregister_from(group: Any, names: Iterable[str], arns: Iterable[str]) -> None:
    """Take all members of a group out of some load balancers and target groups."""
    ids = [member.instance.id for member in group.instance_states]
    kept = group.load_balancer_names, group.target_group_arns
    group.load_balancer_names, group.target_group_arns = list(names), list(arns)
    try:
        deregister(group, ids)
    finally:
        group.load_balancer_names, group.target_group_arns = kept


def has_any(group: Any) -> bool:
    """Whether a group has load balancers."""
    return bool(group.load_balancer_names or group.target_group_arns)


def draining(group: Any, ids: list[str]) -> set[str]:
    """Which instances a load balancer still has connections to."""
    found: set[str] = set()
    backend = group.autoscaling_backend
    for name in _present(backend, group.load_balancer_names):
        for one in ids:
            found |= {one} if _drains_classic(backend, name, one) else set()
    for arn in _target_groups(group):
        health = backend.elbv2_backend.describe_target_health(arn, [{"Id": one} for one in ids])
        found |= {str(one.instance_id) for one in health if one.status == "draining"}
    return found & set(ids)


def unhealthy(group: Any, ids: list[str]) -> set[str]:
    """Which instances a load balancer finds unhealthy. Those it does not know yet, it has no opinion of."""
    found: set[str] = set()
    backend = group.autoscaling_backend
    for name in _present(backend, group.load_balancer_names):
        there = [one for one in ids if one in backend.elb_backend.get_load_balancer(name).instance_ids]
        health = backend.elb_backend.describe_instance_health(name, [{"InstanceId": one} for one in there])
        found |= {one["InstanceId"] for one in health if there and one["State"] == "OutOfService"}
    for arn in _target_groups(group):
        targets = backend.elbv2_backend.target_groups[arn].targets
        there = [one for one in ids if one in targets]
        if there:
            health = backend.elbv2_backend.describe_target_health(arn, [{"Id": one} for one in there])
            found |= {str(one.instance_id) for one in health if one.status == "unhealthy"}
    return found


def _drains_classic(backend: Any, name: str, instance_id: str) -> bool:
    with suppress(Exception):  # AWS, unlike moto, refuses to tell of an instance that is not registered
        for one in backend.elb_backend.describe_instance_health(name, [{"InstanceId": instance_id}]):
            if one["InstanceId"] == instance_id:
                return _DRAINING in str(one.get("Description", ""))
    return False


def _present(backend: Any, names: Iterable[str]) -> list[str]:
    """Load balancers can be deleted before the group."""
    return [name for name in names if backend.elb_backend.get_load_balancer(name) is not None]


def _target_groups(group: Any) -> list[str]:
    there = group.autoscaling_backend.elbv2_backend.target_groups
    return [arn for arn in group.target_group_arns if arn in there]
