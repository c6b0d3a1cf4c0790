"""Auto Scaling's API, groups: made, changed, deleted, sized; their zones, limits and load balancers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud import scaling_balancers as balancers
from localcloud.scaling import resize
from localcloud.scaling_activities import changed, sizes
from localcloud.scaling_calls import ScalingCall, invalid, refusal
from localcloud.scaling_records import book_of

_IN_SERVICE = "InService"


class GroupActions:
    """What changes groups; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock

    def create_auto_scaling_group(self, call: ScalingCall) -> None:
        """Make a group, with its first hooks; the loop launches what it wants."""
        name = call.text("AutoScalingGroupName")
        if name in call.backend.autoscaling_groups:
            raise refusal(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
            )
        low, high = call.number("MinSize") or 0, call.number("MaxSize") or 0
        given = call.number("DesiredCapacity")
        desired = low if given is None else given
        _check_sizes(low, high, desired)
        _check_balancers(call)
        group = call.backend.create_auto_scaling_group(**self._made_of(call, low, high, desired))
        # moto takes a grace period of none for one that was not given.
        group.health_check_grace_period = call.number("HealthCheckGracePeriod") or 0
        _put_first_hooks(call, name)
        book = book_of(group)
        book.warmup = call.number("DefaultInstanceWarmup")
        who = "a user request created an AutoScalingGroup"
        book.reason = changed(self._now(), who, 0, desired) if desired else ""

    def update_auto_scaling_group(self, call: ScalingCall) -> None:
        """Change a group. A desired capacity outside of new limits follows them."""
        group = call.group
        low, high = _given(call, "MinSize", group.min_size), _given(call, "MaxSize", group.max_size)
        given = call.number("DesiredCapacity")
        desired = max(low, min(int(group.desired_capacity), high)) if given is None else given
        _check_sizes(low, high, desired)
        before = int(group.desired_capacity)
        call.backend.update_auto_scaling_group(**self._changed(call, group, low, high, desired))
        for name, attribute in (
            ("DefaultCooldown", "default_cooldown"),
            ("TerminationPolicies", "termination_policies"),
            ("PlacementGroup", "placement_group"),
        ):
            if call.get(name) is not None:
                setattr(group, attribute, call.get(name))
        book = book_of(group)
        book.warmup = _warmup(call, book.warmup)
        book.refusals.clear()
        if desired != before:
            who = f"a user request update of {sizes(low, high, desired)}"
            book.reason = changed(self._now(), who, before, desired)

    def delete_auto_scaling_group(self, call: ScalingCall) -> None:
        """Delete a group: an empty one, or by force one with all its instances."""
        group = call.group
        force = call.flag("ForceDelete")
        if group.instance_states and not force:
            raise refusal(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance"
                " request(s) still in the group.",
            )
        book_of(group).deleting = True
        group.status = "Delete in progress"
        for hooks in (call.backend.lifecycle_hooks, call.backend.policies, call.backend.scheduled_actions):
            for name, one in list(hooks.items()):
                if one.auto_scaling_group_name == group.name:
                    del hooks[name]
        if not group.instance_states:
            del call.backend.autoscaling_groups[group.name]

    def set_desired_capacity(self, call: ScalingCall) -> None:
        """Change how many instances there are to be."""
        group = call.group
        desired = call.number("DesiredCapacity") or 0
        for wrong, side, limit in (
            (desired > int(group.max_size), "above max", group.max_size),
            (desired < int(group.min_size), "below min", group.min_size),
        ):
            if wrong:
                raise invalid(
                    f"New SetDesiredCapacity value {desired} is {side} value {limit} for the"
                    " AutoScalingGroup."
                )
        if call.flag("HonorCooldown") and self._now() < book_of(group).cooling_until:
            raise refusal(
                "ScalingActivityInProgress",
                f"Scaling activity is in progress, or cooldown is in effect, for {group.name}",
            )
        resize(group, desired, "a user request explicitly set group desired capacity", self._now())

    def attach_load_balancers(self, call: ScalingCall) -> dict[str, Any]:
        """Put a group's instances into classic load balancers."""
        _check_balancers(call)
        names = [*call.group.load_balancer_names, *call.get("LoadBalancerNames", [])]
        call.group.load_balancer_names = list(dict.fromkeys(names))
        balancers.register(call.group, _serving(call.group))
        return {}

    def detach_load_balancers(self, call: ScalingCall) -> dict[str, Any]:
        """Take a group's instances out of classic load balancers."""
        gone = call.get("LoadBalancerNames", [])
        balancers.deregister_from(call.group, gone, ())
        call.group.load_balancer_names = [one for one in call.group.load_balancer_names if one not in gone]
        return {}

    def attach_load_balancer_target_groups(self, call: ScalingCall) -> dict[str, Any]:
        """Put a group's instances into target groups."""
        _check_balancers(call)
        arns = [*call.group.target_group_arns, *call.get("TargetGroupARNs", [])]
        call.group.target_group_arns = list(dict.fromkeys(arns))
        balancers.register(call.group, _serving(call.group))
        return {}

    def detach_load_balancer_target_groups(self, call: ScalingCall) -> dict[str, Any]:
        """Take a group's instances out of target groups."""
        gone = call.get("TargetGroupARNs", [])
        balancers.deregister_from(call.group, (), gone)
        call.group.target_group_arns = [one for one in call.group.target_group_arns if one not in gone]
        return {}

    @staticmethod
    def put_warm_pool(_: ScalingCall) -> None:
        """Warm pools are not part of this cloud."""
        raise refusal("UnsupportedOperation", "The local cloud has no warm pools.")

    @staticmethod
    def _made_of(call: ScalingCall, low: int, high: int, desired: int) -> dict[str, Any]:
        return {
            "name": call.text("AutoScalingGroupName"),
            "availability_zones": call.get("AvailabilityZones", []),
            "desired_capacity": desired,
            "max_size": high,
            "min_size": low,
            "instance_id": call.get("InstanceId"),
            "launch_config_name": call.get("LaunchConfigurationName"),
            "launch_template": call.get("LaunchTemplate", {}),
            "mixed_instances_policy": call.get("MixedInstancesPolicy"),
            "vpc_zone_identifier": call.get("VPCZoneIdentifier"),
            "default_cooldown": call.number("DefaultCooldown"),
            "health_check_period": call.number("HealthCheckGracePeriod"),
            "health_check_type": call.get("HealthCheckType"),
            "load_balancers": call.get("LoadBalancerNames", []),
            "target_group_arns": call.get("TargetGroupARNs", []),
            "placement_group": call.get("PlacementGroup"),
            "termination_policies": call.get("TerminationPolicies", []),
            "tags": call.get("Tags", []),
            "capacity_rebalance": call.flag("CapacityRebalance"),
            "new_instances_protected_from_scale_in": call.flag("NewInstancesProtectedFromScaleIn"),
        }

    @staticmethod
    def _changed(call: ScalingCall, group: Any, low: int, high: int, desired: int) -> dict[str, Any]:
        protected = call.get("NewInstancesProtectedFromScaleIn")
        return {
            "name": group.name,
            "availability_zones": call.get("AvailabilityZones", []),
            "desired_capacity": desired,
            "max_size": high,
            "min_size": low,
            "launch_config_name": call.get("LaunchConfigurationName"),
            "launch_template": call.get("LaunchTemplate", {}),
            "vpc_zone_identifier": call.get("VPCZoneIdentifier"),
            "health_check_period": call.number("HealthCheckGracePeriod"),
            "health_check_type": call.get("HealthCheckType"),
            "new_instances_protected_from_scale_in": protected,
            "mixed_instances_policy": call.get("MixedInstancesPolicy", group.mixed_instances_policy),
        }


def _check_sizes(low: int, high: int, desired: int) -> None:
    if low > high:
        raise invalid(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if not low <= desired <= high:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )


def _check_balancers(call: ScalingCall) -> None:
    for name in call.get("LoadBalancerNames", []):
        if call.backend.elb_backend.get_load_balancer(name) is None:
            raise invalid("Provided Load Balancers may not be valid. Please ensure they exist and try again.")
    for arn in call.get("TargetGroupARNs", []):
        if arn not in call.backend.elbv2_backend.target_groups:
            raise invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.")


def _put_first_hooks(call: ScalingCall, group: str) -> None:
    for hook in call.get("LifecycleHookSpecificationList", []):
        call.backend.create_lifecycle_hook(
            name=hook["LifecycleHookName"],
            as_name=group,
            transition=hook["LifecycleTransition"],
            timeout=hook.get("HeartbeatTimeout"),
            result=hook.get("DefaultResult"),
        )


def _given(call: ScalingCall, name: str, otherwise: Any) -> int:
    value = call.number(name)
    return int(otherwise or 0) if value is None else value


def _warmup(call: ScalingCall, now: int | None) -> int | None:
    given = call.number("DefaultInstanceWarmup")
    if given is None:
        return now
    return None if given == -1 else given  # AWS takes -1 for "none again"


def _serving(group: Any) -> list[str]:
    return [one.instance.id for one in group.instance_states if one.lifecycle_state == _IN_SERVICE]
