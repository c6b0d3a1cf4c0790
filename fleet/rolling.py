"""A roll-out carried out: new nodes come, are watched, and as many old ones go; or all goes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws.ownership import moment
from fleet import alarms, launch_templates, launching, refreshing, roll_record, service
from fleet.act import act
from fleet.actions import PutTemplate
from fleet.actual import describe
from fleet.command import at_work, told
from fleet.errors import DoesWorse, Locked, NotThere, RolledBack, UnderWay
from fleet.node import Node, spread
from fleet.node_actions import AwaitService, Terminate
from fleet.node_actions import Launch as LaunchNodes
from fleet.outcome import Done as Outcome
from fleet.plan import Plan, count_of, outdated, plan
from fleet.roll_record import Order, Record, Turn
from fleet.rollout import Await, Done, Launch, Retire, Standing, moves, next_move
from fleet.service import UP
from fleet.traffic import traffic
from fleet.verdict import Limits, faults

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


class Paused(Exception):
    """The roll-out rests, at somebody's wish."""


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


@dataclass
class Rolling:
    """One process's part in a roll-out."""

    desk: Desk
    site: Site
    record: Record
    changed: list[str]
    clock: Clock
    launched: int = 0

    def through(self) -> None:
        """To the end: forwards, or back where the new nodes do worse. Raises RolledBack."""
        why = "it was asked for" if self.record.back else ""
        try:
            if not why:
                why = self._forwards()
        except Paused:
            self.changed.append("~ the roll-out rests: `invoke fleet.roll --resume` goes on")
            return
        if why:
            self._backwards(why)
        roll_record.forget(self.site.cloud, self.site.names)
        if why:
            raise RolledBack(
                f"the roll-out was taken back: {why}",
                "the nodes that were there before serve; pin their `image` in the file until this is mended",
            )

    def _forwards(self) -> str:
        """Empty, or why it is to be taken back."""
        try:
            for name, turn in self.record.turns.items():
                kind = self.site.need.kind(name)
                if kind.scaling:
                    refreshing.forwards(self.site, kind, self.record.order, self._obey, self._watched)
                else:
                    self._advance(kind, _made_of(turn.new_digest), watch=True)
        except DoesWorse as bad:
            if not self.record.order.takes_back:
                raise
            return str(bad)
        return ""

    def _backwards(self, why: str) -> None:
        self.site.progress.note(f"going back: {why}")
        self.record = replace(self.record, back=True)
        roll_record.save(self.site.cloud, self.site.names, self.record)
        for name, turn in self.record.turns.items():
            there = launch_templates.described(self.site.cloud, self.site.names.deployment)[name]
            launch_templates.use(self.site.cloud, there, turn.old_version, turn.old_digest)
            kind = self.site.need.kind(name)
            if kind.scaling:
                refreshing.backwards(self.site, kind)
            else:
                self._advance(kind, _not_made_of(turn.new_digest), watch=False)

    def _advance(self, kind: Kind, good: Callable[[Node], bool], *, watch: bool) -> None:
        """One template, until all its nodes are good ones."""
        came = datetime.now(UTC)
        while True:
            if watch:
                self._obey()
            standing = self._standing(kind, good)
            move = next_move(standing, self.record.order.pace)
            if isinstance(move, Done):
                return
            if isinstance(move, Launch):
                came = self._launch(kind, move.count, good)
            elif isinstance(move, Await):
                self._await(move.ids)
                came = datetime.now(UTC)
            else:
                if watch and standing.fresh:
                    self._watched(came)
                self._retire(kind, move)

    def _standing(self, kind: Kind, good: Callable[[Node], bool]) -> Standing:
        look = self.site.watch().look()
        of_kind = [one for one in look.standings if one.node.template == kind.name and not one.node.group]
        actual = describe(self.site.cloud, self.site.need)
        # Those that rest go first: nobody misses them.
        old = sorted((one.node for one in of_kind if not good(one.node)), key=lambda one: one.up)
        new = [one for one in of_kind if good(one.node)]
        return Standing(
            wanted=count_of(kind, actual),
            old=tuple(one.id for one in old),
            fresh=tuple(one.node.id for one in new if one.verdict == UP),
            coming=tuple(one.node.id for one in new if one.verdict != UP),
        )

    def _launch(self, kind: Kind, count: int, good: Callable[[Node], bool]) -> datetime:
        site = self.site
        there = launch_templates.described(site.cloud, site.names.deployment)[kind.name]
        staying = [
            one.node
            for one in site.watch().look().standings
            if one.node.template == kind.name and good(one.node)
        ]
        zones = spread(count, site.need.ground.zones, staying)
        action = LaunchNodes(kind, tuple(zones.items()))
        self.launched += 1
        token = f"{site.run.id} {kind.name} {self.launched}"
        with site.progress.phase(f"{action.sign} {action.what}"):
            launching.launch(site.cloud, there, site.need.ground, zones, token, site.progress.note)
        self.changed.append(str(action))
        return datetime.now(UTC)

    def _await(self, ids: Sequence[str]) -> None:
        site = self.site
        with site.progress.phase(f"… until {', '.join(ids)} serve"):
            look = service.until_up(site.watch(), site.progress.note, site.check, ids, self.clock)
        if not look.all_up or len(look.standings) < len(ids):
            late = service.stories(site.cloud, look) or ["a new node is gone"]
            raise DoesWorse("new nodes do not come into service: " + "; ".join(late))

    def _retire(self, kind: Kind, move: Retire) -> None:
        why = "there are nodes of the image before" if self.record.back else f"{kind.image.id} replaces them"
        act(self.site, [Terminate(kind.name, move.ids, why)], self.changed)

    def _watched(self, since: datetime) -> None:
        """Look at new nodes for a while. Raises DoesWorse where things are worse than they were before."""
        site, order = self.site, self.record.order
        until = self.clock.monotonic() + order.watch_seconds
        with site.progress.phase(f"… watch the new nodes for {order.watch_seconds:g} s"):
            while self.clock.monotonic() < until:
                site.check()
                self._obey()
                self.clock.sleep(_LOOK_SECONDS)
            after = traffic(site.cloud, site.balancers(), since)
        rings = [one for one in alarms.ringing(site.cloud, site.names) if one not in self.record.rang]
        wrong = [*faults(self.record.before, after, Limits()), *(f"the alarm {one} rings" for one in rings)]
        if wrong:
            raise DoesWorse("; ".join(wrong))

    def _obey(self) -> None:
        """Do as somebody wishes. Raises Paused, or DoesWorse to go back."""
        wish = roll_record.wished(self.site.cloud, self.site.names)
        if wish == "pause":
            raise Paused
        if wish == "abort":
            self.record = replace(self.record, order=replace(self.record.order, takes_back=True))
            raise DoesWorse("it was asked for")


def _made_of(digest: str) -> Callable[[Node], bool]:
    return lambda node: node.digest == digest


def _not_made_of(digest: str) -> Callable[[Node], bool]:
    return lambda node: node.digest != digest


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
