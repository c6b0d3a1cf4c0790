"""moto's Auto Scaling groups as the decisions see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.refresh import Refresh
from localcloud.scaling_model import Group, Hook, Member
from localcloud.scaling_records import Config, GroupMember, book_of

RecordOf = Callable[[str], Any]
"""The record of an instance, None when EC2 has forgotten it."""


def group_view(group: Any, now: float, surge: int = 0) -> Group:
    """A group as it should be."""
    book = book_of(group)
    return Group(
        name=group.name,
        desired=int(group.desired_capacity or 0),
        minimum=int(group.min_size or 0),
        maximum=int(group.max_size or 0),
        zones=tuple(dict.fromkeys(group.availability_zones)),
        config=config_of(group).key,
        hooks=hooks_of(group),
        suspended=suspended(group),
        policies=tuple(group.termination_policies),
        closed=book.closed(now),
        surge=surge,
        refreshing=active_refresh(group) is not None,
        deleting=book.deleting,
    )


def member_view(member: GroupMember, record_of: RecordOf, draining: frozenset[str]) -> Member:
    """A member as it is. One whose instance EC2 has forgotten is terminated."""
    record: Any = member.instance
    return Member(
        id=record.id,
        zone=member.availability_zone,
        state=member.lifecycle_state,
        launched=member.launched,
        machine=record.state if record_of(record.id) is record else "terminated",
        unhealthy=(member.unhealthy or "user") if member.health_status == "Unhealthy" else "",
        protected=bool(member.protected_from_scale_in),
        config=member.config.key,
        in_service=member.in_service,
        waits=member.waits,
        draining=record.id in draining,
        surplus=member.surplus,
        refresh=member.refresh,
    )


def config_of(group: Any) -> Config:
    """What a group launches from now, with the version that its name for one stands for."""
    template = group.ec2_launch_template
    if template is None:
        return Config(configuration=group.launch_configuration_name)
    return Config(template.id, template.name, str(template.get_version(group.launch_template_version).number))


def config_wanted(group: Any, desired: dict[str, Any] | None) -> Config:
    """What a refresh launches from: its own launch template when it names one, else the group's."""
    wanted = (desired or {}).get("LaunchTemplate")
    if not wanted:
        return config_of(group)
    if "LaunchTemplateId" in wanted:
        template = group.ec2_backend.get_launch_template(wanted["LaunchTemplateId"])
    else:
        template = group.ec2_backend.get_launch_template_by_name(wanted["LaunchTemplateName"])
    version = template.get_version(wanted.get("Version") or "$Default")
    return Config(template.id, template.name, str(version.number))


def hooks_of(group: Any) -> tuple[Hook, ...]:
    """A group's lifecycle hooks."""
    return tuple(
        Hook(hook.name, hook.lifecycle_transition, float(hook.heartbeat_timeout), hook.default_result)
        for hook in group.autoscaling_backend.lifecycle_hooks.values()
        if hook.auto_scaling_group_name == group.name
    )


def suspended(group: Any) -> frozenset[str]:
    """The processes of a group that are suspended."""
    return frozenset(process["ProcessName"] for process in group.suspended_processes)


def active_refresh(group: Any) -> Refresh | None:
    """The refresh under way, if there is one."""
    return next((one for one in reversed(book_of(group).refreshes) if one.active), None)


def warmup_of(group: Any) -> float:
    """How long a new instance is left to warm up, in seconds, where nothing else is said."""
    warmup = book_of(group).warmup
    return float(group.health_check_grace_period or 0) if warmup is None else float(warmup)


def member_of(group: Any, instance_id: str) -> GroupMember | None:
    """A group's member by its instance."""
    return next((one for one in group.instance_states if one.instance.id == instance_id), None)
