"""What Auto Scaling decides about: groups, their members, lifecycle hooks; and what it can decide to do.

Times are seconds since 1970, lengths are seconds. All of it is data; `scaling_effects` does it.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
CONTINUE = "CONTINUE"
ABANDON = "ABANDON"

_DEAD = ("shutting-down", "terminated", "stopping", "stopped")
_LONGEST_WAITS = 100  # an instance waits for 100 times its hook's time-out, or 48 hours when that is less
_LONGEST_WAIT_SECONDS = 172800.0


@dataclass(frozen=True)
class Hook:
    """A lifecycle hook; `transition` is LAUNCHING or TERMINATING."""

    name: str
    transition: str
    timeout: float = 3600.0
    default: str = ABANDON


@dataclass(frozen=True)
class Wait:
    """A lifecycle action under way: an instance waits for its token to be completed."""

    hook: str
    token: str
    timeout: float
    default: str
    deadline: float
    last_deadline: float
    result: str = ""

    @classmethod
    def begun(cls, hook: Hook, token: str, now: float) -> Wait:
        """The wait that a hook begins now."""
        longest = min(_LONGEST_WAITS * hook.timeout, _LONGEST_WAIT_SECONDS)
        return cls(hook.name, token, hook.timeout, hook.default, now + hook.timeout, now + longest)

    def beaten(self, now: float) -> Wait:
        """The wait after a heartbeat."""
        return replace(self, deadline=min(now + self.timeout, self.last_deadline))

    def outcome(self, now: float) -> str:
        """CONTINUE, ABANDON, or empty while it lasts."""
        return self.result or (self.default if now >= self.deadline else "")


@dataclass(frozen=True)
class Member:
    """An instance in a group. `machine` is its state in EC2; `config` names what it was launched from.

    `unhealthy` says why it is not healthy, and is empty while it is. `draining`: a load balancer still has
    connections to it. `surplus`: launched beyond the desired capacity, it counts once it is in service.
    """

    id: str
    zone: str
    state: str = "InService"
    launched: float = 0.0
    machine: str = "running"
    unhealthy: str = ""
    protected: bool = False
    config: str = ""
    in_service: float = 0.0
    waits: tuple[Wait, ...] = ()
    draining: bool = False
    surplus: bool = False
    refresh: str = ""

    @property
    def dead(self) -> bool:
        """Whether EC2 has ended or stopped it."""
        return self.machine in _DEAD

    @property
    def pending(self) -> bool:
        """Whether it is on its way into service."""
        return self.state.startswith("Pending")

    @property
    def counts(self) -> bool:
        """Whether it is part of the group's capacity."""
        return self.state == "InService" or (self.pending and not self.surplus)


@dataclass(frozen=True)
class Group:
    """A group as it should be.

    `closed` are the zones that just refused an instance; `surge` is how many more than desired a refresh
    wants now; `refreshing` keeps the zones from being balanced meanwhile.
    """

    name: str
    desired: int
    minimum: int = 0
    maximum: int = 1000
    zones: tuple[str, ...] = ("us-east-1a",)
    config: str = ""
    hooks: tuple[Hook, ...] = ()
    suspended: frozenset[str] = frozenset()
    policies: tuple[str, ...] = ("Default",)
    closed: frozenset[str] = frozenset()
    surge: int = 0
    refreshing: bool = False
    deleting: bool = False

    def hooks_of(self, transition: str) -> tuple[Hook, ...]:
        """Its hooks of a transition."""
        return tuple(hook for hook in self.hooks if hook.transition == transition)


@dataclass(frozen=True)
class Launch:
    """Launch an instance in a zone."""

    zone: str
    why: Literal["size", "balance"] = "size"


@dataclass(frozen=True)
class Hold:
    """Let a member wait for the lifecycle hooks of a transition."""

    id: str
    transition: str


@dataclass(frozen=True)
class Serve:
    """Put a member into service, and into the group's load balancers."""

    id: str


@dataclass(frozen=True)
class Retire:
    """Take a member out of service and out of the load balancers; it ends once they are done with it.

    `why`: `size`, `abandoned`, `dead`, `elb`, `user`, `refresh`, `deleted`.
    """

    id: str
    why: str


@dataclass(frozen=True)
class End:
    """Terminate a member's instance."""

    id: str


@dataclass(frozen=True)
class Forget:
    """Strike a member whose instance is gone."""

    id: str


Action = Launch | Hold | Serve | Retire | End | Forget
