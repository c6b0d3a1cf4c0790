"""Auto Scaling that acts: one loop over all groups, every second and whenever something changed.

What to do is decided by pure functions (`scaling_decisions`, `refresh`, `schedule`); this reads what there
is, asks them, and has their answers done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from localcloud import scaling_balancers as balancers
from localcloud import schedule
from localcloud.refresh import Turn, advance
from localcloud.scaling_activities import changed, sizes
from localcloud.scaling_decisions import decide
from localcloud.scaling_effects import perform
from localcloud.scaling_model import Member, Retire
from localcloud.scaling_records import book_of
from localcloud.scaling_view import RecordOf, active_refresh, group_view, member_view, suspended

# A member goes through several steps at once when nothing holds it: launched, put on hold, and so on.
_MOST_ROUNDS = 6
_HEALTH_EVERY_SECONDS = 5.0


class Scaling:
    """All Auto Scaling groups. `backends` gives moto's, `alarmed` the names of the alarms that ring."""

    def __init__(
        self,
        backends: Callable[[], Iterable[Any]],
        record_of: RecordOf,
        alarmed: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.lock = threading.RLock()
        self._backends = backends
        self._record_of = record_of
        self._alarmed = alarmed
        self._health_due = 0.0

    def tick(self, now: float) -> bool:
        """Bring every group a step nearer to what it should be. Returns whether anything was done."""
        with self.lock:
            check_health = now >= self._health_due
            if check_health:
                self._health_due = now + _HEALTH_EVERY_SECONDS
            acted, troubles = False, list[Exception]()
            for group in [one for backend in self._backends() for one in backend.autoscaling_groups.values()]:
                try:
                    acted |= self._turn(group, now, check_health=check_health)
                except Exception as why:  # noqa: BLE001 (the other groups must go on)
                    troubles.append(why)
            if troubles:
                raise troubles[0]
            return acted

    def _turn(self, group: Any, now: float, *, check_health: bool) -> bool:
        acted = _run_schedule(group, now)
        if check_health:
            check(group, self._record_of, now)
        return self.settle(group, now) or acted

    def settle(self, group: Any, now: float) -> bool:
        """Do what is to be done about one group now. Returns whether that was anything."""
        turn = self._refresh(group, now)
        if turn is not None and turn.retire:
            perform(group, [Retire(name, "refresh") for name in turn.retire], now)
        acted = bool(turn and turn.retire)
        for _ in range(_MOST_ROUNDS):
            actions = decide(group_view(group, now, turn.surge if turn else 0), self._members(group), now)
            if not actions:
                break
            perform(group, actions, now)
            acted = True
        _forget_reason(group)
        if book_of(group).deleting and not group.instance_states:
            group.autoscaling_backend.autoscaling_groups.pop(group.name, None)
        return acted

    def _members(self, group: Any) -> list[Member]:
        leaving = [one.instance.id for one in group.instance_states if one.lifecycle_state == "Terminating"]
        draining = frozenset(balancers.draining(group, leaving)) if leaving else frozenset[str]()
        return [member_view(one, self._record_of, draining) for one in group.instance_states]

    def _refresh(self, group: Any, now: float) -> Turn | None:
        refresh = active_refresh(group)
        if refresh is None or "InstanceRefresh" in suspended(group):
            return None
        turn = advance(refresh, self._members(group), int(group.desired_capacity), self._alarmed(), now)
        book = book_of(group)
        book.refreshes = [turn.refresh if one.id == refresh.id else one for one in book.refreshes]
        if turn.refresh.status == "Successful" and refresh.desired:
            adopt(group, refresh.desired)
        return turn


def check(group: Any, record_of: RecordOf, now: float) -> None:
    """Mark the members that the group's load balancers find unhealthy, once their grace period is over."""
    if "ELB" not in group.health_check_type or "HealthCheck" in suspended(group):
        return
    grace = float(group.health_check_grace_period or 0)
    old_enough = {
        one.instance.id: one
        for one in group.instance_states
        if one.lifecycle_state == "InService" and now - one.in_service >= grace
        if one.health_status == "Healthy" and record_of(one.instance.id) is not None
    }
    for name in balancers.unhealthy(group, list(old_enough)) if old_enough else ():
        old_enough[name].health_status, old_enough[name].unhealthy = "Unhealthy", "elb"


def resize(group: Any, desired: int, who: str, now: float) -> None:
    """Set a group's desired capacity, within its limits, and remember who did."""
    before = int(group.desired_capacity or 0)
    after = max(int(group.min_size), min(desired, int(group.max_size)))
    if after != before:
        group.desired_capacity = after
        book_of(group).reason = changed(now, who, before, after)


def adopt(group: Any, desired: dict[str, Any]) -> None:
    """Let a group launch from now on what a refresh has brought."""
    template = dict(desired.get("LaunchTemplate") or {})
    if "LaunchTemplateId" in template:
        template.pop("LaunchTemplateName", None)
    if template:
        group._set_launch_configuration("", template, None)


def _run_schedule(group: Any, now: float) -> bool:
    """Apply the scheduled actions whose time has come; one that happens once is gone then."""
    backend, acted = group.autoscaling_backend, False
    for name, action in list(backend.scheduled_actions.items()):
        if action.auto_scaling_group_name != group.name:
            continue
        plan = schedule.plan_of(action)
        marks = book_of(group).policy_marks
        since = marks.setdefault(f"scheduled/{name}", now)
        if not plan.due(since, now):
            marks[f"scheduled/{name}"] = now
            continue
        marks[f"scheduled/{name}"] = now
        if "ScheduledActions" not in suspended(group):
            _apply(group, action, now)
            acted = True
        if not plan.recurs:
            del backend.scheduled_actions[name]
    return acted


def _apply(group: Any, action: Any, now: float) -> None:
    group.min_size = group.min_size if action.min_size is None else int(action.min_size)
    group.max_size = group.max_size if action.max_size is None else int(action.max_size)
    wanted = group.desired_capacity if action.desired_capacity is None else int(action.desired_capacity)
    within = max(int(group.min_size), min(int(wanted), int(group.max_size)))
    limits = sizes(group.min_size, group.max_size, within)
    resize(group, within, f"a scheduled action update of {limits}", now)


def _forget_reason(group: Any) -> None:
    """Who changed the size last is why, until the size is reached."""
    book = book_of(group)
    if book.reason and sum(one.lifecycle_state == "InService" for one in group.instance_states) == int(
        group.desired_capacity
    ):
        book.reason = ""
