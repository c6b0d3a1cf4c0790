"""What `node-bootstrap` shows: as JSON, and for people."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bootstrap.inputs import effective
from bootstrap.preparation import Preparation
from bootstrap.settings import RunLists
from bootstrap.shelf import Shelved
from bootstrap.state import State


def of_state(state: State) -> list[str]:
    """Return a state, line by line."""
    return [
        f"{state.state} since {state.since}" + (f" on {state.instance_id}" if state.instance_id else ""),
        *([f"  reason: {state.reason}"] if state.reason else []),
        *(f"  {one.line()}" for one in state.scripts),
    ]


def scripts(ready: Preparation) -> list[dict[str, Any]]:
    """Return the scripts of this node as JSON has them. Raises HeaderError or ScriptError."""
    shelved = [ready.shelf.take(name) for name in ready.shelf.names()]
    return [_script(one, ready) for one in shelved]


def of_scripts(documents: list[dict[str, Any]]) -> list[str]:
    """Return them, line by line."""
    return [f"{one['name']:<14} {', '.join(one['run_lists']) or '-':<28} {one['title']}" for one in documents]


def inputs(ready: Preparation) -> list[dict[str, Any]]:
    """Return the inputs of this node as JSON has them; secrets by their names alone.

    Raises like `scripts`.
    """
    headers = [ready.settings.script(), *(one.header for one in ready.every_script().values())]
    found: dict[str, dict[str, Any]] = {}
    for header in headers:
        for spec in header.inputs.values():
            typed = effective(spec, ready.given)
            held = found.setdefault(
                spec.name,
                {"name": spec.name, "value": typed, "required": spec.required, "fault": "", "scripts": []},
            )
            held["scripts"].append(header.name)
            held["required"] = held["required"] or spec.required
            held["fault"] = held["fault"] or spec.fault(typed)
    for held in found.values():
        if held["required"] and held["value"] == "ignore":
            held["fault"] = "is required"
    return [found[name] for name in sorted(found)]


def of_inputs(documents: list[dict[str, Any]]) -> list[str]:
    """Return them, line by line."""
    return [
        f"{one['name']:<24} {one['value']}" + (f"  <- {one['fault']}" if one["fault"] else "")
        for one in documents
    ]


def _script(script: Shelved, ready: Preparation) -> dict[str, Any]:
    header = script.header
    return {
        "name": header.name,
        "title": header.title,
        "run_lists": [one.name for one in fields(RunLists) if header.name in getattr(ready.lists, one.name)],
        "packages": list(header.packages),
        "debian_packages": list(header.debian_packages()),
        "inputs": list(header.inputs),
        "attachments": list(header.attachments),
    }
