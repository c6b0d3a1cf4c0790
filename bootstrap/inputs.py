"""Inputs: what scripts declare, what a node was given, and what is missing before it is launched.

Precedence: script < server template < deployment < server. The last three are merged at the
desk, by `merged`; a script's own default stands in last, on the node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import InputsError
from bootstrap.header import InputSpec, Script
from bootstrap.typed import TYPES


@dataclass(frozen=True)
class Missing:
    """An input that is not as its scripts need it: `why` completes the sentence that begins with `name`."""

    name: str
    why: str
    scripts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.why} ({', '.join(self.scripts)})"


def merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """Return typed values by name, a later layer's over an earlier one's: template, deployment, server."""
    return {name: typed for layer in layers for name, typed in layer.items()}


def missing(scripts: Iterable[Script], given: Mapping[str, str]) -> list[Missing]:
    """Return all that is missing or malformed for these scripts, sorted by name; never a value."""
    found: dict[tuple[str, str], list[str]] = {}
    for script in scripts:
        for spec in script.inputs.values():
            if why := _why(spec, given):
                found.setdefault((spec.name, why), []).append(script.name)
    return [Missing(name, why, tuple(names)) for (name, why), names in sorted(found.items())]


def check(scripts: Iterable[Script], given: Mapping[str, str]) -> None:
    """Raise InputsError once, naming everything that is missing or malformed."""
    if wrong := missing(scripts, given):
        raise InputsError(
            "inputs: " + "; ".join(map(str, wrong)),
            hint="give them in the deployment file; on a node in /etc/amibake/inputs.json, then boot again",
        )


def undeclared(scripts: Iterable[Script], given: Mapping[str, str]) -> list[str]:
    """Return the names that were given and that no script declares."""
    return sorted(set(given) - {name for script in scripts for name in script.inputs})


def effective(spec: InputSpec, given: Mapping[str, str]) -> str:
    """Return the typed value an input has: what was given, else its default, else `ignore`."""
    return given.get(spec.name, spec.default or "ignore")


def load_given(path: Path) -> dict[str, str]:
    """Read the node's inputs; a node without the file was given none.

    Raises InputsError when the file is not a flat JSON object of strings.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as why:
        raise InputsError(f"{path}: cannot be read: {why}", hint=_SHAPE) from why
    if not isinstance(given, dict):
        raise InputsError(f"{path}: is not a JSON object", hint=_SHAPE)
    if wrong := [name for name, typed in given.items() if not isinstance(typed, str)]:
        raise InputsError(f"{path}: no string: {', '.join(wrong)}", hint=_SHAPE)
    return given


_SHAPE = f'write a flat object such as {{"NAME": "text:value"}}; a value is {TYPES}'


def _why(spec: InputSpec, given: Mapping[str, str]) -> str:
    typed = effective(spec, given)
    if wrong := spec.fault(typed):
        return wrong
    if spec.required and typed == "ignore":
        return "is required and cannot be ignored" if spec.name in given else "is required"
    return ""
