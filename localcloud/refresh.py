"""Instance refresh: how a group's instances are replaced, a few at a time. Pure; times are since 1970.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from localcloud.scaling_model import Member

_LONGEST_STANDSTILL_SECONDS = 3600.0
ACTIVE = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
ROLLING_BACK = "RollbackInProgress"


@dataclass(frozen=True)
class Preferences:
    """How to replace. `warmup` is resolved from the group's when the caller gave none."""

    min_healthy: int = 90
    max_healthy: int = 100
    warmup: float = 0.0
    skip_matching: bool = False
    auto_rollback: bool = False
    checkpoints: tuple[int, ...] = ()
    checkpoint_delay: float = 3600.0
    protected: str = "Wait"
    standby: str = "Wait"
    alarms: tuple[str, ...] = ()
    bake: float = 0.0


@dataclass(frozen=True)
class Refresh:
    """One refresh and how far it is. `old` are the instances that it replaces."""

    id: str
    group: str
    started: float
    preferences: Preferences = field(default_factory=Preferences)
    old: frozenset[str] = frozenset()
    desired: dict[str, Any] | None = None
    status: str = "Pending"
    reason: str = ""
    ended: float | None = None
    percent: int = 0
    left: int = 0
    passed: int = 0
    paused_until: float = 0.0
    baking_until: float = 0.0
    progressed: float = 0.0
    rollback: dict[str, Any] | None = None

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return self.status in ACTIVE

    @property
    def rolling_back(self) -> bool:
        """Whether it goes back to what was before."""
        return self.rollback is not None

    @property
    def mark(self) -> str:
        """What instances carry that it launches."""
        return f"{self.id}/back" if self.rolling_back else self.id


@dataclass(frozen=True)
class Turn:
    """What a refresh wants now: itself as it is then, how many more than desired, and who is to go."""

    refresh: Refresh
    surge: int = 0
    retire: tuple[str, ...] = ()


@dataclass(frozen=True)
class _View:
    """A group as a refresh sees it."""

    old: tuple[Member, ...]
    ready: tuple[Member, ...]
    serving_old: tuple[Member, ...]
    standby: tuple[Member, ...]
    counted: int
    desired: int


def advance(
    refresh: Refresh, members: Sequence[Member], desired: int, alarmed: Sequence[str], now: float
) -> Turn:
    """The refresh's next turn; `alarmed` are the alarms in state ALARM."""
    if refresh.status == "Cancelling":
        return Turn(ended(refresh, "Cancelled", now, "Cancelled due to user request."))
    rung = [name for name in refresh.preferences.alarms if name in alarmed]
    if rung and not refresh.rolling_back:
        return Turn(gone_wrong(refresh, members, now, f"Alarm(s) {', '.join(rung)} went into ALARM state."))
    view = _view(refresh, members, desired, now)
    measured = _measured(refresh, view, now)
    if not view.old and not view.standby and len(view.ready) >= desired:
        return Turn(_finished(measured, now))
    if now - measured.progressed > _LONGEST_STANDSTILL_SECONDS and not _paused(measured, now):
        return Turn(gone_wrong(measured, members, now, "Instance refresh made no progress for an hour."))
    return _replacing(measured, view, now)


def gone_wrong(refresh: Refresh, members: Sequence[Member], now: float, why: str) -> Refresh:
    """The refresh after something went wrong: rolled back when it may be, else failed."""
    if refresh.preferences.auto_rollback and not refresh.rolling_back:
        return rolled_back(refresh, members, now, why)
    return ended(refresh, "RollbackFailed" if refresh.rolling_back else "Failed", now, why)


def rolled_back(refresh: Refresh, members: Sequence[Member], now: float, why: str) -> Refresh:
    """The refresh on its way back: what it launched is replaced by what was before."""
    launched = frozenset(member.id for member in members if member.refresh == refresh.id)
    rollback = {
        "RollbackReason": why,
        "RollbackStartTime": now,
        "PercentageCompleteOnRollback": refresh.percent,
        "InstancesToUpdateOnRollback": refresh.left,
    }
    return replace(
        refresh, status=ROLLING_BACK, reason=why, old=launched, rollback=rollback, percent=0,
        left=len(launched), passed=0, paused_until=0.0, baking_until=0.0, progressed=now,
    )  # fmt: skip


def ended(refresh: Refresh, status: str, now: float, reason: str = "") -> Refresh:
    """The refresh at its end."""
    return replace(refresh, status=status, ended=now, reason=reason)


def _view(refresh: Refresh, members: Sequence[Member], desired: int, now: float) -> _View:
    wanted = refresh.preferences
    ours = [one for one in members if one.id in refresh.old]
    skipped = {one.id for one in ours if one.protected and wanted.protected == "Ignore"}
    old = tuple(one for one in ours if one.counts and one.id not in skipped)
    ready = tuple(
        one
        for one in members
        if one.state == "InService" and not one.unhealthy and not one.dead
        if one.id in skipped or (one.id not in refresh.old and now - one.in_service >= wanted.warmup)
    )
    standby = tuple(one for one in ours if one.state == "Standby" and wanted.standby != "Ignore")
    serving = tuple(one for one in old if one.state == "InService" and not one.unhealthy and not one.dead)
    return _View(old, ready, serving, standby, sum(one.counts for one in members), desired)


def _measured(refresh: Refresh, view: _View, now: float) -> Refresh:
    """The refresh with how far it has come; it is under way from its first turn on."""
    total = len(refresh.old)
    missing = max(0, view.desired - len(view.old) - len(view.ready))
    finished = max(0, total - len(view.old) - missing)
    percent = 100 * finished // total if total else 100
    status = "InProgress" if refresh.status == "Pending" else refresh.status
    progressed = now if percent > refresh.percent or not refresh.progressed else refresh.progressed
    return replace(
        refresh, status=status, percent=percent, left=len(view.old) + missing, progressed=progressed
    )


def _finished(refresh: Refresh, now: float) -> Refresh:
    if refresh.rolling_back:
        return ended(replace(refresh, percent=100, left=0), "RollbackSuccessful", now, refresh.reason)
    if refresh.preferences.bake and not refresh.baking_until:
        until = now + refresh.preferences.bake
        return replace(refresh, status="Baking", percent=100, left=0, baking_until=until)
    if now < refresh.baking_until:
        return refresh
    return ended(replace(refresh, percent=100, left=0), "Successful", now)


def _replacing(refresh: Refresh, view: _View, now: float) -> Turn:
    refresh = _at_checkpoint(refresh, now)
    if _paused(refresh, now):
        return Turn(refresh, surge=max(0, min(_room(refresh, view), view.counted - view.desired)))
    free = [one for one in view.old if not one.protected or refresh.preferences.protected == "Refresh"]
    # Those that do not serve anyway go first and cost nothing; pending ones would be launched for nothing.
    broken = [one for one in free if one not in view.serving_old]
    serving = sorted((one for one in free if one in view.serving_old), key=lambda one: (one.launched, one.id))
    may_go = max(0, len(view.serving_old) + len(view.ready) - _least(refresh, view))
    due = _due(refresh, view)
    going = [*broken, *serving[:may_go]][:due]
    if refresh.preferences.standby == "Terminate":
        going += view.standby
    reason = "" if going or free else "Waiting for instances in standby or protected from scale in."
    surge = min(_room(refresh, view), due - len([one for one in going if one.counts]))
    shown = replace(refresh, reason=reason) if not refresh.rolling_back else refresh
    return Turn(shown, max(0, surge), tuple(one.id for one in going))


def _due(refresh: Refresh, view: _View) -> int:
    """How many are still to be replaced until the next checkpoint, before which no others come."""
    marks, total = refresh.preferences.checkpoints, len(refresh.old)
    ahead = refresh.passed < len(marks) and not refresh.rolling_back
    mark = marks[refresh.passed] if ahead else 100
    return max(0, math.ceil(total * mark / 100) - (total - len(view.old)))


def _least(refresh: Refresh, view: _View) -> int:
    """How many must serve. Where nothing could ever be replaced by that, one at a time is."""
    least = math.ceil(view.desired * refresh.preferences.min_healthy / 100)
    return least if _room(refresh, view) else min(least, view.desired - 1)


def _room(refresh: Refresh, view: _View) -> int:
    """How many more than desired there may be."""
    if refresh.preferences.max_healthy <= 100:
        return 0
    return max(1, math.floor(view.desired * refresh.preferences.max_healthy / 100) - view.desired)


def _at_checkpoint(refresh: Refresh, now: float) -> Refresh:
    marks = refresh.preferences.checkpoints
    if refresh.rolling_back or refresh.passed >= len(marks) or refresh.percent < marks[refresh.passed]:
        return refresh
    until = now + refresh.preferences.checkpoint_delay
    return replace(refresh, passed=refresh.passed + 1, paused_until=until)


def _paused(refresh: Refresh, now: float) -> bool:
    return now < refresh.paused_until
