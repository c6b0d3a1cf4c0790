"""What a plan is made of: one change each, as data that can be printed, compared and carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.balancing import Balancer
    from fleet.launch_templates import ActualTemplate
    from fleet.scaling_rules import Alarm
    from fleet.wanted import Group, Kind, Role, Rule

MADE, CHANGED, REMOVED, WAITED = "+", "~", "-", "…"


@dataclass(frozen=True)
class Action:
    """One change. `sign` is +, ~, - or … (nothing changes, it is waited)."""

    @property
    def sign(self) -> str:
        """How it is printed."""
        return MADE

    @property
    def what(self) -> str:
        """The thing, in words."""
        raise NotImplementedError

    @property
    def details(self) -> tuple[str, ...]:
        """What of it changes, or why."""
        return ()

    def __str__(self) -> str:
        return f"{self.sign} {self.what}" + (f" ({'; '.join(self.details)})" if self.details else "")


@dataclass(frozen=True)
class Removal(Action):
    """The end of something."""

    @property
    def sign(self) -> str:
        """How it is printed."""
        return REMOVED

    @property
    def ending(self) -> tuple[str, ...]:
        """The nodes that end with it."""
        return ()


@dataclass(frozen=True)
class MakeBucket(Action):
    """The bucket that the deployment owns."""

    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"bucket {self.name}"


@dataclass(frozen=True)
class PutSample(Action):
    """A photograph to ask for."""

    bucket: str
    key: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"photograph {self.key} in {self.bucket}"


@dataclass(frozen=True)
class MakeKey(Action):
    """The key to the nodes."""

    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"key pair {self.name}"


@dataclass(frozen=True)
class PutRole(Action):
    """A role with its instance profile, or another policy for it."""

    role: Role
    new: bool

    @property
    def sign(self) -> str:
        """See Action."""
        return MADE if self.new else CHANGED

    @property
    def what(self) -> str:
        """See Action."""
        return f"role {self.role.name}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return () if self.new else ("its policy",)


@dataclass(frozen=True)
class PutGroup(Action):
    """A security group and the ports that are opened and closed."""

    group: Group
    new: bool
    opened: tuple[Rule, ...]
    closed: tuple[Rule, ...] = ()

    @property
    def sign(self) -> str:
        """See Action."""
        return MADE if self.new else CHANGED

    @property
    def what(self) -> str:
        """See Action."""
        return f"security group {self.group.name}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return tuple(f"open {one}" for one in self.opened) + tuple(f"close {one}" for one in self.closed)


@dataclass(frozen=True)
class PutBalancer(Action):
    """A load balancer, or what of it is to be another."""

    balancer: Balancer
    name: str
    differences: tuple[str, ...] = ()

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED if self.differences else MADE

    @property
    def what(self) -> str:
        """See Action."""
        return f"{self.balancer.kind} load balancer {self.name}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        if self.differences:
            return self.differences
        check = self.balancer.check
        return (*(f"listener {one}" for one in self.balancer.listeners), f"health check {check.described()}")


@dataclass(frozen=True)
class PutTemplate(Action):
    """A launch template, or a new version of it."""

    kind: Kind
    there: ActualTemplate | None = None

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED if self.there else MADE

    @property
    def what(self) -> str:
        """See Action."""
        return f"launch template {self.kind.launch_template}"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return (f"{self.kind.template.instance_type} of {self.kind.image.id} ({self.kind.image.name})",)


@dataclass(frozen=True)
class MakeZone(Action):
    """A hosted zone."""

    zone: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"hosted zone {self.zone}"


@dataclass(frozen=True)
class PointName(Action):
    """The name that leads to the load balancer."""

    name: str
    kind: str
    ttl_seconds: int
    balancer: str
    before: str = ""

    @property
    def sign(self) -> str:
        """See Action."""
        return CHANGED if self.before else MADE

    @property
    def what(self) -> str:
        """See Action."""
        ttl = f", {self.ttl_seconds} s" if self.kind == "cname" else ""
        return f"name {self.name} -> load balancer {self.balancer} ({self.kind}{ttl})"

    @property
    def details(self) -> tuple[str, ...]:
        """See Action."""
        return (f"it is {self.before}",) if self.before else ()


@dataclass(frozen=True)
class PutAlarm(Action):
    """An alarm."""

    alarm: Alarm
    new: bool

    @property
    def sign(self) -> str:
        """See Action."""
        return MADE if self.new else CHANGED

    @property
    def what(self) -> str:
        """See Action."""
        return f"alarm {self.alarm.name}: {self.alarm.watch} above {self.alarm.above:g}"
