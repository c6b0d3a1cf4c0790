"""Whether nodes are in service, and waiting until they are: one look at all of them at a time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws.errors import OutOfPatience
from aws.instance import console_tail
from aws.patience import Clock, Patience, wait_for
from fleet import lb
from fleet.node import OPERATIONAL, STRANDED, Node, described

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import Health, LoadBalancer
    from fleet.wanted import Wanted

# A boot's own budget is ten minutes; who is not there by then will not come.
_BOOT_SECONDS = 600
_LOOK_SECONDS = 2.0
# Than the health check's settings imply.
_TIMES_SLOWER = 2
_STORY_LINES = 6
_STORIES = 3

UP, COMING, LOST = "up", "coming", "lost"


@dataclass(frozen=True)
class Standing:
    """A node, how its load balancers see it, and what follows."""

    node: Node
    health: Mapping[str, Health]
    behind: tuple[str, ...]
    """The load balancers that it is to stand behind."""

    @property
    def verdict(self) -> str:
        """`up`, `coming`, or `lost` where waiting does not help."""
        if self.node.bootstrap_state == STRANDED or self.node.ec2_state not in ("pending", "running"):
            return LOST
        served = all(one in self.health and self.health[one].state == "healthy" for one in self.behind)
        return UP if self.node.bootstrap_state == OPERATIONAL and served else COMING

    @property
    def word(self) -> str:
        """Its health in one word: the worst that a load balancer says; `unregistered` where one lacks it."""
        states = [self.health[one].state if one in self.health else "unregistered" for one in self.behind]
        return next((one for one in states if one != "healthy"), "healthy" if states else "")

    @property
    def why(self) -> str:
        """Why it is not up, in a few words."""
        node = self.node
        if node.ec2_state != "running":
            return f"the instance is {node.ec2_state}"
        if node.bootstrap_state != OPERATIONAL:
            return f"{node.bootstrap_state or 'no word from its bootstrap yet'}" + (
                f": {node.reason}" if node.reason else ""
            )
        for one in self.behind:
            if one not in self.health:
                return f"not registered with {one}"
            if self.health[one].state != "healthy":
                seen = self.health[one]
                return f"{one}: {seen.state}, {seen.description or seen.reason or 'no reason given'}"
        return ""


@dataclass(frozen=True)
class Look:
    """All nodes at one moment."""

    standings: tuple[Standing, ...]
    lacking: int = 0
    """Nodes that an auto scaling group has still to launch."""

    @property
    def all_up(self) -> bool:
        """Whether nothing is to be waited for or mended."""
        return not self.lacking and all(one.verdict == UP for one in self.standings)

    def serves_without(self, leaving: Collection[str]) -> bool:
        """Whether all nodes but these serve."""
        return not self.lacking and all(
            one.verdict == UP for one in self.standings if one.node.id not in leaving
        )

    @property
    def settled(self) -> bool:
        """Whether waiting changes nothing any more."""
        return not self.lacking and all(one.verdict != COMING for one in self.standings)

    def __str__(self) -> str:
        counts = Counter(one.verdict for one in self.standings)
        coming = counts[COMING] + self.lacking
        told = [f"{counts[UP]} of {len(self.standings) + self.lacking} in service"]
        told += [f"{coming} coming"] if coming else []
        told += [f"{counts[LOST]} lost"] if counts[LOST] else []
        return ", ".join(told)


@dataclass(frozen=True)
class Watch:
    """What a wait goes by."""

    cloud: Cloud
    wanted: Wanted
    balancers: tuple[LoadBalancer, ...]
    desired: Callable[[], Mapping[str, int]] = dict
    """How many nodes each auto scaling group wants, by template."""

    def look(self, only: Collection[str] | None = None) -> Look:
        """One look at all nodes, or at some: a describe call, and one for each load balancer."""
        nodes = described(self.cloud, self.wanted.names.deployment, only)
        health = {one.name: lb.health(self.cloud, one) for one in self.balancers}
        has = Counter(one.template for one in nodes if one.group)
        desired = self.desired() if only is None else {}
        lacking = sum(max(0, count - has[name]) for name, count in desired.items())
        return Look(tuple(standing(self.wanted, one, health) for one in nodes), lacking)

    def serving(self, template: str) -> set[str]:
        """The nodes that all load balancers of a template call healthy: a small call for each of them."""
        names = balancers_of(self.wanted, template)
        seen = [lb.health(self.cloud, one) for one in self.balancers if one.name in names]
        healthy = [{node for node, its in one.items() if its.state == "healthy"} for one in seen]
        return set.intersection(*healthy) if healthy else set()

    @property
    def serving_seconds(self) -> int:
        """How long it may take from a node's own word that it is operational until it is in service."""
        return _TIMES_SLOWER * max((one.check.in_service_seconds for one in self.balancers), default=0)

    @property
    def patience(self) -> Patience:
        """A boot's budget and that of the slowest health check."""
        return Patience(_LOOK_SECONDS, _BOOT_SECONDS + self.serving_seconds)


def standing(wanted: Wanted, node: Node, health: Mapping[str, Mapping[str, Health]]) -> Standing:
    """How one node stands."""
    behind = balancers_of(wanted, node.template)
    seen = {name: health[name][node.id] for name in health if node.id in health[name]}
    return Standing(node, seen, behind)


def balancers_of(wanted: Wanted, template: str) -> tuple[str, ...]:
    """The names, as AWS knows them, of the load balancers behind which a template's nodes stand."""
    kinds = [kind for kind in wanted.kinds if kind.name == template]
    return tuple(wanted.names.short(one.name) for kind in kinds for one in wanted.balancers_of(kind))


def until_up(
    watch: Watch,
    note: Callable[[str], None],
    check: Callable[[], None],
    only: Collection[str] | None = None,
    clock: Clock = time,
) -> Look:
    """Wait until all nodes are operational and in service, or until that is not to be hoped for.

    A node that is operational and has not registered itself is registered from here; one that its health
    check refuses for long is not waited for. `check` is called at each look and may end the wait. Returns the
    last look; the caller tells whether it suffices.
    """
    seen = watch.look(only)
    said, operational, first = "", dict[str, float](), True

    def look() -> Look | None:
        nonlocal seen, said, first
        check()
        seen, first = seen if first else watch.look(only), False
        if str(seen) != said:
            said = str(seen)
            note(said)
        _register(watch, seen.standings)
        return seen if seen.settled or overdue(seen) else None

    def overdue(look: Look) -> bool:
        coming = [one.node for one in look.standings if one.verdict == COMING]
        for one in coming:
            if one.bootstrap_state == OPERATIONAL:
                operational.setdefault(one.id, clock.monotonic())
        latest = clock.monotonic() - watch.serving_seconds
        return not look.lacking and all(operational.get(one.id, latest) < latest for one in coming)

    if seen.all_up:
        return seen
    try:
        return wait_for("nodes: coming into service", look, watch.patience, clock)
    except OutOfPatience:
        return seen


def stories(cloud: Cloud, look: Look) -> list[str]:
    """Why nodes are not up, each with its console's last lines as far as few are concerned."""
    told = []
    for number, one in enumerate(one for one in look.standings if one.verdict != UP):
        tail = console_tail(cloud, one.node.id, _STORY_LINES) if number < _STORIES else ""
        told.append(f"{one.node.id} ({one.node.template}): {one.why}{_indented(tail)}")
    return told


def _register(watch: Watch, standings: Sequence[Standing]) -> None:
    for balancer in watch.balancers:
        missing = [
            one.node.id
            for one in standings
            if balancer.name in one.behind
            and balancer.name not in one.health
            and one.node.bootstrap_state == OPERATIONAL
            # Target groups refuse a call in which any node does not run yet.
            and one.node.ec2_state == "running"
            and not one.node.group
        ]
        if missing:
            lb.register(watch.cloud, balancer, missing)


def _indented(text: str) -> str:
    return "".join(f"\n    {line}" for line in text.splitlines())
