"""What a node says of a run: its JSON document at the end, and a line for each script meanwhile. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fleet.errors import FleetError

UNKNOWN = "unknown"
_DONE = re.compile(r"(?P<name>[\w.-]+): (?P<what>.*) \((?P<seconds>\d+\.\d+) s\)")
_SAYS = re.compile(r"(?P<name>[\w.-]+)\| (?P<text>.*)")
_NOTHING = "nothing to do"


class ReportError(FleetError):
    """What a node answered is no report."""


@dataclass(frozen=True)
class ScriptRun:
    """A script: what it changed, how long it took, and why it failed, if it did."""

    name: str
    changed: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "changed": list(self.changed),
            "seconds": self.seconds,
            "error": self.error,
        }


@dataclass(frozen=True)
class Report:
    """A node's word."""

    instance_id: str
    state: str
    reason: str = ""
    scripts: tuple[ScriptRun, ...] = ()


@dataclass(frozen=True)
class Step:
    """A script that runs (`seconds` is None), or has."""

    name: str
    seconds: float | None = None
    changed: bool = False
    failed: bool = False


def report(text: str) -> Report:
    """The report that a node's standard output is. Raises ReportError."""
    try:
        held = json.loads(text)
        return Report(
            held["instance_id"], held["state"], held.get("reason", ""), tuple(map(_script, held["scripts"]))
        )
    except (ValueError, TypeError, KeyError, AttributeError) as why:
        raise ReportError(
            f"the node's answer is no report: {text.strip()[:120] or 'it is empty'!r}",
            "is the node of an older image? `node-bootstrap boot --json` on it shows what it answers",
        ) from why


def step(line: str) -> Step | None:
    """What a line that a node writes meanwhile tells of a script, if it does."""
    if found := _DONE.fullmatch(line.strip()):
        what = found["what"]
        failed = what.startswith("failed: ")
        changed = not failed and what != _NOTHING
        return Step(found["name"], float(found["seconds"]), changed, failed)
    if found := _SAYS.fullmatch(line.strip()):
        return Step(found["name"])
    return None


def together(reports: Iterable[Report]) -> Report:
    """One report of several, the last one's state: what the scripts of a run list said one by one."""
    told = list(reports)
    last = told[-1]
    return Report(
        last.instance_id, last.state, last.reason, tuple(one for each in told for one in each.scripts)
    )


def operational(text: str) -> tuple[str, ...]:
    """The scripts of a node's operational run list, in the order of `node-bootstrap list --json`.

    Those that its decommission list names too take a node out of service: they are run by name alone.
    """
    try:
        listed = [(one["name"], one["run_lists"]) for one in json.loads(text)]
        return tuple(name for name, lists in listed if "operational" in lists and "decommission" not in lists)
    except (ValueError, TypeError, KeyError) as why:
        raise ReportError(
            f"the node's run lists cannot be read: {text.strip()[:120]!r}",
            "run its scripts one by one: --script",
        ) from why


def _script(held: Any) -> ScriptRun:
    changed = held["changed"]
    listed = tuple(map(str, changed)) if isinstance(changed, list) else ("changed",) * bool(changed)
    return ScriptRun(held["name"], listed, float(held.get("seconds") or 0), held.get("error") or "")
