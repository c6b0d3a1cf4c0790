"""CPUUtilization of machines, from their control groups, into CloudWatch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.cloudwatch import Datum, publish
from localcloud.roster import Roster

_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Usage:
    """How much CPU time a machine had used up by a time; both in seconds."""

    time: float
    used: float


def utilization(before: Usage, after: Usage, vcpus: int) -> float | None:
    """Percent of all its processors that a machine used between two looks; None when it was started anew."""
    passed = after.time - before.time
    if passed <= 0 or after.used < before.used:
        return None
    return min(100.0, 100.0 * (after.used - before.used) / passed / vcpus)


def used_seconds(stat: str) -> float:
    """The CPU time in a control group's `cpu.stat`."""
    fields = dict(line.split() for line in stat.splitlines() if line)
    return int(fields["usage_usec"]) / 1e6


class CpuMetrics:
    """Puts a value for each running machine, and for its Auto Scaling group, every few seconds."""

    def __init__(
        self, folder: Path, roster: Roster, cloudwatch: Callable[[], Any], vcpus: Callable[[str], int]
    ) -> None:
        self._folder = folder
        self._roster = roster
        self._cloudwatch = cloudwatch
        self._vcpus = vcpus
        self._seen: dict[str, Usage] = {}
        self._due = 0.0

    def tick(self, now: float) -> bool:
        """Look and put, when it is time. Never a change that must be kept."""
        if now < self._due:
            return False
        self._due = now + _EVERY_SECONDS
        running = [record for record in self._roster.records() if record.state == "running"]
        looks = {record.id: look for record in running if (look := self._look(record.id, now))}
        data: list[Datum] = []
        for record in running:
            before, after = self._seen.get(record.id), looks.get(record.id)
            percent = (
                utilization(before, after, self._vcpus(record.instance_type)) if before and after else None
            )
            if percent is not None:
                data += [Datum("CPUUtilization", percent, "Percent", (one,)) for one in _dimensions(record)]
        self._seen = looks
        publish(self._cloudwatch(), "AWS/EC2", data, now)
        return False

    def _look(self, instance_id: str, now: float) -> Usage | None:
        try:
            return Usage(now, used_seconds((self._folder / instance_id / "cpu.stat").read_text()))
        except (OSError, KeyError, ValueError):
            return None


def _dimensions(record: Any) -> Iterable[tuple[str, str]]:
    yield "InstanceId", record.id
    group = getattr(record, "autoscaling_group", None)
    if group is not None:
        yield "AutoScalingGroupName", group.name
