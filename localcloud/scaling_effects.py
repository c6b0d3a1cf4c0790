"""What Auto Scaling decided, done to moto's records and to the machines behind them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from localcloud import scaling_activities as told
from localcloud import scaling_balancers as balancers
from localcloud import scaling_launches as launches
from localcloud.scaling_activities import Activity
from localcloud.scaling_model import (
    ABANDON,
    LAUNCHING,
    Action,
    End,
    Forget,
    Hold,
    Launch,
    Retire,
    Serve,
    Wait,
)
from localcloud.scaling_records import GroupMember, book_of, ledger_of
from localcloud.scaling_view import active_refresh, config_wanted, hooks_of, member_of, suspended

_UNHEALTHY = ("dead", "elb", "user", "abandoned")
_CAME_TO_NOTHING = (
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {}"
)


def perform(group: Any, actions: Sequence[Action], now: float) -> None:
    """Do all that was decided about a group."""
    for act, same in groupby(actions):
        if isinstance(act, Launch):
            launch(group, act, len(list(same)), now)
        else:
            _DO[type(act)](group, act, now)


def launch(group: Any, wanted: Launch, count: int, now: float) -> None:
    """Launch instances in a zone; one that has no room is left alone for a while."""
    from moto.core.exceptions import ServiceException

    refresh = active_refresh(group)
    forward = refresh is not None and not refresh.rolling_back
    config = config_wanted(group, refresh.desired if refresh and forward else None)
    before = sum(one.lifecycle_state == "InService" for one in group.instance_states)
    owed = book_of(group).replacing
    causes = _causes(group, wanted, count, before, now)
    try:
        records = launches.run(group, config, wanted.zone, count)
    except ServiceException as why:
        book_of(group).refused(wanted.zone, now)
        book_of(group).replacing = owed
        _failed(group, config, wanted.zone, causes[0], why, now)
        return
    for record, cause in zip(records, causes, strict=True):
        protected = bool(group.new_instances_protected_from_scale_in)
        member = GroupMember(record, group, config, now, protected=protected)
        member.surplus = wanted.why == "balance"
        member.refresh = refresh.mark if refresh else ""
        group.instance_states.append(member)
        activity = note(group, f"Launching a new EC2 instance: {record.id}", cause, now, record)
        activity.goes_on("PreInService", 30)


def hold(group: Any, act: Hold, now: float) -> None:
    """Let a member wait for the hooks of a transition."""
    member = member_of(group, act.id)
    if member is None:
        return
    hooks = [hook for hook in hooks_of(group) if hook.transition == act.transition]
    member.waits = tuple(Wait.begun(hook, str(uuid.uuid4()), now) for hook in hooks)
    member.lifecycle_state = "Pending:Wait" if act.transition == LAUNCHING else "Terminating:Wait"
    _activity(group, act.id, lambda one: one.goes_on("MidLifecycleAction", 60))


def serve(group: Any, act: Serve, now: float) -> None:
    """Put a member into service and into the load balancers."""
    member = member_of(group, act.id)
    if member is None:
        return
    member.lifecycle_state, member.waits, member.in_service, member.surplus = "InService", (), now, False
    book_of(group).refusals.pop(member.availability_zone, None)
    if "AddToLoadBalancer" not in suspended(group):
        balancers.register(group, [act.id])
    _activity(group, act.id, lambda one: one.is_over("Successful", now))


def retire(group: Any, act: Retire, now: float) -> None:
    """Take a member out of service; its load balancers finish with it first."""
    member = member_of(group, act.id)
    if member is None:
        return
    if member.lifecycle_state.startswith("Pending"):
        message = _abandoned(member, now) if act.why == "abandoned" else _why_ended(member)
        _activity(group, act.id, lambda one: one.is_over("Cancelled", now, message))
    book = book_of(group)
    book.replacing += act.why in _UNHEALTHY
    counted = sum(one.lifecycle_state == "InService" for one in group.instance_states)
    cause = told.end_cause(
        now, act.why, act.id, book.reason, (counted, min(counted, int(group.desired_capacity)))
    )
    leave(group, member, cause, now)
    if act.why == "abandoned":
        end(group, End(act.id), now)


def leave(group: Any, member: GroupMember, cause: str, now: float) -> Activity:
    """Let a member go: out of the load balancers, then what its hooks want, then its end."""
    record = member.instance
    activity = note(group, f"Terminating EC2 instance: {record.id}", cause, now, record)
    member.lifecycle_state, member.waits, member.leaving_since = "Terminating", (), now
    if balancers.has_any(group):
        balancers.deregister(group, [record.id])
        activity.goes_on("WaitingForELBConnectionDraining", 50)
    return activity


def end(group: Any, act: End, _: float) -> None:
    """Terminate a member's instance, protected by EC2 or not."""
    member = member_of(group, act.id)
    if member is None:
        return
    member.lifecycle_state, member.waits = "Terminating:Proceed", ()
    _activity(group, act.id, lambda one: one.goes_on("InProgress", 60))
    record = member.instance
    if record.state in ("pending", "running", "stopping", "stopped"):
        record.disable_api_termination = False
        record.terminate()


def forget(group: Any, act: Forget, now: float) -> None:
    """Strike a member whose instance is gone."""
    member = member_of(group, act.id)
    if member is None:
        return
    group.instance_states.remove(member)
    balancers.deregister(group, [act.id])
    if not member.lifecycle_state.startswith("Pending"):
        _activity(group, act.id, lambda one: one.is_over("Successful", now))
        return
    # Another one there would most likely end in the same way, at once.
    book_of(group).refused(member.availability_zone, now)
    _activity(group, act.id, lambda one: one.is_over("Failed", now, _why_ended(member)))


_DO: dict[type, Callable[[Any, Any, float], None]] = {
    Hold: hold,
    Serve: serve,
    Retire: retire,
    End: end,
    Forget: forget,
}


def note(group: Any, description: str, cause: str, now: float, record: Any = None) -> Activity:
    """Begin an activity of a group."""
    details = told.place(record.placement.zone, str(record.subnet_id)) if record is not None else "{}"
    activity = Activity(group.name, group.arn, description, cause, now, details)
    activity.instance = record.id if record is not None else ""
    return ledger_of(group.autoscaling_backend).add(activity)


def complete(member: GroupMember, matches: Callable[[Wait], bool], result: str) -> bool:
    """Complete the lifecycle actions of a member that match. Returns whether any did."""
    found = [wait for wait in member.waits if matches(wait) and not wait.result]
    member.waits = tuple(replace(wait, result=result) if wait in found else wait for wait in member.waits)
    return bool(found)


def beat(member: GroupMember, matches: Callable[[Wait], bool], now: float) -> bool:
    """Lengthen the lifecycle actions of a member that match. Returns whether any did."""
    found = [wait for wait in member.waits if matches(wait) and not wait.outcome(now)]
    member.waits = tuple(wait.beaten(now) if wait in found else wait for wait in member.waits)
    return bool(found)


def _activity(group: Any, instance_id: str, change: Callable[[Activity], None]) -> None:
    activity = ledger_of(group.autoscaling_backend).last_of(instance_id)
    if activity is not None and activity.end is None:
        change(activity)


def _causes(group: Any, wanted: Launch, count: int, before: int, now: float) -> list[str]:
    if wanted.why == "balance":
        return [told.balance_cause(now, wanted.zone)] * count
    book = book_of(group)
    instead = min(book.replacing, count)
    book.replacing -= instead
    more = told.launch_cause(now, book.reason, before, max(before + 1, int(group.desired_capacity)))
    return [told.replacement_cause(now)] * instead + [more] * (count - instead)


def _failed(group: Any, config: Any, zone: str, cause: str, why: Any, now: float) -> None:
    others = [one for one in group.availability_zones if one != zone]
    kind = launches.type_of(group, config)
    message = told.no_capacity(str(why.code), str(why.message), kind, zone, others)
    activity = note(group, f"Launching a new EC2 instance.  Status Reason: {message}", cause, now)
    activity.details = told.place(zone, launches.subnet_in(group, zone))
    activity.is_over("Failed", now, message)


def _abandoned(member: GroupMember, now: float) -> str:
    for wait in member.waits:
        if wait.outcome(now) == ABANDON:
            how = "Lifecycle Action Completed with ABANDON Result" if wait.result else "Heartbeat Timeout"
            return (
                "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token"
                f" {wait.token} was abandoned: {how}"
            )
    return ""


def _why_ended(member: GroupMember) -> str:
    return _CAME_TO_NOTHING.format(member.instance.state_reason.message)
