"""Booting a node, taking it out of service, and running single scripts on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from bootstrap.errors import BootstrapError
from bootstrap.inputs import check
from bootstrap.node import Node
from bootstrap.preparation import check_inputs, prepare
from bootstrap.scaling import Gate, membership, target_state, waiting_hooks
from bootstrap.state import Result, State
from bootstrap.visit import Visit, visit, why_failed

Reason = Literal["manual", "reboot", "shutdown"]


def boot(node: Node, more: Mapping[str, str] | None = None, *, dry_run: bool = False) -> State:
    """Bring the node into operation, or strand it with the reason. Raises OSError if no state can be kept."""
    with visit(node, more, dry_run=dry_run) as now:
        in_operation = now.before is not None and now.before.state == "operational"
        if not in_operation:
            now.report(now.new("booting"))
        gate = None if in_operation or dry_run else _gate(now)
        results: list[Result] = []
        reason = _attempt_boot(now, results, gate.beat if gate else _nothing)
        state = now.conclude(now.new("stranded" if reason else "operational", reason, results))
        if gate:
            gate.complete(well=not reason)
        return state


def decommission(node: Node, reason: Reason, *, dry_run: bool = False) -> State:
    """Take the node out of service, as far as it goes: after a script that fails the next one still runs.

    Raises OSError if no state can be kept.
    """
    with visit(node, dry_run=dry_run) as now:
        now.report(now.new("decommissioning"))
        gate = None if dry_run else _gate(now)
        results: list[Result] = []
        failed = _attempt_leaving(now, results, gate.beat if gate else _nothing, reason)
        state = now.conclude(now.new("decommissioned", failed, results))
        if gate:
            gate.complete(well=True)
        return state


def run(node: Node, name: str, more: Mapping[str, str], *, dry_run: bool = False) -> State:
    """Run one script of this node, leaving its state as it is; the result is in `scripts`.

    Raises BootstrapError when it cannot be begun, OSError if no turn can be had.
    """
    with visit(node, more, dry_run=dry_run) as now:
        ready = prepare(node, more)
        script = ready.shelf.take(name)
        check([script.header], ready.given)
        before = now.before or now.new("booting")
        result = now.runner(ready, [script], _nothing, DECOM_REASON="manual").run(script)
        return State(before.state, before.since, result.error or before.reason, before.instance_id, (result,))


def _attempt_boot(now: Visit, results: list[Result], meanwhile: Callable[[], None]) -> str:
    """Run the boot list up to the first script that fails; return why, nothing when all went well."""
    try:
        ready = prepare(now.node, now.more)
        check_inputs(now.node, ready, ready.lists.boot)
        scripts = ready.scripts("boot")
        runner = now.runner(ready, scripts, meanwhile)
        for script in scripts:
            results.append(runner.run(script))
            if results[-1].error:
                return f"{results[-1].name}: {results[-1].error}"
    except Exception as why:  # noqa: BLE001 - whatever a bug of ours raises, a node must not stay `booting` for ever
        return why_failed(now.node, why)
    return ""


def _attempt_leaving(now: Visit, results: list[Result], meanwhile: Callable[[], None], reason: Reason) -> str:
    try:
        ready = prepare(now.node, {})
        scripts = ready.scripts("decommission")
        runner = now.runner(ready, scripts, meanwhile, DECOM_REASON=reason)
        results.extend(runner.run(one) for one in scripts)
    except Exception as why:  # noqa: BLE001 - the machine is going down; what can still be done is
        return why_failed(now.node, why)
    return "; ".join(f"{one.name}: {one.error}" for one in results if one.error)


def _gate(now: Visit) -> Gate | None:
    """Return what holds this node at the door of its auto scaling group, None where nothing does."""
    if not now.me.instance_id:
        return None
    try:
        if not target_state(now.node.metadata):
            return None
        place = membership(now.api(), now.me.instance_id)
        hooks = waiting_hooks(now.api(), place) if place else ()
    except BootstrapError as why:
        now.node.say(f"auto scaling: {why} ({why.hint})")
        return None
    if not place or not hooks:
        return None
    return Gate(now.api(), now.node.clock, now.node.say, now.me.instance_id, place.group, hooks)


def _nothing() -> None:
    """Have nothing to do meanwhile."""
