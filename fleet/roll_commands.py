"""What is done about roll-outs: begun, foreseen, gone on with, taken back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws.ownership import moment
from fleet import alarms, refreshing, roll_record
from fleet.act import act
from fleet.actions import PutTemplate
from fleet.actual import describe
from fleet.command import at_work, told
from fleet.errors import Locked, NotThere, UnderWay
from fleet.node import spread
from fleet.node_actions import AwaitService, Terminate
from fleet.node_actions import Launch as LaunchNodes
from fleet.outcome import Done as Outcome
from fleet.plan import Plan, count_of, outdated, plan
from fleet.roll_record import Order, Record, Turn
from fleet.rolling import Rolling
from fleet.rollout import Launch, Retire, Standing, moves
from fleet.traffic import traffic

if TYPE_CHECKING:
    from aws.patience import Clock
    from fleet.act import Site
    from fleet.actions import Action
    from fleet.actual import Actual
    from fleet.command import Desk
    from fleet.deployment import Deployment
    from fleet.wanted import Kind

_BEFORE = timedelta(minutes=5)
_LOOK_SECONDS = 2.0


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
    desk.deployment = with_image(desk.deployment, order)
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
        record = _begun(held, order, kinds, actual)
        Rolling(desk, held, record, changed, clock).through()
    return _told(desk, changed)


def resume(desk: Desk, clock: Clock = time) -> Outcome:
    """Go on with a roll-out that was paused or cut short, towards where it was going."""
    return _go_on(desk, clock, back=None)


def abort(desk: Desk, clock: Clock = time) -> Outcome:
    """Take a roll-out back; where a process is at work on it, that one is asked to."""
    return _go_on(desk, clock, back=True)


def pause(desk: Desk) -> Outcome:
    """Ask the process that is at work on a roll-out to rest after its next step."""
    _need_record(desk)
    roll_record.wish(desk.cloud, desk.site.names, "pause")
    return Outcome(desk.site.names.deployment, ("~ the roll-out is asked to rest",))


def _go_on(desk: Desk, clock: Clock, *, back: bool | None) -> Outcome:
    record = _need_record(desk)
    desk.deployment = with_image(desk.deployment, record.order)
    desk.resolved()
    changed: list[str] = []
    try:
        with at_work(desk, changed) as held:
            wanted = replace(record, back=record.back if back is None else back)
            roll_record.wished(desk.cloud, held.names)
            roll_record.save(desk.cloud, held.names, wanted)
            Rolling(desk, held, wanted, changed, clock).through()
    except Locked:
        if not back:
            raise
        roll_record.wish(desk.cloud, desk.site.names, "abort")
        return Outcome(desk.site.names.deployment, ("~ the process at work is asked to take it back",))
    return _told(desk, changed)


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
    ]


def _begun(site: Site, order: Order, kinds: Sequence[Kind], actual: Actual) -> Record:
    """Measure what is, remember what was, and have new nodes launched as they are wanted."""
    turns = {
        kind.name: Turn(there.version, there.digest, kind.digest)
        for kind in kinds
        for there in (actual.templates[kind.name],)
    }
    now = datetime.now(UTC)
    before = traffic(site.cloud, site.balancers(), now - _BEFORE)
    rang = tuple(alarms.ringing(site.cloud, site.names))
    record = Record(site.run.id, moment(now), order, before, turns, rang)
    roll_record.wished(site.cloud, site.names)
    roll_record.save(site.cloud, site.names, record)
    act(site, _templates(site, kinds, actual), [])
    return record


def _templates(site: Site, kinds: Sequence[Kind], actual: Actual) -> list[Action]:
    names = {kind.name for kind in kinds}
    found = plan(site.need, actual).actions
    return [one for one in found if isinstance(one, PutTemplate) and one.kind.name in names]


def _foreseen(site: Site, order: Order, kinds: Sequence[Kind], actual: Actual) -> Plan:
    actions: list[Action] = _templates(site, kinds, actual)
    for kind in kinds:
        if kind.scaling:
            actions.append(refreshing.Refresh(kind, actual.scaling[kind.name].name))
            continue
        found = [one for one in actual.nodes if one.template == kind.name and not one.group]
        old = outdated(kind, found)
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


def _need_record(desk: Desk) -> Record:
    record = roll_record.load(desk.cloud, desk.site.names)
    if record is None:
        raise NotThere(
            f"no roll-out of {desk.deployment.name} is under way", "`invoke fleet.roll` begins one"
        )
    return record


def _told(desk: Desk, changed: Sequence[str]) -> Outcome:
    return told(desk, changed, desk.site.watch().look())
