"""Scaling policies: put with the alarms that they need, and acted upon when those ring."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any

from localcloud import tracking
from localcloud.hooks import replace
from localcloud.scaling import resize
from localcloud.scaling_calls import ScalingCall, invalid
from localcloud.scaling_records import book_of
from localcloud.scaling_view import suspended, warmup_of
from localcloud.tracking import Capacity, Step

_TRACKING, _STEPPING = "TargetTrackingScaling", "StepScaling"
_PREDEFINED = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization", "Average"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn", "Average"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut", "Average"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum"),
}


class PolicyActions:
    """The API of policies. moto keeps them by name alone; two groups may have one of the same name each."""

    def __init__(self, clock: Callable[[], float], alarms: Callable[[], Any]) -> None:
        self._now = clock
        self._alarms = alarms

    def put_scaling_policy(self, call: ScalingCall) -> dict[str, Any]:
        """Make or change a policy, with its alarms when it tracks a target."""
        group, name, kind = call.group, call.text("PolicyName"), call.text("PolicyType") or "SimpleScaling"
        if kind not in (_TRACKING, _STEPPING, "SimpleScaling"):
            raise invalid(f"The local cloud has no policies of type {kind}.")
        wanted = call.get("TargetTrackingConfiguration") or {}
        metric = metric_of(group, wanted) if kind == _TRACKING else None
        self._drop_alarms(call.backend.policies.get(_key(group.name, name)))
        policy = call.backend.put_scaling_policy(
            name=name,
            policy_type=kind,
            metric_aggregation_type=call.get("MetricAggregationType"),
            adjustment_type=call.get("AdjustmentType"),
            as_name=group.name,
            min_adjustment_magnitude=call.get("MinAdjustmentMagnitude"),
            scaling_adjustment=call.number("ScalingAdjustment"),
            cooldown=call.number("Cooldown"),
            target_tracking_config=wanted,
            step_adjustments=call.get("StepAdjustments", []),
            estimated_instance_warmup=call.get("EstimatedInstanceWarmup"),
            predictive_scaling_configuration={},
        )
        call.backend.policies[_key(group.name, name)] = call.backend.policies.pop(name)
        policy.alarms = self._put_alarms(policy, metric, wanted) if metric else []
        return {"PolicyARN": policy.arn, "Alarms": policy.alarms}

    def delete_policy(self, call: ScalingCall) -> None:
        """Remove a policy and its alarms."""
        key, policy = _find(call)
        self._drop_alarms(policy)
        del call.backend.policies[key]

    def execute_policy(self, call: ScalingCall) -> None:
        """Do what a simple or step policy says, without an alarm."""
        _, policy = _find(call)
        if policy.policy_type == _TRACKING:
            raise invalid("You cannot execute a target tracking policy.")
        group = call.backend.autoscaling_groups[policy.auto_scaling_group_name]
        beyond = float(call.get("MetricValue", 0)) - float(call.get("BreachThreshold", 0))
        cause = f"a user request executed policy {policy.name}"
        _step(group, policy, beyond, cause, self._now(), honor=call.flag("HonorCooldown"))

    def _put_alarms(
        self, policy: Any, metric: dict[str, Any], wanted: dict[str, Any]
    ) -> list[dict[str, str]]:
        target = float(wanted["TargetValue"])
        kinds = [("AlarmHigh", "GreaterThanThreshold", target, tracking.HIGH_PERIODS)]
        if str(wanted.get("DisableScaleIn", "false")).lower() != "true":
            kinds.append(("AlarmLow", "LessThanThreshold", target * tracking.LOW_SHARE, tracking.LOW_PERIODS))
        made = []
        for kind, comparison, threshold, periods in kinds:
            alarm = self._alarms().put_metric_alarm(
                name=f"TargetTracking-{policy.auto_scaling_group_name}-{kind}-{uuid.uuid4()}",
                comparison_operator=comparison,
                evaluation_periods=periods,
                period=tracking.PERIOD_SECONDS,
                threshold=threshold,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
                alarm_actions=[policy.arn],
                **metric,
            )
            made.append({"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn})
        return made

    def _drop_alarms(self, policy: Any | None) -> None:
        names = [one["AlarmName"] for one in getattr(policy, "alarms", [])]
        self._alarms().delete_alarms(names)


def install() -> None:
    """Let scheduled actions of different groups have the same name, as policies can."""

    def wrap_put(original: Callable[..., Any]) -> Callable[..., Any]:
        def put(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            action = original(self, name, *args, **kwargs)
            del self.scheduled_actions[action.scheduled_action_name]
            self.scheduled_actions[_key(name, action.scheduled_action_name)] = action
            return action

        return put

    def wrap_delete(original: Callable[..., Any]) -> Callable[..., Any]:
        def delete(self: Any, auto_scaling_group_name: str, scheduled_action_name: str) -> None:
            original(self, auto_scaling_group_name, scheduled_action_name)
            self.scheduled_actions.pop(_key(auto_scaling_group_name, scheduled_action_name), None)

        return delete

    backend = "moto.autoscaling.models:AutoScalingBackend"
    replace(f"{backend}.put_scheduled_update_group_action", wrap_put)
    replace(f"{backend}.delete_scheduled_action", wrap_delete)


def follow_alarm(backend: Any, alarm: Any, arn: str, value: float, now: float) -> None:
    """Do what the policy of an ARN says about a metric's value, if there is such a policy."""
    policy = next((one for one in list(backend.policies.values()) if one.arn == arn), None)
    group = backend.autoscaling_groups.get(policy.auto_scaling_group_name) if policy else None
    if policy is None or group is None or "AlarmNotification" in suspended(group):
        return
    cause = f"a monitor alarm {alarm.name} in state {alarm.state_value} triggered policy {policy.name}"
    if policy.policy_type == _TRACKING:
        _track(group, policy, alarm, value, cause, now)
    elif alarm.state_value == "ALARM" or policy.policy_type == "SimpleScaling":
        _step(group, policy, value - float(alarm.threshold), cause, now, honor=True)


def metric_of(group: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """The metric that a target tracking policy looks at, as an alarm takes it."""
    own = wanted.get("CustomizedMetricSpecification")
    if own:
        if "MetricName" not in own:
            raise invalid("The local cloud tracks one metric, not an expression of several.")
        return {
            "namespace": own["Namespace"], "metric_name": own["MetricName"],
            "statistic": own.get("Statistic", "Average"), "dimensions": own.get("Dimensions", []),
            "unit": own.get("Unit"),
        }  # fmt: skip
    known = wanted.get("PredefinedMetricSpecification") or {}
    kind = known.get("PredefinedMetricType", "")
    if kind not in _PREDEFINED:
        raise invalid(f"Unknown predefined metric type {kind}.")
    namespace, name, statistic = _PREDEFINED[kind]
    return {
        "namespace": namespace, "metric_name": name, "statistic": statistic,
        "dimensions": _dimensions(group, kind, str(known.get("ResourceLabel", ""))),
    }  # fmt: skip


def capacity_of(group: Any, warmup: float, now: float) -> Capacity:
    """A group's capacity as policies count it."""
    serving = [one for one in group.instance_states if one.lifecycle_state == "InService"]
    ready = sum(now - one.in_service >= warmup for one in serving)
    arriving = sum(one.lifecycle_state.startswith("Pending") for one in group.instance_states)
    desired, warming = int(group.desired_capacity), len(serving) - ready + arriving
    missing = max(0, desired - ready - warming)  # asked for, not launched yet
    return Capacity(desired, int(group.min_size), int(group.max_size), ready, warming + missing)


def _dimensions(group: Any, kind: str, label: str) -> list[dict[str, str]]:
    if kind != "ALBRequestCountPerTarget":
        return [{"Name": "AutoScalingGroupName", "Value": group.name}]
    balancer, _, target = label.partition("/targetgroup/")
    if not target:
        raise invalid("ResourceLabel must be of the form app/my-alb/id/targetgroup/my-group/id.")
    return [
        {"Name": "TargetGroup", "Value": f"targetgroup/{target}"},
        {"Name": "LoadBalancer", "Value": balancer},
    ]


def _track(group: Any, policy: Any, alarm: Any, value: float, cause: str, now: float) -> None:
    wanted = vars(policy.target_tracking_configuration)
    scale_in = alarm.comparison_operator.startswith("LessThan")
    marks = book_of(group).policy_marks
    if alarm.state_value != "ALARM" or (scale_in and now < marks.get(_TRACKING, 0.0)):
        return
    capacity = capacity_of(group, _warmup(group, policy), now)
    size = tracking.tracked(capacity, value, float(wanted["TargetValue"]), scale_in=scale_in)
    if size != capacity.desired:
        resize(group, size, cause, now)
        # After a step down the metric needs as long as the policy's view of it is, to be of the new size.
        marks[_TRACKING] = now + float(group.default_cooldown)


def _step(group: Any, policy: Any, beyond: float, cause: str, now: float, *, honor: bool) -> None:
    book, kind = book_of(group), str(policy.adjustment_type)
    least = int(policy.min_adjustment_magnitude) if policy.min_adjustment_magnitude else None
    capacity = capacity_of(group, _warmup(group, policy), now)
    if policy.policy_type == _STEPPING:
        steps = [_step_of(one) for one in policy.step_adjustments]
        size = tracking.stepped(capacity, steps, beyond, kind, least)
    elif honor and now < book.cooling_until:
        return
    else:
        size = tracking.adjusted(capacity.desired, int(policy.scaling_adjustment or 0), kind, least)
        cooldown = group.default_cooldown if policy.cooldown is None else policy.cooldown
        book.cooling_until = now + float(cooldown)
    resize(group, size, cause, now)


def _step_of(given: dict[str, Any]) -> Step:
    return Step(
        int(given["ScalingAdjustment"]),
        float(given.get("MetricIntervalLowerBound", -math.inf)),
        float(given.get("MetricIntervalUpperBound", math.inf)),
    )


def _warmup(group: Any, policy: Any) -> float:
    given = policy.estimated_instance_warmup
    return warmup_of(group) if given is None else float(given)


def _key(group: str, name: str) -> str:
    return f"{group}/{name}"


def _find(call: ScalingCall) -> tuple[str, Any]:
    """A policy by its ARN, or by its name and, where that is given, its group's."""
    wanted, group = call.text("PolicyName"), call.text("AutoScalingGroupName")
    for key, policy in call.backend.policies.items():
        if policy.arn == wanted or (policy.name == wanted and group in ("", policy.auto_scaling_group_name)):
            return key, policy
    raise invalid(f"No scaling policy found with name or ARN {wanted}.")
