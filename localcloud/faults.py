"""Faults on demand: calls that fail, resources seen late, machines that do not boot, zones without room.

All are off until asked for, live in the daemon's memory and end with it.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any
from xml.sax.saxutils import escape

from localcloud.request import Request


@dataclass(frozen=True)
class Refused:
    """A fault of an action: its `nth` call from now on and those after it, `count` in all, fail.

    Without a `code` they are throttled, in the way of the service that is called.
    """

    action: str
    code: str = ""
    nth: int = 1
    count: int = 1


@dataclass(frozen=True)
class Refusal:
    """An answer of an AWS service that says no."""

    status: int
    code: str
    message: str

    def body(self, service: str) -> tuple[str, bytes]:
        """Content type and content, in the dialect of the service."""
        if service in _XML:
            code, message = escape(self.code), escape(self.message)
            return "text/xml", _XML[service].format(code=code, message=message).encode()
        document = {"__type": self.code, "message": self.message}
        return "application/x-amz-json-1.1", json.dumps(document).encode()


@dataclass(frozen=True)
class _Newborn:
    prefix: str
    not_found: str


_QUERY = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    "<RequestId>fault</RequestId></ErrorResponse>"
)
# What AWS's query services say, and Route 53; the services that speak JSON say ThrottlingException.
_SAY_THROTTLING = ("autoscaling", "elasticloadbalancing", "iam", "sts", "route53", "sns")
_XML = {
    "ec2": (
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>fault</RequestID></Response>"
    ),
    "s3": "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>fault</RequestId></Error>",
    **dict.fromkeys(_SAY_THROTTLING, _QUERY),
}
_THROTTLED = {
    "ec2": (503, "RequestLimitExceeded"),
    "s3": (503, "SlowDown"),
    **dict.fromkeys(_SAY_THROTTLING, (400, "Throttling")),
}
_THROTTLED_ELSEWHERE = (400, "ThrottlingException")
_OF_THE_SERVER = {
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
    "InternalServerError",
}

_NEWBORN = {
    "RunInstances": _Newborn("i", "InvalidInstanceID.NotFound"),
    "CreateImage": _Newborn("ami", "InvalidAMIID.NotFound"),
    "RegisterImage": _Newborn("ami", "InvalidAMIID.NotFound"),
    "CopyImage": _Newborn("ami", "InvalidAMIID.NotFound"),
    "CreateSnapshot": _Newborn("snap", "InvalidSnapshot.NotFound"),
    "CopySnapshot": _Newborn("snap", "InvalidSnapshot.NotFound"),
    "CreateVolume": _Newborn("vol", "InvalidVolume.NotFound"),
    "CreateSecurityGroup": _Newborn("sg", "InvalidGroup.NotFound"),
    "CreateLaunchTemplate": _Newborn("lt", "InvalidLaunchTemplateId.NotFound"),
}


class Faults:
    """What is to go wrong. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: list[Refused] = []
        self._late_seconds = 0.0
        self._hidden: dict[str, tuple[float, str]] = {}
        self._dead_machines = 0
        self._full_zones: set[str] = set()

    def refuse(self, fault: Refused) -> None:
        """Let calls of an action fail."""
        with self._lock:
            self._refused.append(fault)

    def show_late(self, seconds: float) -> None:
        """Let Describe calls that name a resource made from now on not find it for so long."""
        with self._lock:
            self._late_seconds = seconds

    def lose_machines(self, count: int) -> None:
        """Let the next machines not boot."""
        with self._lock:
            self._dead_machines = count

    def fill_zone(self, zone: str) -> None:
        """Let a zone have no room for another instance."""
        with self._lock:
            self._full_zones.add(zone)

    def zone_is_full(self, zone: str) -> bool:
        """Whether a zone has no room for another instance."""
        with self._lock:
            return zone in self._full_zones

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._full_zones.clear()
            self._refused, self._hidden = [], {}
            self._late_seconds, self._dead_machines = 0.0, 0

    def document(self) -> dict[str, Any]:
        """What is still to come, as JSON."""
        with self._lock:
            return {
                "refused": [asdict(fault) for fault in self._refused],
                "late_seconds": self._late_seconds,
                "dead_machines": self._dead_machines,
                "full_zones": sorted(self._full_zones),
            }

    def before(self, request: Request) -> Refusal | None:
        """The refusal of a call that is due to fail. Counts the call."""
        with self._lock:
            code = self._due(request.action)
            return self._unseen(request) if code is None else _refusal(request, code)

    def after(self, request: Request, answer: Iterable[bytes]) -> None:
        """Note what a call has made, so that it can be hidden."""
        newborn = _NEWBORN.get(request.action)
        with self._lock:
            if newborn is None or not self._late_seconds:
                return
            made = re.findall(
                rf"\b{newborn.prefix}-[0-9a-f]{{8,17}}\b", b"".join(answer).decode(errors="replace")
            )
            visible = self._clock() + self._late_seconds
            self._hidden |= {
                name: (visible, newborn.not_found) for name in made if name not in request.values
            }

    def machine_dies(self) -> bool:
        """Whether the machine that is about to boot is one that must not."""
        with self._lock:
            if not self._dead_machines:
                return False
            self._dead_machines -= 1
            return True

    def _due(self, action: str) -> str | None:
        """Count a call in every fault of its action; the code of the first that is due, None when none is."""
        due: str | None = None
        left: list[Refused] = []
        for fault in self._refused:
            if fault.action != action:
                left.append(fault)
            elif fault.nth > 1:
                left.append(replace(fault, nth=fault.nth - 1))
            elif due is not None:
                left.append(fault)
            else:
                due = fault.code
                left += [replace(fault, count=fault.count - 1)] if fault.count > 1 else []
        self._refused = left
        return due

    def _unseen(self, request: Request) -> Refusal | None:
        now = self._clock()
        self._hidden = {name: held for name, held in self._hidden.items() if held[0] > now}
        if not request.action.startswith("Describe"):
            return None
        for name in sorted(request.values & self._hidden.keys()):
            return Refusal(400, self._hidden[name][1], f"The ID '{name}' does not exist")
        return None


def _refusal(request: Request, code: str) -> Refusal:
    if not code:
        status, code = _THROTTLED.get(request.service, _THROTTLED_ELSEWHERE)
        return Refusal(status, code, f"Request limit exceeded: {request.action}, as asked for by local.fault")
    status = 500 if code in _OF_THE_SERVER else 400
    return Refusal(status, code, f"{request.action} failed, as asked for by local.fault")
