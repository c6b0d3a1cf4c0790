"""Load balancers, whichever their type: made so, found, joined, left, asked, removed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aws.errors import OutOfPatience
from aws.patience import Clock, Patience, wait_for
from fleet import classic, lb_ground, targeting
from fleet.lb_errors import NoLoadBalancer, NotInService, NotOurBalancer, StillDraining
from fleet.load_balancer import KINDS, Balancing, Change, Health, Kind, LoadBalancer, Wanted, absent

if TYPE_CHECKING:
    from aws.session import Cloud

_BY_KIND: Mapping[Kind, Balancing] = {
    "classic": classic,
    "application": targeting,
    "network": targeting,
}
# One call for a whole fleet would be refused as a whole for one bad node, and be too large some day.
_AT_ONCE = 50
_LOOK_SECONDS = 2.0


def find(cloud: Cloud, name: str, kind: Kind | None = None) -> LoadBalancer:
    """The load balancer of that name. Raises NoLoadBalancer for none, or one of either generation."""
    found = [one for one in named(cloud, name) if kind in (None, one.kind)]
    if not found:
        raise NoLoadBalancer(
            f"{cloud.region} has no load balancer {name!r}" + (f" of type {kind}" if kind else ""),
            f"`invoke lb.health` lists those there are; `invoke lb.create {name}` makes one",
        )
    if len(found) > 1:
        raise NoLoadBalancer(
            f"there are two load balancers {name!r}: {' and '.join(one.kind for one in found)}",
            "say which with --type",
        )
    return found[0]


def ours(cloud: Cloud, deployment: str = "") -> list[LoadBalancer]:
    """Every load balancer that this toolkit made, by name; of one deployment only, where it is given."""
    found = [*classic.owned(cloud), *targeting.owned(cloud)]
    return sorted((one for one in found if deployment in ("", one.deployment)), key=lambda one: one.name)


def plan(cloud: Cloud, wanted: Wanted) -> list[str]:
    """What `ensure` would change, a sentence each; of what is still to be made, only that."""
    _allowed(cloud, wanted.validated())
    return [change.what for change in _BY_KIND[wanted.kind].changes(cloud, wanted)]


def ensure(cloud: Cloud, wanted: Wanted) -> tuple[LoadBalancer, list[str]]:
    """Make a load balancer as it is wanted; return it, and what was changed: nothing the second time.

    Cut short at any point, the next call goes on. Raises LoadBalancerWrong for what AWS would refuse,
    NotOurBalancer when the name is somebody else's.
    """
    _allowed(cloud, wanted.validated())
    changed = done(_BY_KIND[wanted.kind].changes(cloud, wanted))
    return find(cloud, wanted.name, wanted.kind), changed


def register(cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str]) -> list[str]:
    """Add those of the nodes that are not in it, and return them: registering is a write, so look first."""
    missing = absent(health(cloud, balancer), ids)
    for batch in _batches(missing):
        _BY_KIND[balancer.kind].register(cloud, balancer, batch)
    return missing


def wait_in_service(
    cloud: Cloud,
    balancer: LoadBalancer,
    ids: Collection[str],
    patience: Patience | None = None,
    clock: Clock = time,
) -> None:
    """Wait until all serve, by default as long as the health check implies. Raises NotInService."""
    allowed = patience or Patience(_LOOK_SECONDS, balancer.check.in_service_seconds)
    seen: dict[str, Health] = {}

    def look() -> bool | None:
        seen.update(health(cloud, balancer))
        return all(one in seen and seen[one].state == "healthy" for one in ids) or None

    try:
        wait_for(f"{balancer.name}: nodes coming into service", look, allowed, clock)
    except OutOfPatience as why:
        late = [one for one in ids if one not in seen or seen[one].state != "healthy"]
        raise NotInService(
            f"{balancer.name}: after {allowed.budget_seconds:.0f} s not in service: {_told(late, seen)}",
            f"does {balancer.check} answer on them, and do their groups let the load balancer in?",
        ) from why


def deregister(
    cloud: Cloud,
    balancer: LoadBalancer,
    ids: Sequence[str],
    patience: Patience | None = None,
    clock: Clock = time,
) -> list[str]:
    """Take nodes out and wait until they really are; return those that were in.

    A node that drains already is waited for, not told again. Raises StillDraining, naming nodes.
    """
    before = health(cloud, balancer)
    inside = [one for one in ids if one in before]
    for batch in _batches([one for one in inside if before[one].state != "draining"]):
        _BY_KIND[balancer.kind].deregister(cloud, balancer, batch)
    if inside:
        _wait_out(cloud, balancer, inside, patience, clock)
    return inside


def health(cloud: Cloud, balancer: LoadBalancer) -> dict[str, Health]:
    """Every node that is in it, those that drain too: how it sees them, and AWS's reason."""
    return _BY_KIND[balancer.kind].health(cloud, balancer)


def delete(cloud: Cloud, balancer: LoadBalancer) -> list[str]:
    """Remove a load balancer and all that belongs to it; return what was done. Raises NotOurBalancer."""
    own(balancer)
    return done(removals(cloud, balancer.name, balancer.kind))


def own(balancer: LoadBalancer) -> None:
    """Raise NotOurBalancer unless this toolkit made it."""
    if not balancer.ours:
        raise NotOurBalancer(
            f"{balancer.name} was not made by this toolkit",
            "remove it the way it was made, or in the console",
        )


def removals(cloud: Cloud, name: str, kind: Kind) -> Iterator[Change]:
    """What removes all of ours of that name, what a creation or removal cut short has left too."""
    yield from _BY_KIND[kind].removals(cloud, name)
    yield from lb_ground.group_removals(cloud, kind, name)


def done(changes: Iterable[Change]) -> list[str]:
    """Make the changes, one after another, and return what they were."""
    made = []
    for change in changes:
        change.act()
        made.append(change.what)
    return made


def _wait_out(
    cloud: Cloud, balancer: LoadBalancer, ids: Sequence[str], patience: Patience | None, clock: Clock
) -> None:
    allowed = patience or Patience(_LOOK_SECONDS, balancer.draining_budget_seconds)
    inside: dict[str, Health] = {}

    def look() -> bool | None:
        inside.clear()
        inside.update({one: state for one, state in health(cloud, balancer).items() if one in ids})
        return True if not inside else None

    try:
        wait_for(f"{balancer.name}: draining", look, allowed, clock)
    except OutOfPatience as why:
        raise StillDraining(
            f"{balancer.name}: after {allowed.budget_seconds:.0f} s still in: {_told(list(inside), inside)}",
            f"draining may take {balancer.draining_seconds} s; run the same command again to go on waiting",
        ) from why


def _told(ids: Sequence[str], health: Mapping[str, Health]) -> str:
    return "; ".join(
        f"{one} {health[one].state} ({health[one].description or health[one].reason or 'no reason given'})"
        if one in health
        else f"{one} is not registered"
        for one in ids
    )


def named(cloud: Cloud, name: str) -> list[LoadBalancer]:
    """The load balancers of a name, of which there may be one of either generation."""
    return [one for one in (classic.find(cloud, name), targeting.find(cloud, name)) if one is not None]


def _allowed(cloud: Cloud, wanted: Wanted) -> None:
    for one in named(cloud, wanted.name):
        if one.kind == wanted.kind and not one.ours:
            raise NotOurBalancer(
                f"there is a {one.kind} load balancer {one.name} that this toolkit did not make",
                "choose another name; `invoke lb.register` joins a load balancer whoever made it",
            )


def _batches(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[start : start + _AT_ONCE]) for start in range(0, len(ids), _AT_ONCE)]


assert set(_BY_KIND) == set(KINDS)  # noqa: S101 - a type of load balancer without an implementation is a bug here
