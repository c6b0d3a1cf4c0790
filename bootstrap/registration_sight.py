"""What a load balancer says of this node, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SETTLING_SECONDS = 30.0
"""What registering and deregistering take beside health checks and draining."""


@dataclass(frozen=True)
class Sight:
    """A node as its load balancer sees it; `leaving` while connections drain.

    `text` is the balancer's own.
    """

    registered: bool
    in_service: bool = False
    leaving: bool = False
    text: str = ""


@dataclass(frozen=True)
class Pace:
    """How long the balancer may take to put a node into service, and how often it makes up its mind.

    Before `soonest_seconds` it cannot have done so.
    """

    budget_seconds: float
    interval_seconds: float
    soonest_seconds: float = 0.0


class Balancer(Protocol):
    """A load balancer, or a target group of one. Every call raises ApiError or UnreachableError."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def known_as(self) -> str:
        """What AWS calls it."""

    def look(self) -> Sight:
        """One call that changes nothing. Raises RegistrationError when there is no such balancer."""

    def register(self) -> None:
        """Add this node."""

    def deregister(self) -> None:
        """Begin to take this node out."""

    def joining(self) -> Pace:
        """What the health check implies for a node that has just been added."""

    def draining_seconds(self) -> float:
        """How long connections may go on after deregistering."""
