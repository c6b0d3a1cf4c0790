"""Instances that are taken away on demand, as EC2 takes spot instances: told first, ended later.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Callable
from typing import Any

from localcloud.roster import Roster

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_ACTIONS = ("terminate", "stop")
_REASONS = {
    "terminate": ("Server.SpotInstanceTermination", "Spot instance termination"),
    "stop": ("Server.SpotInstanceShutdown", "Spot instance shutdown"),
}


def pages(
    instances: Roster, clock: Callable[[], float] = time.time
) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    """The page that announces an interruption in an instance's metadata."""

    def page(wanted: dict[str, Any]) -> dict[str, Any]:
        record = instances.record(str(wanted["instance_id"]))
        action = str(wanted.get("action", "terminate"))
        if record is None or record.state != "running":
            raise ValueError(f"{wanted['instance_id']} is not a running instance")
        if action not in _ACTIONS:
            raise ValueError(f"{action} is neither terminate nor stop")
        due = clock() + float(wanted.get("seconds", 120))
        record.interruption = time.strftime(_FORM, time.gmtime(due))
        record.interruption_action = action
        instances.changed()
        return {"instance_id": record.id, "action": action, "time": record.interruption}

    return {"/local-cloud/interrupt": page}


class Interruptions:
    """Does what was announced, when its time has come; also when the daemon was down meanwhile."""

    def __init__(self, instances: Roster) -> None:
        self._instances = instances

    def tick(self, now: float) -> bool:
        """End the instances that are due. Returns whether there were any."""
        due = [
            record
            for record in self._instances.records()
            if (when := getattr(record, "interruption", None)) and timegm(time.strptime(when, _FORM)) <= now
        ]
        for record in due:
            record.interruption = None
            if record.state == "running":
                _end(record)
        return bool(due)


def _end(record: Any) -> None:
    action = record.interruption_action
    if action == "stop":
        record.stop()
    else:
        record.ec2_backend.terminate_instances([record.id])
    code, message = _REASONS[action]
    record.state_reason.code, record.state_reason.message = code, f"{code}: {message}"
