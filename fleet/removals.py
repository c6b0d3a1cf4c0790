"""The actions of a plan that end what the deployment owns, all but its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.actions import Removal

if TYPE_CHECKING:
    from fleet.groups import ActualGroup
    from fleet.launch_templates import ActualTemplate
    from fleet.load_balancer import LoadBalancer


@dataclass(frozen=True)
class RemoveName(Removal):
    """A record, where it still leads to the deployment."""

    zone_id: str
    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"name {self.name}"


@dataclass(frozen=True)
class RemoveZone(Removal):
    """A hosted zone that the deployment made."""

    zone_id: str
    zone: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"hosted zone {self.zone}"


@dataclass(frozen=True)
class RemoveAlarms(Removal):
    """Alarms."""

    names: tuple[str, ...]

    @property
    def what(self) -> str:
        """See Action."""
        return f"alarms {', '.join(self.names)}"


@dataclass(frozen=True)
class RemoveBalancer(Removal):
    """A load balancer."""

    there: LoadBalancer

    @property
    def what(self) -> str:
        """See Action."""
        return f"{self.there.kind} load balancer {self.there.name}"


@dataclass(frozen=True)
class RemoveTemplate(Removal):
    """A launch template."""

    there: ActualTemplate

    @property
    def what(self) -> str:
        """See Action."""
        return f"launch template {self.there.name}"


@dataclass(frozen=True)
class RemoveGroups(Removal):
    """Security groups."""

    groups: tuple[ActualGroup, ...]

    @property
    def what(self) -> str:
        """See Action."""
        return f"security groups {', '.join(one.name for one in self.groups)}"


@dataclass(frozen=True)
class RemoveRole(Removal):
    """A role and its instance profile."""

    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"role {self.name}"


@dataclass(frozen=True)
class RemoveKey(Removal):
    """The key to the nodes."""

    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"key pair {self.name}"


@dataclass(frozen=True)
class RemoveBucket(Removal):
    """The bucket that the deployment owns, and all that is in it."""

    name: str

    @property
    def what(self) -> str:
        """See Action."""
        return f"bucket {self.name} and all that is in it"
