"""Status checks: what DescribeInstanceStatus says, asked of the machine itself.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from localcloud.hooks import replace


class Health(Enum):
    """A status check's outcome, and how its detail calls it."""

    INITIALIZING = "initializing"
    OK = "passed"
    IMPAIRED = "failed"


class Checked:
    """An instance's record whose checks tell of its machine."""

    def __init__(self, record: Any, health: Health) -> None:
        self._record = record
        self._health = health

    def __getattr__(self, name: str) -> Any:
        """Everything else is the record's."""
        return getattr(self._record, name)

    @property
    def instance_status(self) -> dict[str, Any]:
        """The check of the machine: whether its first process is up and answers."""
        return _status(self._health)

    @property
    def system_status(self) -> dict[str, Any]:
        """The check of what carries the machine, which is this computer."""
        return _status(Health.INITIALIZING if self._health is Health.INITIALIZING else Health.OK)


def install(health_of: Callable[[str], Health]) -> None:
    """Let DescribeInstanceStatus tell of machines; `health_of` takes an instance's id."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def describe_instance_status(self: Any, *args: Any) -> list[Any]:
            return [
                Checked(record, health_of(record.id)) if record.state == "running" else record
                for record in original(self, *args)
            ]

        return describe_instance_status

    replace("moto.ec2.models:EC2Backend.describe_instance_status", wrap)


def _status(health: Health) -> dict[str, Any]:
    name = "ok" if health is Health.OK else health.name.lower()
    return {"Details": [{"Name": "reachability", "Status": health.value}], "Status": name}
