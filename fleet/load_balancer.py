"""Load balancers as the fleet sees them: the same for a classic one as for one with a target group. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from fleet import health_check, listener
from fleet.health_check import HealthCheck
from fleet.lb_errors import LoadBalancerWrong
from fleet.listener import Listener

if TYPE_CHECKING:
    from aws.session import Cloud

Kind = Literal["classic", "application", "network"]
KINDS: tuple[Kind, ...] = get_args(Kind)

OWNED = "amibake:load-balancer"
"""The tag of what `lb.create` made; it carries no expiry, so that no sweep ever takes it."""
DEPLOYMENT = "amibake:deployment"

_NAME = re.compile(r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_LONGEST_DRAINING = 3600


@dataclass(frozen=True)
class Wanted:
    """A load balancer as it shall be."""

    kind: Kind
    name: str
    check: HealthCheck
    listeners: tuple[Listener, ...] = ()
    """Empty: port 80."""
    subnet_ids: tuple[str, ...] = ()
    """Empty: every default subnet of the default VPC, one per zone."""
    group_ids: tuple[str, ...] = ()
    """Empty: a security group of its own that admits `admits` to the listeners; a network one has none."""
    admits: tuple[str, ...] = ()
    """CIDRs; empty: the address of the desk alone."""
    draining_seconds: int = 300
    cross_zone: bool = True
    internal: bool = False
    deployment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_listeners(self) -> tuple[Listener, ...]:
        """The listeners, the default one where none were named."""
        return self.listeners or (listener.default(self.kind),)

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags of everything that belongs to it."""
        deployment = {DEPLOYMENT: self.deployment} if self.deployment else {}
        return {OWNED: self.name, **deployment, **self.tags}

    def validated(self) -> Wanted:
        """Itself. Raises LoadBalancerWrong with everything that AWS would refuse."""
        if found := list(_faults(self)):
            raise LoadBalancerWrong(
                f"{self.kind} load balancer {self.name!r}: {'; '.join(found)}",
                "see `invoke --help lb.create`",
            )
        return self


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer as it is."""

    kind: Kind
    name: str
    dns_name: str
    zone_id: str
    """Route 53's hosted zone of the DNS name: what an alias record needs."""
    vpc_id: str
    subnet_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    check: HealthCheck
    draining_seconds: int
    tags: Mapping[str, str] = field(default_factory=dict)
    arn: str = ""
    """Empty for a classic one, which goes by its name."""
    target_group_arn: str = ""

    @property
    def ours(self) -> bool:
        """Whether this toolkit made it."""
        return OWNED in self.tags

    @property
    def deployment(self) -> str:
        """The deployment it belongs to, or none."""
        return self.tags.get(DEPLOYMENT, "")

    @property
    def draining_budget_seconds(self) -> int:
        """How long a deregistration may take until the node is really out."""
        return self.draining_seconds + 30


State = Literal["healthy", "initial", "unhealthy", "draining", "unused", "unavailable"]


@dataclass(frozen=True)
class Health:
    """How a load balancer sees a node: in the words of target groups, for classic ones too."""

    state: State
    reason: str = ""
    """AWS's code, such as `Target.Timeout` or `Instance`."""
    description: str = ""


@dataclass(frozen=True)
class Change:
    """One change: what it is, for people, and the act."""

    what: str
    act: Callable[[], object]


class Balancing(Protocol):
    """What there is to do with one type of load balancer; `fleet.lb` chooses who does it."""

    def find(self, cloud: Cloud, name: str) -> LoadBalancer | None:
        """The load balancer of that name, if there is one."""

    def owned(self, cloud: Cloud) -> list[LoadBalancer]:
        """Every one of the region that this toolkit made."""

    def changes(self, cloud: Cloud, wanted: Wanted) -> Iterator[Change]:
        """What is to be changed, one at a time; each is acted on before the next is asked for, or none is."""

    def register(self, cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
        """Add nodes."""

    def deregister(self, cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> None:
        """Begin to take nodes out."""

    def health(self, cloud: Cloud, balancer: LoadBalancer) -> dict[str, Health]:
        """Every registered node, those that drain too."""

    def removals(self, cloud: Cloud, name: str) -> Iterator[Change]:
        """What removes all of ours of that name, but for the security group; acted on like changes."""


def absent(health: Mapping[str, Health], ids: Collection[str]) -> list[str]:
    """Those of the nodes that a registration would add: not there, or on their way out."""
    return [one for one in ids if one not in health or health[one].state == "draining"]


def _faults(wanted: Wanted) -> Iterator[str]:
    if wanted.kind not in KINDS:
        yield f"the type is one of {', '.join(KINDS)}"
        return
    if not _NAME.fullmatch(wanted.name):
        yield "a name has up to 32 letters, digits and inner hyphens, and does not begin with internal-"
    low = 1 if wanted.kind == "classic" else 0
    if not low <= wanted.draining_seconds <= _LONGEST_DRAINING:
        yield f"draining takes {low} to {_LONGEST_DRAINING} s, not {wanted.draining_seconds}"
    if wanted.kind == "network" and wanted.group_ids:
        yield "a network load balancer has no security group here: the nodes' own admits the clients"
    yield from listener.faults(wanted.all_listeners, wanted.kind)
    yield from health_check.faults(wanted.check, wanted.kind)
