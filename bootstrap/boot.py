"""Booting a node: a list of steps, run in order; the first that fails strands it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bootstrap import settings as settings_file
from bootstrap import state as state_file
from bootstrap.errors import BootstrapError, SecretError, StateError, TemplateError
from bootstrap.health import wait_until_healthy
from bootstrap.inputs import load_given, undeclared
from bootstrap.managed_file import ManagedFile
from bootstrap.services import Run, Service
from bootstrap.state import State, Word
from bootstrap.template import fill
from bootstrap.values import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bootstrap.clock import Clock
    from bootstrap.instance_tags import Publish
    from bootstrap.settings import Render, Settings
    from bootstrap.web import Ask


@dataclass(frozen=True)
class Node:
    """The doors to the machine that boots: its files, its systemd, its clock, its voice."""

    settings: Path
    inputs: Path
    state: Path
    environment: Mapping[str, str]
    run: Run
    ask: Ask
    clock: Clock
    say: Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """A part of the boot; `act` makes it so and returns what it changed, nothing when all was so already."""

    name: str
    act: Callable[[], Iterable[str]]


@dataclass
class Record:
    """What a boot has done so far."""

    changed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def boot(node: Node, instance_id: str, publish: Publish) -> State:
    """Bring the node into operation, or strand it with the reason. Raises OSError if no state can be kept."""
    record = Record()
    before = _state_before(node)
    if before is None or before.state != "operational":
        before = _report(node, publish, State("booting", _now(node), instance_id=instance_id))
    word, reason = _attempt(node, record)
    since = before.since if before.state == word else _now(node)
    state = State(word, since, reason, instance_id, tuple(record.changed), record.seconds)
    return _report(node, publish, state)


def steps(settings: Settings, node: Node) -> tuple[Step, ...]:
    """Return what a boot consists of, in order."""
    return (
        Step("render", lambda: _render_all(settings, node)),
        Step("services", lambda: _ensure_services(settings, node)),
        Step("health", lambda: _wait_for_health(settings, node)),
    )


def run_steps(todo: Sequence[Step], node: Node, record: Record) -> None:
    """Run the steps in order, one journal line each. Raises what the first failing one raises."""
    for step in todo:
        start = node.clock.monotonic()
        changed: list[str] = []
        try:
            changed.extend(step.act())
        finally:
            record.changed.extend(changed)
            record.seconds[step.name] = round(node.clock.monotonic() - start, 3)
        node.say(f"{step.name}: {', '.join(changed) or 'nothing to do'} ({record.seconds[step.name]} s)")


def _attempt(node: Node, record: Record) -> tuple[Word, str]:
    try:
        run_steps(steps(settings_file.load(node.settings), node), node, record)
    except BootstrapError as why:
        return "stranded", f"{why} ({why.hint})" if why.hint else str(why)
    except Exception as why:  # noqa: BLE001 - whatever a bug of ours raises, a node must not stay `booting` for ever
        node.say(traceback.format_exc())
        return "stranded", f"unexpected {type(why).__name__}: {why}"
    return "operational", ""


def _render_all(settings: Settings, node: Node) -> Iterable[str]:
    given = load_given(node.inputs)
    for name in undeclared([settings.script()], given):
        node.say(f"inputs: {name} is not declared by this image, not used")
    found = values(settings.script(), given, node.environment, no_secret)
    files = [_rendered(each, found) for each in settings.render]
    return [done for file in files if (done := file.ensure())]


def no_secret(_kind: str, _name: str) -> str:
    """Stand in for the way to secrets. Raises SecretError."""
    raise SecretError("there is no way to secrets here", "give the value as text:")


def _rendered(render: Render, values: Mapping[str, str | None]) -> ManagedFile:
    try:
        content = fill(render.template.read_text(encoding="utf-8"), values)
    except (OSError, ValueError) as why:
        raise TemplateError(f"{render.template}: {why}", hint="is it shipped by the image's spec?") from why
    except TemplateError as why:
        raise TemplateError(f"{render.template}: {why}", hint=why.hint) from why
    return ManagedFile(render.target, content, render.mode, render.owner, render.group)


def _ensure_services(settings: Settings, node: Node) -> Iterable[str]:
    configured = max(
        (datetime.fromtimestamp(each.target.stat().st_mtime, UTC) for each in settings.render), default=None
    )
    for unit in settings.services:
        if done := Service(unit, node.run).ensure(configured):
            yield done


def _wait_for_health(settings: Settings, node: Node) -> Iterable[str]:
    wait_until_healthy(settings.health_url, settings.health_budget_seconds, node.ask, node.clock)
    return ()


def _report(node: Node, publish: Publish, state: State) -> State:
    node.say(f"state: {state.state}" + (f": {state.reason}" if state.reason else ""))
    state_file.save(state, node.state)
    publish(state)
    return state


def _state_before(node: Node) -> State | None:
    try:
        return state_file.load(node.state)
    except StateError:
        return None


def _now(node: Node) -> str:
    return node.clock.now().isoformat(timespec="milliseconds")
