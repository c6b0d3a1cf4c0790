"""Typed inputs: what an image declares, what a node was given, and the values that follow from both."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.errors import InputsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NAME = re.compile(r"[A-Z][A-Z0-9_]*")
TYPES = "text:VALUE, env:VARIABLE, blank or ignore"


@dataclass(frozen=True)
class Input:
    """One input an image declares; `default` is typed like a given value."""

    name: str
    required: bool = False
    default: str = "ignore"
    description: str = ""


def fault(typed: str) -> str:
    """Say what is wrong with a typed value, or nothing. Never repeats the value: it may be a secret."""
    kind, colon, value = typed.partition(":")
    if typed in ("blank", "ignore") or (kind in ("text", "env") and value):
        return ""
    if kind in ("text", "env") and colon:
        return f"has nothing after {kind}:, say blank or ignore"
    return f"has no known type, use {TYPES}"


def value_of(typed: str, environment: Mapping[str, str]) -> str | None:
    """Return what a well-formed typed value stands for; None for `ignore` and for an unset variable."""
    kind, _, value = typed.partition(":")
    if kind == "text":
        return value
    if kind == "env":
        return environment.get(value)
    return "" if kind == "blank" else None


def resolve(
    declared: Sequence[Input], given: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str | None]:
    """Return a value for every declared input: given by the node, else the default, else None.

    Raises InputsError once, naming every input that is malformed or missing.
    """
    typed = {each.name: given.get(each.name, each.default) for each in declared}
    problems = [f"{name} {wrong}" for name, text in typed.items() if (wrong := fault(text))]
    if not problems:
        values = {name: value_of(text, environment) for name, text in typed.items()}
        problems = list(_missing(declared, typed, values))
    if problems:
        raise InputsError(
            "inputs: " + "; ".join(problems),
            hint="set them in inputs.json (the launch's user data writes it), then run node-bootstrap boot",
        )
    return values


def undeclared(declared: Sequence[Input], given: Mapping[str, str]) -> list[str]:
    """Return the names a node was given that its image does not know."""
    return sorted(set(given) - {each.name for each in declared})


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


def _missing(
    declared: Sequence[Input], typed: Mapping[str, str], values: Mapping[str, str | None]
) -> Iterator[str]:
    for each in declared:
        if each.required and values[each.name] is None:
            source = typed[each.name]
            yield f"{each.name} is required" + (f" and {source} is not set" if source != "ignore" else "")
