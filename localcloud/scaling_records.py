"""What Auto Scaling remembers beyond moto's records, on those records, so that it is kept with them.

Imported only by a process that serves moto: the import costs a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moto.autoscaling.models import InstanceState

from localcloud.refresh import Refresh
from localcloud.scaling_activities import Ledger
from localcloud.scaling_model import Wait

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Config:
    """What an instance is launched from: a launch template's version, or a launch configuration."""

    template_id: str = ""
    template_name: str = ""
    version: str = ""
    configuration: str = ""

    @property
    def key(self) -> str:
        """Equal for equal configurations."""
        return f"{self.template_id}:{self.version}" if self.template_id else self.configuration

    @property
    def template(self) -> dict[str, str] | None:
        """As AWS describes it, None when it is none."""
        if not self.template_id:
            return None
        names = {"LaunchTemplateId": self.template_id, "LaunchTemplateName": self.template_name}
        return {**names, "Version": self.version}


class GroupMember(InstanceState):  # type: ignore[misc]
    """An instance in a group, as moto lists it, with what its lifecycle needs."""

    def __init__(
        self, instance: Any, group: Any, config: Config, launched: float, *, protected: bool
    ) -> None:
        instance.autoscaling_group = group
        super().__init__(instance, "Pending", protected_from_scale_in=protected, autoscaling_group=group)
        self.config = config
        self.launched = launched
        self.in_service = 0.0
        self.waits: tuple[Wait, ...] = ()
        self.unhealthy = ""
        self.surplus = False
        self.refresh = ""
        self.leaving_since = 0.0

    @property
    def launch_template(self) -> dict[str, str] | None:
        """What it was launched from, which need not be what its group launches from now."""
        return self.config.template

    @property
    def launch_configuration_name(self) -> str | None:
        """What it was launched from, None for a launch template."""
        return self.config.configuration or None


@dataclass
class Book:
    """What a group remembers: who changed its size last and why, which zones refused until when."""

    reason: str = ""
    replacing: int = 0
    refusals: dict[str, tuple[int, float]] = field(default_factory=dict)
    cooling_until: float = 0.0
    deleting: bool = False
    warmup: int | None = None
    refreshes: list[Refresh] = field(default_factory=list)
    policy_marks: dict[str, float] = field(default_factory=dict)

    def refused(self, zone: str, now: float) -> None:
        """A zone had no room, or what was launched there ended at once: leave it alone for a while."""
        times = self.refusals.get(zone, (0, 0.0))[0]
        pause = min(_FIRST_PAUSE_SECONDS * 2**times, _LONGEST_PAUSE_SECONDS)
        self.refusals[zone] = (times + 1, now + pause)

    def closed(self, now: float) -> frozenset[str]:
        """The zones to leave alone now."""
        return frozenset(zone for zone, (_, until) in self.refusals.items() if now < until)


def book_of(group: Any) -> Book:
    """A group's book, begun when it has none."""
    return _kept(group, "local_book", Book)


def ledger_of(backend: Any) -> Ledger:
    """A region's activities."""
    return _kept(backend, "local_ledger", Ledger)


def _kept(owner: Any, name: str, make: Callable[[], T]) -> T:
    kept: T = vars(owner).setdefault(name, make())
    return kept
