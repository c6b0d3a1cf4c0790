"""Auto Scaling's API, instances: their lifecycle actions, health, standby, ends; and the activities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud import scaling_balancers as balancers
from localcloud.scaling_activities import Activity, place, stamp
from localcloud.scaling_calls import ScalingCall, invalid, refusal
from localcloud.scaling_effects import beat, complete, leave, note
from localcloud.scaling_model import ABANDON, CONTINUE, LAUNCHING, TERMINATING, Wait
from localcloud.scaling_records import GroupMember, ledger_of
from localcloud.scaling_view import config_of

_NAME_TAG = "aws:autoscaling:groupName"


class MemberActions:
    """What changes groups' instances; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock

    @staticmethod
    def describe_scaling_activities(call: ScalingCall) -> dict[str, Any]:
        """The activities, newest first, in pages."""
        name = call.text("AutoScalingGroupName")
        if name and not call.flag("IncludeDeletedGroups"):
            call.group  # noqa: B018 (refuses a group that is not there)
        found = ledger_of(call.backend).of(name, call.get("ActivityIds", []))
        shown, token = call.page(found, 100)
        return {"Activities": [one.document() for one in shown], "NextToken": token}

    @staticmethod
    def describe_auto_scaling_instances(call: ScalingCall) -> dict[str, Any]:
        """The instances of all groups, in pages."""
        found = call.backend.describe_auto_scaling_instances(call.get("InstanceIds", []))
        shown, token = call.page(found, 50)
        return {"AutoScalingInstances": shown, "NextToken": token}

    @staticmethod
    def put_lifecycle_hook(call: ScalingCall) -> dict[str, Any]:
        """Make a hook, or change one."""
        group, name = call.group, call.text("LifecycleHookName")
        known = call.backend.lifecycle_hooks.get(f"{group.name}_{name}")
        transition = call.text("LifecycleTransition") or getattr(known, "lifecycle_transition", "")
        timeout = call.number("HeartbeatTimeout") or int(getattr(known, "heartbeat_timeout", 3600))
        result = call.text("DefaultResult") or getattr(known, "default_result", ABANDON)
        if transition not in (LAUNCHING, TERMINATING):
            raise invalid(f"LifecycleTransition {transition} is not valid")
        if not 30 <= timeout <= 7200:
            raise invalid("Heartbeat timeout must be between 30 and 7200 seconds")
        if result not in (CONTINUE, ABANDON):
            raise invalid("Lifecycle Action Default Result must be one of CONTINUE, ABANDON")
        hook = call.backend.create_lifecycle_hook(name, group.name, transition, timeout, result)
        hook.role_arn, hook.notification_target_arn = call.get("RoleARN"), call.get("NotificationTargetARN")
        hook.notification_metadata = call.get("NotificationMetadata")
        return {}

    @staticmethod
    def complete_lifecycle_action(call: ScalingCall) -> dict[str, Any]:
        """Let an instance that waits go on, or give it up."""
        result = call.text("LifecycleActionResult")
        if result not in (CONTINUE, ABANDON):
            raise invalid("Lifecycle Action Result must be one of CONTINUE, ABANDON")
        member, matches = _waiting(call)
        if not complete(member, matches, result):
            raise _no_action(call)
        return {}

    def record_lifecycle_action_heartbeat(self, call: ScalingCall) -> dict[str, Any]:
        """Give an instance that waits more time."""
        member, matches = _waiting(call)
        if not beat(member, matches, self._now()):
            raise _no_action(call)
        return {}

    def set_instance_health(self, call: ScalingCall) -> None:
        """Tell of an instance that it is healthy or not."""
        group, member = call.member(call.text("InstanceId"))
        status = call.text("HealthStatus")
        if status not in ("Healthy", "Unhealthy"):
            raise invalid("Valid instance health states are: [Healthy, Unhealthy].")
        respects = call.get("ShouldRespectGracePeriod")
        young = self._now() - member.in_service < float(group.health_check_grace_period or 0)
        if status == "Unhealthy" and young and str(respects).lower() != "false":
            return
        member.health_status, member.unhealthy = status, "user" if status == "Unhealthy" else ""

    def terminate_instance_in_auto_scaling_group(self, call: ScalingCall) -> dict[str, Any]:
        """Let an instance go, and the group shrink by it or not."""
        group, member = call.member(call.text("InstanceId"))
        now, name = self._now(), member.instance.id
        cause = f"{stamp(now)}instance {name} was taken out of service in response to a user request"
        before = int(group.desired_capacity)
        if member.lifecycle_state.startswith("Terminating"):
            raise refusal("ScalingActivityInProgress", f"Instance {name} is already being terminated.")
        if call.flag("ShouldDecrementDesiredCapacity"):
            if before <= int(group.min_size):
                raise invalid(
                    f"Currently, desiredSize equals minSize ({before}). Terminating instance without"
                    " replacement will violate group's min size constraint. Either set"
                    " shouldDecrementDesiredCapacity flag to false or lower group's min size."
                )
            group.desired_capacity = before - 1
            cause += f", shrinking the capacity from {before} to {before - 1}"
        return {"Activity": leave(group, member, f"{cause}.", now).document()}

    def enter_standby(self, call: ScalingCall) -> dict[str, Any]:
        """Take instances out of service for a while."""
        group, members = call.group, call.members(call.group)
        for member in members:
            if member.lifecycle_state != "InService":
                raise invalid(f"The instance {member.instance.id} is not in InService.")
        before = int(group.desired_capacity)
        if call.flag("ShouldDecrementDesiredCapacity"):
            _shrink(group, len(members), "place into standby")
        told = []
        for number, member in enumerate(members):
            balancers.deregister(group, [member.instance.id])
            member.lifecycle_state = "Standby"
            cause = self._shrunk("moved to standby", member, before, number, call)
            text = f"Moving EC2 instance to Standby: {member.instance.id}"
            told.append(self._over(group, text, cause, member))
        return {"Activities": told}

    def exit_standby(self, call: ScalingCall) -> dict[str, Any]:
        """Put instances back into service."""
        group, members = call.group, call.members(call.group)
        before = int(group.desired_capacity)
        if before + len(members) > int(group.max_size):
            raise _sizes_forbid(group, f"move {len(members)} instance(s) out of standby")
        told = []
        for number, member in enumerate(members):
            if member.lifecycle_state != "Standby":
                raise invalid(f"The instance {member.instance.id} is not in Standby.")
            member.lifecycle_state, member.in_service = "InService", self._now()
            balancers.register(group, [member.instance.id])
            cause = (
                f"{stamp(self._now())}instance {member.instance.id} was moved out of standby in response to a"
                f" user request, increasing the capacity from {before + number} to {before + number + 1}."
            )
            text = f"Moving EC2 instance out of Standby: {member.instance.id}"
            told.append(self._over(group, text, cause, member))
        group.desired_capacity = before + len(members)
        return {"Activities": told}

    def attach_instances(self, call: ScalingCall) -> None:
        """Make running instances members; the group grows by them."""
        group, ids = call.group, call.get("InstanceIds", [])
        if int(group.desired_capacity) + len(ids) > int(group.max_size):
            raise _sizes_forbid(group, f"attach {len(ids)} more instance(s)")
        for instance_id in ids:
            record = group.ec2_backend.get_instance(instance_id)
            if record.state != "running" or getattr(record, "autoscaling_group", None) is not None:
                raise invalid(f"Instance {instance_id} is not in correct state.")
            protected = bool(group.new_instances_protected_from_scale_in)
            member = GroupMember(record, group, config_of(group), self._now(), protected=protected)
            member.lifecycle_state, member.in_service = "InService", self._now()
            group.instance_states.append(member)
            group.ec2_backend.create_tags([instance_id], {_NAME_TAG: group.name})
            cause = f"{stamp(self._now())}an instance was attached in response to a user request."
            self._over(group, f"Attaching an existing EC2 instance: {instance_id}", cause, member)
        balancers.register(group, ids)
        group.desired_capacity = int(group.desired_capacity) + len(ids)

    def detach_instances(self, call: ScalingCall) -> dict[str, Any]:
        """Let instances live on outside of their group."""
        group, members = call.group, call.members(call.group)
        before = int(group.desired_capacity)
        if call.flag("ShouldDecrementDesiredCapacity"):
            _shrink(group, len(members), "detach")
        told = []
        for number, member in enumerate(members):
            record = member.instance
            group.instance_states.remove(member)
            balancers.deregister(group, [record.id])
            group.ec2_backend.delete_tags([record.id], {_NAME_TAG: group.name})
            record.autoscaling_group = None
            cause = self._shrunk("detached", member, before, number, call)
            told.append(self._over(group, f"Detaching EC2 instance: {record.id}", cause, member))
        return {"Activities": told}

    def _shrunk(self, what: str, member: GroupMember, before: int, number: int, call: ScalingCall) -> str:
        text = f"{stamp(self._now())}instance {member.instance.id} was {what} in response to a user request"
        if call.flag("ShouldDecrementDesiredCapacity"):
            text += f", shrinking the capacity from {before - number} to {before - number - 1}"
        return f"{text}."

    def _over(self, group: Any, text: str, cause: str, member: GroupMember) -> dict[str, Any]:
        record = member.instance
        activity: Activity = note(group, text, cause, self._now())
        activity.details = place(record.placement.zone, str(record.subnet_id))
        activity.is_over("Successful", self._now())
        return activity.document()


def _waiting(call: ScalingCall) -> tuple[GroupMember, Callable[[Wait], bool]]:
    """The member whose lifecycle action the call names, by token or by instance."""
    group, hook = call.group, call.text("LifecycleHookName")
    if f"{group.name}_{hook}" not in call.backend.lifecycle_hooks:
        raise invalid(f"No Lifecycle Hook found with name: {hook}")
    token, instance_id = call.text("LifecycleActionToken"), call.text("InstanceId")

    def matches(wait: Wait) -> bool:
        return wait.hook == hook and (wait.token == token if token else True)

    for member in group.instance_states:
        if (not instance_id or member.instance.id == instance_id) and any(map(matches, member.waits)):
            return member, matches
    raise _no_action(call)


def _no_action(call: ScalingCall) -> Exception:
    token = call.text("LifecycleActionToken")
    which = f"token {token}" if token else f"instance ID {call.text('InstanceId')}"
    return invalid(f"No active Lifecycle Action found with {which}")


def _shrink(group: Any, number: int, what: str) -> None:
    desired = int(group.desired_capacity)
    if desired - number < int(group.min_size):
        raise _sizes_forbid(group, f"{what} {number} instance(s)")
    group.desired_capacity = desired - number


def _sizes_forbid(group: Any, what: str) -> Exception:
    return invalid(
        f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and"
        f" desired-size={group.desired_capacity}. To {what}, please update the AutoScalingGroup sizes"
        " appropriately."
    )
