"""Scaling activities, in AWS's words: what a group did, why, and what became of it.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_KEPT = 10_000  # AWS keeps six weeks of them

_WHY_ENDED = {
    "size": "an instance was taken out of service in response to a difference between desired and actual"
    " capacity",
    "dead": "an instance was taken out of service in response to an EC2 health check indicating it has been"
    " terminated or stopped.",
    "elb": "an instance was taken out of service in response to an ELB system health check failure.",
    "user": "an instance was taken out of service in response to a user health-check.",
    "refresh": "an instance was taken out of service in response to an instance refresh.",
    "abandoned": "an instance was taken out of service in response to a lifecycle action that was abandoned.",
    "deleted": "a user request deleted the AutoScalingGroup.",
}


@dataclass
class Activity:
    """One activity; it goes on until it has an end."""

    group: str
    group_arn: str
    description: str
    cause: str
    start: float
    details: str = "{}"
    status: str = "InProgress"
    message: str = ""
    progress: int = 0
    end: float | None = None
    instance: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def goes_on(self, status: str, progress: int) -> None:
        """It is in a later state now."""
        self.status, self.progress = status, progress

    def is_over(self, status: str, now: float, message: str = "") -> None:
        """It has come to its end."""
        self.status, self.progress, self.end, self.message = status, 100, now, message

    def document(self) -> dict[str, Any]:
        """As AWS describes it."""
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": datetime.fromtimestamp(self.start, UTC),
            "EndTime": None if self.end is None else datetime.fromtimestamp(self.end, UTC),
            "StatusCode": self.status,
            "StatusMessage": self.message or None,
            "Progress": self.progress,
            "Details": self.details,
        }


@dataclass
class Ledger:
    """All activities of a region, oldest first."""

    activities: list[Activity] = field(default_factory=list)

    def add(self, activity: Activity) -> Activity:
        """Note a new one."""
        self.activities.append(activity)
        del self.activities[:-_KEPT]
        return activity

    def of(self, group: str, ids: Sequence[str] = ()) -> list[Activity]:
        """The activities of a group (all when it is empty), newest first, as AWS lists them."""
        wanted = [
            one for one in self.activities if (not group or one.group == group) and (not ids or one.id in ids)
        ]
        return wanted[::-1]

    def last_of(self, instance: str) -> Activity | None:
        """An instance's latest activity."""
        return next((one for one in reversed(self.activities) if one.instance == instance), None)


def stamp(now: float) -> str:
    """A time as causes tell it."""
    return time.strftime("At %Y-%m-%dT%H:%M:%SZ ", time.gmtime(now))


def place(zone: str, subnet: str) -> str:
    """The details of an activity."""
    return json.dumps({"Subnet ID": subnet, "Availability Zone": zone}, separators=(",", ":"))


def launch_cause(now: float, reason: str, before: int, after: int) -> str:
    """Why an instance is launched: `reason` tells who changed the desired capacity, if anyone did."""
    told = f"{reason}  " if reason else ""
    return (
        f"{told}{stamp(now)}an instance was started in response to a difference between desired and actual"
        f" capacity, increasing the capacity from {before} to {after}."
    )


def replacement_cause(now: float) -> str:
    """Why an instance is launched in place of an unhealthy one."""
    return (
        f"{stamp(now)}an instance was launched in response to an unhealthy instance needing to be replaced."
    )


def balance_cause(now: float, zone: str) -> str:
    """Why an instance is launched although there are enough."""
    return (
        f"{stamp(now)}instances were launched to balance instances in zones {zone} with other zones resulting"
        " in more than desired number of instances in the group.  "
        f"{stamp(now)}an instance was launched to aid in balancing the group's zones."
    )


def end_cause(now: float, why: str, instance: str, reason: str, sizes: tuple[int, int]) -> str:
    """Why an instance is ended; `sizes` are the capacity before and after."""
    if why != "size":
        return f"{stamp(now)}{_WHY_ENDED.get(why, why)}"
    told = f"{reason}  " if reason else ""
    return (
        f"{told}{stamp(now)}{_WHY_ENDED['size']}, shrinking the capacity from {sizes[0]} to {sizes[1]}.  "
        f"{stamp(now)}instance {instance} was selected for termination."
    )


def no_capacity(code: str, said: str, instance_type: str, zone: str, others: Sequence[str]) -> str:
    """What a failed launch says of a refusal by EC2."""
    if code != "InsufficientInstanceCapacity":
        return f"{said} Launching EC2 instance failed."
    return (
        f"Could not launch On-Demand Instances. {code} - We currently do not have sufficient {instance_type}"
        f" capacity in the Availability Zone you requested ({zone}). Our system will be working on"
        f" provisioning additional capacity. You can currently get {instance_type} capacity by not specifying"
        f" an Availability Zone in your request or choosing {', '.join(others)}. Launching EC2 instance"
        " failed."
    )


def sizes(minimum: int, maximum: int, desired: int) -> str:
    """A group's limits, as causes tell them."""
    return f"AutoScalingGroup constraints to min: {minimum}, max: {maximum}, desired: {desired}"


def changed(now: float, who: str, before: int, after: int) -> str:
    """Who changed the desired capacity, when, and how: the beginning of a cause."""
    return f"{stamp(now)}{who} changing the desired capacity from {before} to {after}."
