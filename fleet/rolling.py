"""A roll-out carried out: new nodes come, are watched, and as many old ones go; or all goes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fleet import alarms, launch_templates, launching, refreshing, roll_record, service
from fleet.act import act
from fleet.actual import describe
from fleet.errors import DoesWorse, RolledBack
from fleet.node import Node, spread
from fleet.node_actions import Launch as LaunchNodes
from fleet.node_actions import Terminate
from fleet.plan import count_of
from fleet.roll_record import Record
from fleet.rollout import Await, Done, Launch, Retire, Standing, next_move
from fleet.service import UP
from fleet.traffic import traffic
from fleet.verdict import Limits, faults

if TYPE_CHECKING:
    from aws.patience import Clock
    from fleet.act import Site
    from fleet.command import Desk
    from fleet.wanted import Kind

_BEFORE = timedelta(minutes=5)
_LOOK_SECONDS = 2.0


class Paused(Exception):
    """The roll-out rests, at somebody's wish."""


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
