"""What is done to a deployment as a whole: each converges, and says what it changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet import inputs_check, roll_record
from fleet.act import act
from fleet.actual import describe, owned
from fleet.command import Desk, at_work, told
from fleet.errors import NotThere
from fleet.node import Node, chosen, described
from fleet.node_actions import PutScaling, Start, Stop
from fleet.outcome import Done
from fleet.plan import Plan, plan
from fleet.service import until_up
from fleet.teardown import teardown

if TYPE_CHECKING:
    from fleet.actions import Action

# One for what is seen at first, one for what a command that gave way had asked for in that moment.
_ROUNDS = 2


@dataclass(frozen=True)
class Nodes:
    """Which nodes a command is for."""

    template: str = ""
    count: int | None = None
    node: str = ""


def show_plan(desk: Desk) -> Plan:
    """What `up` would do."""
    site = desk.resolved()
    return plan(site.need, describe(desk.cloud, site.need))


def up(desk: Desk) -> Done | Plan:
    """Make a deployment as its file wants it, and wait until all nodes are in service.

    Raises NotUp where no node comes into service, naming each and why.
    """
    first = show_plan(desk)
    if desk.dry_run:
        return first
    inputs_check.check(desk.cloud, desk.site.need)
    look = desk.site.watch().look()
    if not first.actions and look.all_up:
        return Done(first.deployment, (), look.standings, notes=first.notes)
    changed: list[str] = []
    with at_work(desk, changed) as site:
        act(site, show_plan(desk).actions, changed)
        look = until_up(site.watch(), site.progress.note, site.check)
        if any(kind.scaling for kind in site.need.kinds):
            # How long a boot takes is known only now.
            measured = [one for one in show_plan(desk).actions if isinstance(one, PutScaling)]
            act(site, measured, changed)
    return told(desk, changed, look, first.notes)


def down(desk: Desk) -> Done | Plan:
    """End a deployment and all that it owns. A command at work on it is asked to give way."""
    names = desk.site.names

    def left() -> Plan:
        return teardown(desk.deployment, names, owned(desk.cloud, desk.deployment, names))

    first = left()
    if desk.dry_run:
        return first
    if not first.actions:
        if roll_record.load(desk.cloud, names):
            roll_record.forget(desk.cloud, names)
        return Done(names.deployment)
    changed: list[str] = []
    with at_work(desk, changed, insist=True) as site:
        # What a command that gave way had asked for may appear after the first look.
        for _ in range(_ROUNDS):
            act(site, left().actions, changed)
        roll_record.forget(desk.cloud, names)
    return Done(names.deployment, tuple(changed))


def stop(desk: Desk, which: Nodes) -> Done | Plan:
    """Drain and stop nodes, all or some; they can be started again."""

    def actions() -> list[Action]:
        found = _plain(desk, which)
        resting = sum(one.ec2_state in ("stopped", "stopping") for one in found)
        running = [one for one in found if one.up]
        count = None if which.count is None else max(0, which.count - resting)
        picked = chosen(running, "", count) if running else ()
        return [Stop(name, ids) for name, ids in _by_template(picked)]

    return _on_nodes(desk, actions, ())


def start(desk: Desk, which: Nodes) -> Done | Plan:
    """Start stopped nodes, all or some, and wait until they are in service."""

    def actions() -> list[Action]:
        found = _plain(desk, which)
        resting = [one for one in found if not one.up]
        lacking = None if which.count is None else max(0, which.count - sum(one.up for one in found))
        return [Start(name, ids) for name, ids in _by_template(resting[:lacking])]

    return _on_nodes(desk, actions, tuple(one.id for one in _plain(desk, which) if one.up))


def restart(desk: Desk, which: Nodes) -> Done | Plan:
    """Stop nodes and start them again, one after another, so that the others serve meanwhile."""
    site = desk.resolved()
    running = [one for one in _plain(desk, which) if one.up]
    picked = chosen(running, "", which.count) if running else ()
    steps: list[Action] = []
    for one in picked:
        steps += [Stop(one.template, (one.id,)), Start(one.template, (one.id,))]
    if desk.dry_run or not steps:
        return Plan(site.names.deployment, tuple(steps)) if desk.dry_run else Done(site.names.deployment)
    changed: list[str] = []
    with at_work(desk, changed) as held:
        for one in picked:
            act(held, [Stop(one.template, (one.id,)), Start(one.template, (one.id,))], changed)
            look = until_up(held.watch(), held.progress.note, held.check, [one.id])
            if not look.all_up:
                break
    return told(desk, changed, look)


def _on_nodes(desk: Desk, actions: Callable[[], list[Action]], awaited: Sequence[str]) -> Done | Plan:
    site, first = desk.resolved(), actions()
    if desk.dry_run:
        return Plan(site.names.deployment, tuple(first))
    watch = site.watch()
    if not first and watch.look(awaited).all_up:
        return Done(site.names.deployment, (), watch.look().standings)
    changed: list[str] = []
    with at_work(desk, changed) as held:
        todo = actions()
        act(held, todo, changed)
        started = [node for one in todo if type(one) is Start for node in one.ids]
        until_up(held.watch(), held.progress.note, held.check, [*awaited, *started])
    return told(desk, changed, held.watch().look(), waited=[*awaited, *started])


def _plain(desk: Desk, which: Nodes) -> tuple[Node, ...]:
    """The nodes meant, none of which an auto scaling group may keep: it would replace what is stopped."""
    found = chosen(described(desk.cloud, desk.deployment.name), which.template, None, which.node)
    if not found:
        raise NotThere(f"{desk.deployment.name} has no nodes", "`invoke fleet.up` brings it up")
    if kept := [one for one in found if one.group]:
        raise NotThere(
            f"{kept[0].id} is kept by the auto scaling group {kept[0].group}, which replaces what is stopped",
            f"`invoke fleet.scale --template {kept[0].template} --count N` asks for fewer nodes",
        )
    return found


def _by_template(found: Sequence[Node]) -> list[tuple[str, tuple[str, ...]]]:
    names = dict.fromkeys(one.template for one in found)
    return [(name, tuple(one.id for one in found if one.template == name)) for name in names]
