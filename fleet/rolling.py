"""A roll-out carried out: new nodes come, are watched, and as many old ones go; or all goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet import alarms, launch_templates, launching, refreshing, roll_record, service
from fleet.act import act
from fleet.actual import Actual
from fleet.errors import DoesWorse, RolledBack
from fleet.node import Node, spread
from fleet.node_actions import Launch as LaunchNodes
from fleet.node_actions import Terminate
from fleet.plan import count_of
from fleet.roll_record import Paused, Record, Turn
from fleet.rollout import Await, Done, Launch, Move, Retire, Standing, next_move
from fleet.service import LOST, UP, Look, balancers_of
from fleet.watching import faults_since

if TYPE_CHECKING:
    from aws.patience import Clock
    from fleet.act import Site
    from fleet.launch_templates import ActualTemplate
    from fleet.wanted import Kind

CANARY_ENDS = "the group launches its own"
_LOOK_SECONDS = 2.0
# Of more nodes than these is said how many they are.
_NAMED = 5


@dataclass(frozen=True)
class _Way:
    """One template's way: to what is wanted now, or back to what its nodes were made of."""

    kind: Kind
    turn: Turn
    forwards: bool

    def leads_to(self, node: Node) -> bool:
        """Whether a node is as all are to be."""
        return (node.digest == self.turn.new_digest) == self.forwards

    @property
    def launches(self) -> bool:
        """Whether nodes can be launched: what the old ones came from may not be there any more."""
        return self.forwards or bool(self.turn.old_version)


@dataclass
class Rolling:
    """One process's part in a roll-out."""

    site: Site
    record: Record
    changed: list[str]
    clock: Clock
    launched: int = 0
    given_up: set[str] = field(default_factory=set)
    """Nodes of the image before that do not come into service either, on the way back."""
    seen: dict[str, ActualTemplate] = field(default_factory=dict)
    """The launch templates, as the last look found them."""
    staying: tuple[Node, ...] = ()
    """The good nodes that served at that look, and those that came since."""
    last: Look | None = None
    """The last look at all nodes, unless something has been done since."""

    def through(self) -> None:
        """To the end: forwards, or back where the new nodes do worse. Raises RolledBack."""
        why = "it was asked for" if self.record.back else ""
        self.site = self.site.with_balancers()
        try:
            why = why or self._forwards()
        except Paused:
            rests = "the roll-out rests: `invoke fleet.roll --resume` goes on"
            self.site.progress.note(rests)
            self.changed.append(f"~ {rests}")
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
                    if not self.record.order.pace.in_place:
                        self._try_out(_Way(kind, turn, forwards=True))
                    self.last = None
                    refreshing.forwards(
                        self.site, kind, self.record.order, self._alarms(), self._obey, self._watched
                    )
                    self.changed.append(f"~ {self.site.names.of(name)} refreshed to {turn.image_id}")
                else:
                    self._advance(_Way(kind, turn, forwards=True))
        except DoesWorse as bad:
            if not self.record.order.takes_back:
                hint = "all is left as it is; `fleet.roll --resume` goes on, `fleet.roll --abort` goes back"
                raise DoesWorse(str(bad), hint) from bad
            return str(bad)
        return ""

    def _alarms(self) -> list[str]:
        """The names of the deployment's alarms that did not ring before."""
        named = [alarms.name_of(one, self.site.names) for one in self.site.need.deployment.alarms]
        return [one for one in named if one not in self.record.rang]

    def _backwards(self, why: str) -> None:
        self.site.progress.note(f"going back: {why}")
        self.record = replace(self.record, back=True)
        roll_record.save(self.site.cloud, self.site.names, self.record)
        for name, turn in self.record.turns.items():
            there = launch_templates.described(self.site.cloud, self.site.names.deployment)[name]
            if turn.old_version:
                launch_templates.use(self.site.cloud, there, turn.old_version, turn.old_digest)
            kind = self.site.need.kind(name)
            if kind.scaling:
                self._end_canary(_Way(kind, turn, forwards=True))
                refreshing.backwards(self.site, kind)
                self.changed.append(f"~ {self.site.names.of(name)} refreshed to what was before")
            else:
                self._advance(_Way(kind, turn, forwards=False))

    def _try_out(self, way: _Way) -> None:
        """A canary beside a group, which would replace its nodes whether load balancers take new ones or not.

        One that somebody has begun is gone on with; a group that has new nodes already has had one.
        """
        came, standing = datetime.now(UTC), self._standing(way)
        around = [one.node for one in self.last.standings] if self.last else []
        theirs = [one for one in around if one.template == way.kind.name and one.group]
        if not any(way.leads_to(one) for one in theirs):
            canary = (*standing.fresh, *standing.coming) or self._launch(way.kind, 1)
            self._await(canary, forwards=True)
            self._watched(came, 1 / (len(theirs) + 1))
        self._end_canary(way)

    def _end_canary(self, way: _Way) -> None:
        standing, self.last = self._standing(way), None
        if canary := (*standing.fresh, *standing.coming):
            act(self.site, [Terminate(way.kind.name, canary, CANARY_ENDS)], self.changed)

    def _advance(self, way: _Way) -> None:
        """One template, until all its nodes are good ones.

        How they stand follows from what was done, but before nodes go, and at the end, it is looked again.
        """
        came, watched, looked = datetime.now(UTC), not way.forwards, True
        standing = self._standing(way)
        while True:
            if way.forwards:
                self._obey()
            move = next_move(standing, self.record.order.pace)
            ends = isinstance(move, Retire | Done)
            if ends and standing.fresh and not watched:
                self._watched(came, len(standing.fresh) / standing.all)
                watched, looked = True, False
            elif ends and not looked:
                standing, looked = self._looked_again(way, standing, move), True
            elif isinstance(move, Done) or (isinstance(move, Launch) and not way.launches):
                return
            else:
                standing, looked = self._moved(way, move, standing), False
                if isinstance(move, Await):
                    came, watched = datetime.now(UTC), not way.forwards

    def _moved(self, way: _Way, move: Move, standing: Standing) -> Standing:
        """How a template's nodes stand after a move."""
        self.last = None
        if isinstance(move, Launch):
            return standing.launched(self._launch(way.kind, move.count))
        if isinstance(move, Await):
            self._await(move.ids, forwards=way.forwards)
            return standing.arrived()
        if isinstance(move, Retire):
            self._retire(way.kind, move)
            return standing.without(move.ids)
        return standing

    def _standing(self, way: _Way) -> Standing:
        """How a template's nodes stand. On the way back nobody waits for nodes that were lost before."""
        kind, self.last = way.kind, self.site.watch().look()
        plain = [one for one in self.last.standings if one.node.template == kind.name and not one.node.group]
        new = [one for one in plain if way.leads_to(one.node)]
        old = [one for one in plain if not way.leads_to(one.node)]
        # Those that do not serve go first: nobody misses them.
        old.sort(key=lambda one: one.verdict == UP)
        passed = self.given_up | (
            set() if way.forwards else {one.node.id for one in new if one.verdict == LOST}
        )
        self.seen = launch_templates.described(self.site.cloud, self.site.names.deployment)
        self.staying = tuple(one.node for one in new if one.verdict == UP or one.node.id in passed)
        return Standing(
            wanted=count_of(kind, Actual(templates=self.seen)),
            old=tuple(one.node.id for one in old),
            fresh=tuple(one.id for one in self.staying),
            coming=tuple(one.node.id for one in new if one.verdict != UP and one.node.id not in passed),
        )

    def _looked_again(self, way: _Way, standing: Standing, move: Move) -> Standing:
        """How nodes stand before old ones go, or at the end."""
        behind = balancers_of(self.site.need, way.kind.name)
        if way.forwards and behind and isinstance(move, Retire):
            return self._seen_by_balancers(way.kind, standing)
        return self._standing(way)

    def _seen_by_balancers(self, kind: Kind, standing: Standing) -> Standing:
        """How nodes stand, as load balancers see them.

        To describe nodes is what costs, so only the new ones are that do not serve, if there are any.
        """
        watch = self.site.watch()
        serving = watch.serving(kind.name)
        silent = [one for one in standing.fresh if one not in serving]
        there = [one.node.id for one in watch.look(silent).standings] if silent else []
        self.staying = tuple(one for one in self.staying if one.id in serving)
        return replace(
            standing,
            old=tuple(sorted(standing.old, key=lambda one: one in serving)),
            fresh=tuple(one for one in standing.fresh if one in serving),
            coming=tuple(there),
        )

    def _launch(self, kind: Kind, count: int) -> tuple[str, ...]:
        site, there = self.site, self.seen[kind.name]
        zones = spread(count, site.need.ground.zones, self.staying)
        action = LaunchNodes(kind, tuple(zones.items()))
        self.launched += 1
        token = f"{site.run.id} {kind.name} {self.launched}"
        with site.progress.phase(f"{action.sign} {action.what}"):
            ids = launching.launch(site.cloud, there, site.need.ground, zones, token, site.progress.note)
        self.changed.append(str(action))
        return ids

    def _await(self, ids: Sequence[str], *, forwards: bool) -> None:
        site = self.site

        def check() -> None:
            site.check()
            if forwards:
                self._obey()

        them = ", ".join(ids) if len(ids) <= _NAMED else f"{len(ids)} nodes"
        with site.progress.phase(f"… until {them} serve"):
            look = service.until_up(site.watch(), site.progress.note, check, ids, self.clock)
        self.staying += tuple(one.node for one in look.standings)
        if look.all_up and len(look.standings) == len(ids):
            return
        late = service.stories(site.cloud, look) or ["a new node is gone"]
        if forwards:
            raise DoesWorse("new nodes do not come into service: " + "; ".join(late))
        self.given_up.update(one.node.id for one in look.standings if one.verdict != UP)

    def _retire(self, kind: Kind, move: Retire) -> None:
        why = "there are nodes of the image before" if self.record.back else f"{kind.image.id} replaces them"
        act(self.site, [Terminate(kind.name, move.ids, why)], self.changed)

    def _watched(self, since: datetime, share: float) -> None:
        """Look at new nodes, a share of all, for a while. Raises DoesWorse where things are worse."""
        with self.site.progress.phase(f"… watch the new nodes for {self.record.order.watch_seconds:g} s"):
            wrong = faults_since(self.site, self.record, since, share, self.clock, self._look_up)
        if wrong:
            raise DoesWorse("; ".join(wrong))

    def _look_up(self) -> None:
        self.site.check()
        self._obey()
        self.clock.sleep(_LOOK_SECONDS)

    def _obey(self) -> None:
        """Do as somebody wishes. Raises Paused, or DoesWorse to go back."""
        wish = roll_record.wished(self.site.cloud, self.site.names)
        if wish == "pause":
            raise Paused
        if wish == "abort":
            self.record = replace(self.record, order=replace(self.record.order, takes_back=True))
            raise DoesWorse("it was asked for")
