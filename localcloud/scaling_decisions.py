"""What Auto Scaling does next about a group. Pure: the same group at the same time gets the same answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from localcloud.scaling_model import (
    ABANDON,
    CONTINUE,
    LAUNCHING,
    TERMINATING,
    Action,
    End,
    Forget,
    Group,
    Hold,
    Launch,
    Member,
    Retire,
    Serve,
    Wait,
)

_HOUR_SECONDS = 3600.0


def decide(group: Group, members: Sequence[Member], now: float) -> tuple[Action, ...]:
    """What is to be done about a group now: first about each member, then about their number."""
    steps = [action for member in members if (action := step(group, member, now))]
    leaving = {one.id for one in steps if isinstance(one, Retire | Forget | End)}
    counted = [member for member in members if member.counts and member.id not in leaving]
    # Where one has just failed to come up, another would most likely fail at once.
    failed = {one.id for one in steps if isinstance(one, Forget)}
    shut = {member.zone for member in members if member.id in failed and member.pending}
    return (*steps, *size(replace(group, closed=group.closed | shut), counted, members, now))


def step(group: Group, member: Member, now: float) -> Action | None:
    """The next step of one member, None when it can stay as it is."""
    decider = _STEPS.get(member.state)
    return decider(group, member, now) if decider else None


def size(
    group: Group, counted: Sequence[Member], members: Sequence[Member], now: float
) -> tuple[Action, ...]:
    """What brings the number of members, and their spread over the zones, to what is wanted."""
    wanted = 0 if group.deleting else group.desired + group.surge
    if len(counted) < wanted:
        return tuple(Launch(zone) for zone in _places(group, counted, wanted - len(counted)))
    if len(counted) > wanted:
        why = "deleted" if group.deleting else "size"
        return tuple(Retire(one.id, why) for one in victims(group, counted, len(counted) - wanted, now))
    return _balance(group, counted, members)


def victims(group: Group, counted: Sequence[Member], number: int, now: float) -> tuple[Member, ...]:
    """The members that a scale-in takes: from the fullest zone, by the policies, never a protected one."""
    if "Terminate" in group.suspended and not group.deleting:
        return ()
    left, chosen = list(counted), list[Member]()
    while len(chosen) < number:
        free = [member for member in left if group.deleting or not member.protected]
        if not free:
            break
        pool = _fullest(group, left, free)
        first = min(pool, key=lambda member: _rank(group, member, now))
        left.remove(first)
        chosen.append(first)
    return tuple(chosen)


def outcome(waits: Iterable[Wait], now: float) -> str:
    """What several hooks came to: ABANDON at the first one's, CONTINUE when all did, else empty."""
    results = [wait.outcome(now) for wait in waits]
    if ABANDON in results:
        return ABANDON
    return CONTINUE if all(results) else ""


def _pending(group: Group, member: Member, _: float) -> Action | None:
    if lost := _lost(group, member):
        return lost
    if group.hooks_of(LAUNCHING):
        return Hold(member.id, LAUNCHING)
    return Serve(member.id) if member.machine == "running" else None


def _held(group: Group, member: Member, now: float) -> Action | None:
    if lost := _lost(group, member):
        return lost
    result = outcome(member.waits, now)
    if result == ABANDON:
        return Retire(member.id, "abandoned")
    return Serve(member.id) if result == CONTINUE and member.machine == "running" else None


def _lost(group: Group, member: Member) -> Action | None:
    """What becomes of a member that never will come into service."""
    if member.machine == "terminated":
        return Forget(member.id)
    if group.deleting:
        return Retire(member.id, "deleted")
    return Retire(member.id, "dead") if member.dead else None


def _serving(group: Group, member: Member, _: float) -> Action | None:
    if group.deleting:
        return Retire(member.id, "deleted")
    if group.suspended & {"ReplaceUnhealthy", "Terminate"}:
        return None
    if member.dead and "HealthCheck" not in group.suspended:
        return Retire(member.id, "dead")
    return Retire(member.id, member.unhealthy) if member.unhealthy else None


def _leaving(group: Group, member: Member, _: float) -> Action | None:
    if member.dead:
        return End(member.id)
    if member.draining and not group.deleting:
        return None
    if group.hooks_of(TERMINATING) and not group.deleting:
        return Hold(member.id, TERMINATING)
    return End(member.id)


def _held_back(group: Group, member: Member, now: float) -> Action | None:
    over = member.dead or group.deleting or outcome(member.waits, now)
    return End(member.id) if over else None


def _ending(_: Group, member: Member, __: float) -> Action | None:
    return Forget(member.id) if member.machine == "terminated" else None


def _standing_by(group: Group, member: Member, _: float) -> Action | None:
    if group.deleting:
        return Retire(member.id, "deleted")
    return Forget(member.id) if member.machine == "terminated" else None


_STEPS: dict[str, Callable[[Group, Member, float], Action | None]] = {
    "Pending": _pending,
    "Pending:Wait": _held,
    "InService": _serving,
    "Standby": _standing_by,
    "Terminating": _leaving,
    "Terminating:Wait": _held_back,
    "Terminating:Proceed": _ending,
}


def _places(group: Group, counted: Iterable[Member], number: int) -> list[str]:
    """Zones for new instances: each into the emptiest of those that have not just refused."""
    if "Launch" in group.suspended:
        return []
    filled = Counter(member.zone for member in counted)
    chosen: list[str] = []
    open_zones = [zone for zone in group.zones if zone not in group.closed]
    for _ in range(number if open_zones else 0):
        zone = min(open_zones, key=lambda one: filled[one])
        filled[zone] += 1
        chosen.append(zone)
    return sorted(chosen, key=open_zones.index)


def _balance(group: Group, counted: Sequence[Member], members: Sequence[Member]) -> tuple[Action, ...]:
    """Launch where there are too few before ending where there are too many."""
    off = group.suspended & {"AZRebalance", "Launch", "Terminate"} or group.deleting or group.refreshing
    open_zones = [zone for zone in group.zones if zone not in group.closed]
    settled = all(one.state in ("InService", "Standby") for one in members)
    if off or not open_zones or not settled or not counted:
        return ()
    filled = Counter(member.zone for member in counted)
    emptiest = min(open_zones, key=lambda zone: filled[zone])
    too_full = max(filled.values()) - filled[emptiest] > 1
    elsewhere = any(zone not in group.zones for zone in filled)
    movable = any(not one.protected for one in counted)
    return (Launch(emptiest, "balance"),) if (too_full or elsewhere) and movable else ()


def _fullest(group: Group, left: Sequence[Member], free: Sequence[Member]) -> list[Member]:
    elsewhere = [member for member in free if member.zone not in group.zones]
    if elsewhere:
        return elsewhere
    filled = Counter(member.zone for member in left)
    most = max(filled[member.zone] for member in free)
    return [member for member in free if filled[member.zone] == most]


def _rank(group: Group, member: Member, now: float) -> tuple[Any, ...]:
    """Where a member stands in the line of those to end, by the group's policies in their order."""
    current = member.config == group.config
    left_of_hour = _HOUR_SECONDS - (now - member.launched) % _HOUR_SECONDS
    ranks: dict[str, tuple[Any, ...]] = {
        "Default": (current, left_of_hour),
        "AllocationStrategy": (),
        "OldestLaunchTemplate": (current,),
        "OldestLaunchConfiguration": (current,),
        "ClosestToNextInstanceHour": (left_of_hour,),
        "OldestInstance": (member.launched,),
        "NewestInstance": (-member.launched,),
    }
    by_policy = (part for policy in group.policies for part in ranks.get(policy, ()))
    return (*by_policy, member.launched, member.id)
