"""What is done about roll-outs: begun, foreseen, gone on with, taken back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws.ownership import moment
from fleet import alarms, launch_templates, refreshing, roll_record
from fleet.act import act
from fleet.actions import PutTemplate
from fleet.actual import describe
from fleet.command import at_work, told
from fleet.errors import Locked, NotThere, RolledBack, UnderWay
from fleet.node import spread
from fleet.node_actions import AwaitService, Terminate
from fleet.node_actions import Launch as LaunchNodes
from fleet.outcome import Done as Outcome
from fleet.plan import Plan, count_of, outdated, plan
from fleet.roll_record import Order, Record, Turn
from fleet.rolling import CANARY_ENDS, Rolling
from fleet.rollout import Launch, Retire, Standing, moves
from fleet.traffic import traffic

if TYPE_CHECKING:
    from aws.patience import Clock
    from fleet.act import Site
    from fleet.actions import Action
    from fleet.actual import Actual
    from fleet.command import Desk
    from fleet.deployment import Deployment
    from fleet.service import Look
    from fleet.wanted import Kind

_BEFORE = timedelta(minutes=5)


def with_image(deployment: Deployment, order: Order) -> Deployment:
    """The deployment with another image for one template or all. Raises NotThere."""
    names = [one.name for one in deployment.templates]
    if order.template and order.template not in names:
        raise NotThere(f"the file has no template {order.template!r}", f"it has {', '.join(names)}")
    if not order.image:
        return deployment
    changed = tuple(
        replace(one, image=order.image) if order.template in ("", one.name) else one
        for one in deployment.templates
    )
    return replace(deployment, templates=changed)


def roll(desk: Desk, order: Order, clock: Clock = time) -> Outcome | Plan:
    """Replace the nodes that are out of date.

    Raises RolledBack where the new ones did worse, UnderWay where another roll-out has not ended.
    """
    asked = desk.deployment
    desk.deployment = with_image(asked, order)
    site = desk.resolved()
    if left := roll_record.load(desk.cloud, site.names):
        raise UnderWay(
            f"a roll-out begun at {left.since} by {left.run} has not ended",
            "`invoke fleet.roll --resume` goes on with it, `invoke fleet.roll --abort` takes it back",
        )
    actual = describe(desk.cloud, site.need)
    kinds = _concerned(site, order, actual)
    if desk.dry_run:
        return _foreseen(site, order, kinds, actual)
    if not kinds:
        return Outcome(site.names.deployment, (), site.watch().look().standings)
    changed: list[str] = []
    with at_work(desk, changed) as held:
        rolling = Rolling(held, _begun(held, order, kinds, actual), changed, clock)
        rolling.through()
    return _told(desk, changed, rolling.last, _beside_the_file(asked, order))


def resume(desk: Desk, clock: Clock = time) -> Outcome:
    """Go on with a roll-out that was paused or cut short, towards where it was going.

    Raises UnderWay where the deployment file says something else by now.
    """
    record = _need_record(desk)
    changed: list[str] = []
    site = _pinned(desk, record)
    if not record.back and (
        other := [one for one, turn in record.turns.items() if site.need.kind(one).digest != turn.new_digest]
    ):
        raise UnderWay(
            f"{', '.join(other)}: the deployment file has changed since the roll-out began at {record.since}",
            "`invoke fleet.roll --abort` takes it back; or undo what was changed in the file",
        )
    with at_work(desk, changed) as held:
        roll_record.wished(desk.cloud, held.names)
        if not record.back:
            act(held, _templates(held, list(record.turns), describe(desk.cloud, held.need)), [])
        rolling = Rolling(held, record, changed, clock)
        rolling.through()
    return _told(desk, changed, rolling.last)


def abort(desk: Desk, clock: Clock = time) -> Outcome:
    """Take a roll-out back; where a process is at work on it, that one is asked to."""
    record = replace(_need_record(desk), back=True)
    changed: list[str] = []
    _pinned(desk, record)
    try:
        with at_work(desk, changed) as held:
            roll_record.wished(desk.cloud, held.names)
            Rolling(held, record, changed, clock).through()
    except Locked as busy:
        if "fleet.roll" not in str(busy):
            raise
        roll_record.wish(desk.cloud, desk.site.names, "abort")
        return Outcome(desk.site.names.deployment, ("~ the process at work is asked to take it back",))
    except RolledBack:
        changed = changed or ["~ the roll-out is forgotten: no node was of the new image yet"]
    return _told(desk, changed)


def pause(desk: Desk) -> Outcome:
    """Ask the process that is at work on a roll-out to rest after its next step."""
    _need_record(desk)
    roll_record.wish(desk.cloud, desk.site.names, "pause")
    return Outcome(desk.site.names.deployment, ("~ the roll-out is asked to rest",))


def _pinned(desk: Desk, record: Record) -> Site:
    """The site with the roll-out's images, whatever is the newest of their names by now. Raises NotThere."""
    names = {one.name for one in desk.deployment.templates}
    if gone := sorted(record.turns.keys() - names):
        raise NotThere(
            f"the file has no template {gone[0]!r} any more, of which a roll-out has not ended",
            "put it back into the file until the roll-out has ended",
        )
    turns = record.turns
    pinned = tuple(
        replace(one, image=turns[one.name].image_id) if one.name in turns else one
        for one in desk.deployment.templates
    )
    desk.deployment = replace(desk.deployment, templates=pinned)
    return desk.resolved()


def _concerned(site: Site, order: Order, actual: Actual) -> list[Kind]:
    """The kinds that have nodes out of date. Raises NotThere where nothing is up."""
    if not actual.templates:
        raise NotThere(f"{site.names.deployment} is not up", "`invoke fleet.up` brings it up")
    chosen = [kind for kind in site.need.kinds if order.template in ("", kind.name)]
    return [
        kind
        for kind in chosen
        if outdated(kind, [one for one in actual.nodes if one.template == kind.name])
        and kind.name in actual.templates
        and (not kind.scaling or kind.name in actual.scaling)
    ]


def _begun(site: Site, order: Order, kinds: Sequence[Kind], actual: Actual) -> Record:
    """Measure what is, remember what was, and have new nodes launched as they are wanted."""
    turns = {kind.name: _turn(site, kind, actual) for kind in kinds}
    now = datetime.now(UTC)
    before = traffic(site.cloud, site.balancers(), now - _BEFORE)
    rang = tuple(alarms.ringing(site.cloud, site.names))
    record = Record(site.run.id, moment(now), order, before, turns, rang)
    roll_record.wished(site.cloud, site.names)
    roll_record.save(site.cloud, site.names, record)
    act(site, _templates(site, list(turns), actual), [])
    return record


def _turn(site: Site, kind: Kind, actual: Actual) -> Turn:
    """What most of a kind's nodes were launched from, which the launch template may not say any more."""
    there = actual.templates[kind.name]
    old = outdated(kind, [one for one in actual.nodes if one.template == kind.name])
    ((digest, _),) = Counter(one.digest for one in old).most_common(1)
    return Turn(launch_templates.version_of(site.cloud, there, digest), digest, kind.digest, kind.image.id)


def _templates(site: Site, names: Sequence[str], actual: Actual) -> list[Action]:
    found = plan(site.need, actual).actions
    return [one for one in found if isinstance(one, PutTemplate) and one.kind.name in names]


def _foreseen(site: Site, order: Order, kinds: Sequence[Kind], actual: Actual) -> Plan:
    actions: list[Action] = _templates(site, [one.name for one in kinds], actual)
    for kind in kinds:
        if kind.scaling:
            if not order.pace.in_place:
                actions += _canary(site, kind)
            actions.append(refreshing.Refresh(kind, actual.scaling[kind.name].name))
            continue
        found = [one for one in actual.nodes if one.template == kind.name and not one.group]
        old = sorted(outdated(kind, found), key=lambda one: one.up)
        fresh = tuple(one.id for one in found if one not in old)
        standing = Standing(count_of(kind, actual), tuple(one.id for one in old), fresh)
        for move in moves(standing, order.pace):
            if isinstance(move, Launch):
                zones = spread(move.count, site.need.ground.zones, found)
                actions.append(LaunchNodes(kind, tuple(zones.items())))
            elif isinstance(move, Retire):
                actions.append(Terminate(kind.name, move.ids, f"{kind.image.id} replaces them"))
            else:
                actions.append(AwaitService())
    return Plan(site.names.deployment, tuple(actions))


def _canary(site: Site, kind: Kind) -> list[Action]:
    """A new node beside a group, before the group's own are replaced."""
    zones = tuple(spread(1, site.need.ground.zones, ()).items())
    return [LaunchNodes(kind, zones), AwaitService(), Terminate(kind.name, ("new 1",), CANARY_ENDS)]


def _need_record(desk: Desk) -> Record:
    record = roll_record.load(desk.cloud, desk.site.names)
    if record is None:
        raise NotThere(
            f"no roll-out of {desk.deployment.name} is under way", "`invoke fleet.roll` begins one"
        )
    return record


def _beside_the_file(deployment: Deployment, order: Order) -> list[str]:
    """What to say where nodes are of another image than the one that the file names."""
    named = {one.image for one in deployment.templates if order.template in ("", one.name)}
    if not order.image or named == {order.image}:
        return []
    told = f"{deployment.path} still says image = {' and '.join(map(repr, sorted(named)))}"
    return [f"{told}: `fleet.up` and the next roll-out go by it"]


def _told(desk: Desk, changed: Sequence[str], seen: Look | None = None, notes: Sequence[str] = ()) -> Outcome:
    return told(desk, changed, seen or desk.site.watch().look(), notes)
