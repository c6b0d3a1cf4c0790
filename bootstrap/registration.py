"""Joining load balancers and leaving them, several at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from bootstrap.act import Act
from bootstrap.apache import healthy
from bootstrap.backoff import Jitter, start_delay
from bootstrap.errors import BootstrapError, RegistrationError
from bootstrap.registration_classic import ClassicLoadBalancer
from bootstrap.registration_sight import SETTLING_SECONDS, Balancer
from bootstrap.registration_target import TargetGroup
from bootstrap.scaling import attached, membership, target_state

_SHORTEST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
# So many nodes may ask once a second without being throttled.
_NODES_A_SECOND = 10


def register(act: Act, jitter: Jitter = random.uniform) -> None:
    """Be in service with every load balancer in the inputs; one describing call each when all is so.

    The node itself must be healthy first. Raises NotHealthyError, RegistrationError, ApiError or
    UnreachableError;
    a node that was added just now is then taken out again, so that no stranded node is left in a load
    balancer.
    """
    balancers = _self_registered(act)
    if not balancers:
        return
    healthy(act)
    seen = {one: one.look() for one in balancers}
    newcomers = [one for one, sight in seen.items() if not sight.registered or sight.leaving]
    if newcomers and not act.dry_run:
        act.clock.sleep(start_delay(int(act.number("DEPLOYMENT_SIZE", 1)), jitter))
    joined: list[Balancer] = []
    try:
        for one in newcomers:
            act.change(f"registered with {one.name}", one.register)
            joined.append(one)
        if not act.dry_run:
            _wait_in_service(
                act, [one for one, sight in seen.items() if not sight.in_service], joined, jitter
            )
    except BootstrapError:
        _take_back(act, joined)
        raise


def deregister(act: Act, jitter: Jitter = random.uniform) -> None:
    """Leave every load balancer in the inputs, and wait until connections have really drained.

    On a reboot only if DEREGISTER_ON_REBOOT says so. Raises RegistrationError, ApiError or UnreachableError.
    """
    if act.text("DECOM_REASON") == "reboot" and not act.flag("DEREGISTER_ON_REBOOT"):
        act.say("a reboot: the node stays registered, see the input DEREGISTER_ON_REBOOT")
        return
    leaving: list[Balancer] = []
    for one in balancers_of(act):
        try:
            sight = one.look()
        except RegistrationError as why:
            act.say(f"{why}: nothing to leave")
            continue
        if sight.registered:
            leaving.append(one)
        if sight.registered and not sight.leaving:
            act.change(f"deregistered from {one.name}", one.deregister)
    if not act.dry_run:
        _wait_drained(act, leaving, jitter)


def balancers_of(act: Act) -> list[Balancer]:
    """Return the load balancers in the inputs.

    Raises RegistrationError on a machine that nobody can register.
    """
    classic, groups = act.texts("CLASSIC_LOAD_BALANCERS"), act.texts("TARGET_GROUPS")
    if not classic and not groups:
        return []
    if not act.instance_id:
        raise RegistrationError(
            "this node does not know its instance id, so it cannot be registered",
            "does the metadata service answer? see node-bootstrap status",
        )
    return [
        *(ClassicLoadBalancer(act.api, name, act.instance_id) for name in dict.fromkeys(classic)),
        *(TargetGroup(act.api, arn, act.instance_id) for arn in dict.fromkeys(groups)),
    ]


def _self_registered(act: Act) -> list[Balancer]:
    """Those that the node itself must join: what an auto scaling group has attached, the group registers."""
    balancers = balancers_of(act)
    if not balancers:
        return []
    aim = target_state(act.metadata)
    if not aim:
        return balancers
    if aim.startswith("Warmed"):
        act.say("the node goes into a warm pool: not registered")
        return []
    place = membership(act.api, act.instance_id)
    theirs = attached(act.api, place.group) if place else frozenset()
    for one in balancers:
        if one.known_as in theirs:
            act.say(f"{one.name}: the auto scaling group registers its nodes")
    return [one for one in balancers if one.known_as not in theirs]


def _wait_in_service(
    act: Act, waiting: Sequence[Balancer], joined: Sequence[Balancer], jitter: Jitter
) -> None:
    paces = {one: one.joining() for one in waiting}
    start = act.clock.monotonic()

    def arrived(one: Balancer) -> bool:
        return one.look().in_service

    def overdue(one: Balancer) -> None:
        budget = paces[one].budget_seconds
        if act.clock.monotonic() - start > budget:
            said = one.look().text
            raise RegistrationError(
                f"{one.name} did not take this node into service within {budget:g} s; it says: {said}",
                "is its health check right, may it reach the port? see the runbook in bootstrap/README.md",
            )

    # What has been joined just now has had no time to check often enough; the others may be done any moment.
    soonest = (pace.soonest_seconds if one in joined else 0.0 for one, pace in paces.items())
    act.clock.sleep(min(soonest, default=0.0))
    interval = min((pace.interval_seconds for pace in paces.values()), default=0.0) / 4
    _wait(act, waiting, arrived, overdue, interval, jitter)


def _wait_drained(act: Act, leaving: Sequence[Balancer], jitter: Jitter) -> None:
    budgets = {one: one.draining_seconds() + SETTLING_SECONDS for one in leaving}
    start = act.clock.monotonic()

    def gone(one: Balancer) -> bool:
        return not one.look().registered

    def overdue(one: Balancer) -> None:
        if act.clock.monotonic() - start > budgets[one]:
            raise RegistrationError(
                f"{one.name} has not let this node go within {budgets[one]:g} s",
                "see 'drains too long' in the runbook of bootstrap/README.md",
            )

    _wait(act, leaving, gone, overdue, _SHORTEST_PAUSE_SECONDS, jitter)


def _wait(
    act: Act,
    balancers: Sequence[Balancer],
    done: Callable[[Balancer], bool],
    overdue: Callable[[Balancer], None],
    interval: float,
    jitter: Jitter,
) -> None:
    """Ask those that are not done again and again, the more seldom the more nodes ask at the same time."""
    crowd = act.number("DEPLOYMENT_SIZE", 1) / _NODES_A_SECOND
    pause = min(max(interval, crowd, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
    waiting = list(balancers)
    while waiting := [one for one in waiting if not done(one)]:
        for one in waiting:
            overdue(one)
        act.clock.sleep(jitter(0.8 * pause, 1.2 * pause))


def _take_back(act: Act, joined: Sequence[Balancer]) -> None:
    for one in joined:
        try:
            act.change(f"deregistered from {one.name} again", one.deregister)
        except BootstrapError as why:
            act.say(f"{one.name}: not deregistered again: {why}")
