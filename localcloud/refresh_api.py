"""Auto Scaling's API, instance refresh: begun, watched, cancelled, rolled back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from localcloud.refresh import Preferences, Refresh, rolled_back
from localcloud.scaling_calls import ScalingCall, invalid, refusal
from localcloud.scaling_records import book_of
from localcloud.scaling_view import active_refresh, config_wanted, member_view, warmup_of

_KEPT = 100


class RefreshActions:
    """What begins, shows and ends refreshes; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float], record_of: Callable[[str], Any]) -> None:
        self._now = clock
        self._record_of = record_of

    def start_instance_refresh(self, call: ScalingCall) -> dict[str, Any]:
        """Begin to replace a group's instances."""
        group = call.group
        if call.text("Strategy") not in ("", "Rolling"):
            raise refusal("UnsupportedOperation", "The local cloud refreshes with strategy Rolling alone.")
        if active_refresh(group) is not None:
            raise refusal(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance"
                " Refresh.",
            )
        desired = call.get("DesiredConfiguration") or None
        wanted = _preferences(call.get("Preferences") or {}, warmup_of(group))
        _check_rollback(group, wanted, desired)
        target = config_wanted(group, desired).key
        old = frozenset(
            one.instance.id
            for one in group.instance_states
            if not one.lifecycle_state.startswith("Terminating")
            if not (wanted.skip_matching and one.config.key == target)
        )
        now = self._now()
        made = Refresh(str(uuid.uuid4()), group.name, now, wanted, old, desired, left=len(old))
        book = book_of(group)
        book.refreshes = [*book.refreshes, made][-_KEPT:]
        return {"InstanceRefreshId": made.id}

    @staticmethod
    def describe_instance_refreshes(call: ScalingCall) -> dict[str, Any]:
        """The refreshes of a group, newest first, in pages."""
        ids = call.get("InstanceRefreshIds", [])
        found = [one for one in reversed(book_of(call.group).refreshes) if not ids or one.id in ids]
        shown, token = call.page(found, 100)
        return {"InstanceRefreshes": [document(one) for one in shown], "NextToken": token}

    def cancel_instance_refresh(self, call: ScalingCall) -> dict[str, Any]:
        """Stop replacing; what was replaced stays."""
        refresh = _active(call)
        _put(call.group, replace(refresh, status="Cancelling"))
        return {"InstanceRefreshId": refresh.id}

    def rollback_instance_refresh(self, call: ScalingCall) -> dict[str, Any]:
        """Go back to what was before."""
        refresh, group = _active(call), call.group
        if refresh.desired is None:
            raise refusal(
                "IrreversibleInstanceRefresh",
                "The Instance Refresh does not have a desired configuration to roll back from.",
            )
        if refresh.rolling_back:
            raise invalid("The Instance Refresh is already being rolled back.")
        members = [member_view(one, self._record_of, frozenset()) for one in group.instance_states]
        _put(group, rolled_back(refresh, members, self._now(), "Rollback initiated by user request."))
        return {"InstanceRefreshId": refresh.id}


def document(refresh: Refresh) -> dict[str, Any]:
    """A refresh as AWS describes it."""
    shown = {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group,
        "Status": refresh.status,
        "StatusReason": refresh.reason or None,
        "StartTime": datetime.fromtimestamp(refresh.started, UTC),
        "EndTime": None if refresh.ended is None else datetime.fromtimestamp(refresh.ended, UTC),
        "PercentageComplete": refresh.percent,
        "InstancesToUpdate": refresh.left,
        "Preferences": _shown(refresh.preferences),
        "DesiredConfiguration": refresh.desired,
        "Strategy": "Rolling",
    }
    if refresh.rollback is not None:
        began = datetime.fromtimestamp(refresh.rollback["RollbackStartTime"], UTC)
        shown["RollbackDetails"] = {**refresh.rollback, "RollbackStartTime": began}
    return shown


def _preferences(given: dict[str, Any], warmup: float) -> Preferences:
    low, high = int(given.get("MinHealthyPercentage", 90)), int(given.get("MaxHealthyPercentage", 100))
    if not 0 <= low <= 100 or not 100 <= high <= 200:
        raise invalid("MinHealthyPercentage is 0 to 100, and MaxHealthyPercentage is 100 to 200.")
    if high - low > 100:
        raise invalid("The difference between MaxHealthyPercentage and MinHealthyPercentage is at most 100.")
    checkpoints = tuple(int(one) for one in given.get("CheckpointPercentages", []))
    if list(checkpoints) != sorted(set(checkpoints)) or any(not 1 <= one <= 100 for one in checkpoints):
        raise invalid("CheckpointPercentages must be ascending values from 1 to 100.")
    return Preferences(
        min_healthy=low,
        max_healthy=high,
        warmup=float(given.get("InstanceWarmup", warmup)),
        skip_matching=_flag(given, "SkipMatching"),
        auto_rollback=_flag(given, "AutoRollback"),
        checkpoints=checkpoints,
        checkpoint_delay=float(given.get("CheckpointDelay", 3600)),
        protected=str(given.get("ScaleInProtectedInstances", "Wait")),
        standby=str(given.get("StandbyInstances", "Wait")),
        alarms=tuple((given.get("AlarmSpecification") or {}).get("Alarms", [])),
        bake=float(given.get("BakeTime", 0)),
    )


def _shown(wanted: Preferences) -> dict[str, Any]:
    shown = {
        "MinHealthyPercentage": wanted.min_healthy,
        "MaxHealthyPercentage": wanted.max_healthy,
        "InstanceWarmup": int(wanted.warmup),
        "SkipMatching": wanted.skip_matching,
        "AutoRollback": wanted.auto_rollback,
        "ScaleInProtectedInstances": wanted.protected,
        "StandbyInstances": wanted.standby,
        "BakeTime": int(wanted.bake),
    }
    if wanted.checkpoints:
        shown |= {
            "CheckpointPercentages": list(wanted.checkpoints),
            "CheckpointDelay": int(wanted.checkpoint_delay),
        }
    if wanted.alarms:
        shown["AlarmSpecification"] = {"Alarms": list(wanted.alarms)}
    return shown


def _check_rollback(group: Any, wanted: Preferences, desired: dict[str, Any] | None) -> None:
    if not wanted.auto_rollback:
        return
    if desired is None:
        raise invalid("You must specify a desired configuration to use auto rollback.")
    version = (desired.get("LaunchTemplate") or {}).get("Version")
    moving = ("$Latest", "$Default", None)
    if version in moving or group.ec2_launch_template is None or group.launch_template_version in moving:
        raise invalid(
            "Auto rollback needs a launch template of which both the group and the desired configuration"
            " name a version by its number, not $Latest or $Default."
        )


def _active(call: ScalingCall) -> Refresh:
    refresh = active_refresh(call.group)
    if refresh is None:
        raise refusal(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group {call.group.name}",
        )
    return refresh


def _put(group: Any, refresh: Refresh) -> None:
    book = book_of(group)
    book.refreshes = [refresh if one.id == refresh.id else one for one in book.refreshes]


def _flag(given: dict[str, Any], name: str) -> bool:
    return str(given.get(name, "false")).lower() == "true"
