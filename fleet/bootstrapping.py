"""Running boot scripts on many nodes at once: one that is dead does not hold up the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fleet import node_report
from fleet.errors import FleetError
from fleet.node_order import COMMAND
from fleet.node_report import UNKNOWN, ScriptRun, Step

if TYPE_CHECKING:
    from fleet.node_order import Order
    from fleet.reach import Ended, Hear, Reach, Target

# A connection is a thread or two here and little else; what works is on the nodes.
_AT_ONCE = 32
_NOT_FOUND = 127
AS_UNIT = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--")
"""As at boot, with systemd's environment, which may name region and endpoint; a login's has neither."""


@dataclass(frozen=True)
class Outcome:
    """What became of one node."""

    target: Target
    state: str = UNKNOWN
    reason: str = ""
    scripts: tuple[ScriptRun, ...] = ()
    error: str = ""
    """Why it failed; empty when it did as it was told."""
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "instance_id": self.target.instance_id,
            "address": self.target.address,
            "state": self.state,
            "reason": self.reason,
            "scripts": [one.document() for one in self.scripts],
            "error": self.error,
            "seconds": round(self.seconds, 3),
        }


Watch = Callable[["Target", "Step | Outcome"], None]
"""Hears of every script as it runs and ends, and of every node's end; from several threads."""


def run(
    order: Order,
    targets: Sequence[Target],
    reach: Reach,
    watch: Watch = lambda *_: None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Outcome, ...]:
    """Run the order on all nodes in parallel; return what became of each, in the order of the targets."""

    def one(target: Target) -> Outcome:
        began = clock()
        outcome = _attempt(order, target, reach, watch, lambda: clock() - began)
        watch(target, outcome)
        return outcome

    if not targets:
        return ()
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(targets))) as pool:
        return tuple(pool.map(one, targets))


def _attempt(order: Order, target: Target, reach: Reach, watch: Watch, spent: Callable[[], float]) -> Outcome:
    hear = partial(_heard, target, watch)
    try:
        if order.run_list == "operational" and not order.script:
            return _operational(order, target, reach, hear, spent)
        return _outcome(target, reach.run(target, (*AS_UNIT, *order.argv()), hear), spent())
    except FleetError as why:
        what = str(why).removeprefix(f"{target}: ")
        return Outcome(target, error=f"{what} ({why.hint})" if why.hint else what, seconds=spent())


def _operational(
    order: Order, target: Target, reach: Reach, hear: Hear, spent: Callable[[], float]
) -> Outcome:
    """The scripts of the node's operational run list, one by one until one fails."""
    listed = reach.run(target, (*AS_UNIT, COMMAND, "list", "--json"), hear)
    if listed.exit_code:
        return Outcome(target, error=_complaint(listed), seconds=spent())
    reports = []
    for script in node_report.operational(listed.stdout):
        ended = reach.run(target, (*AS_UNIT, *order.argv(script)), hear)
        outcome = _outcome(target, ended, spent())
        reports.append(node_report.Report("", outcome.state, outcome.reason, outcome.scripts))
        if outcome.error:
            return Outcome(target, *_parts(reports), error=outcome.error, seconds=spent())
    return Outcome(target, *_parts(reports), seconds=spent()) if reports else Outcome(target, seconds=spent())


def _parts(reports: Sequence[node_report.Report]) -> tuple[str, str, tuple[ScriptRun, ...]]:
    whole = node_report.together(reports)
    return whole.state, whole.reason, whole.scripts


def _outcome(target: Target, ended: Ended, seconds: float) -> Outcome:
    if ended.exit_code and not ended.stdout.strip():
        return Outcome(target, error=_complaint(ended), seconds=seconds)
    told = node_report.report(ended.stdout)
    failed = next((f"{one.name}: {one.error}" for one in told.scripts if one.error), "")
    error = (failed or told.reason or _complaint(ended)) if ended.exit_code else ""
    return Outcome(target, told.state, told.reason, told.scripts, error, seconds)


def _complaint(ended: Ended) -> str:
    if ended.exit_code == _NOT_FOUND or "Failed to find executable" in ended.stderr:
        return f"{COMMAND} is not there: is this node of a baked image?"
    return ended.last_words


def _heard(target: Target, watch: Watch, line: str) -> None:
    if step := node_report.step(line):
        watch(target, step)
