"""Ansible and pyinfra, pinned, in an environment of their own, and what they ship."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.spec import load
from bake.steps.command import Command
from bake.steps.tree import Tree
from bake.steps.venv import Venv
from bench.ours import steps_of
from bench.programs import programs as installed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bake.steps import Step

_PINS = Path(__file__).with_name("rivals.txt")


def programs() -> Path:
    """The folder that holds `ansible-playbook` and `pyinfra`; made once per set of pins and Python."""
    return installed(*_PINS.read_text().split())


def payload(spec: Path, folder: Path) -> dict[str, Any]:
    """What both of them ship, as archives in a folder, and what they must be told."""
    folder.mkdir()
    steps = steps_of(spec)
    for step in steps:
        if isinstance(step, Tree):
            (folder / f"{Path(step.path).name}.tar").write_bytes(step.archive())
        if isinstance(step, Venv):
            _pack(step, folder)
    variables = dict(load(spec).variables)
    told: dict[str, Any] = {
        "payload": str(folder),
        "templates": str(spec.parent / "templates"),
        "bootstrap": str(spec.parent.parent / "bootstrap"),
        "variables": variables,
        "sysctl": dict(_sysctl(steps)),
        "idle_modules": idle_modules(steps),
    }
    (folder / "told.json").write_text(json.dumps({**variables, **told}))
    return told


def _pack(step: Venv, folder: Path) -> None:
    name = step.lock.name.removesuffix(".txt")
    lock = folder / f"{name}.txt"
    lock.write_text(step.lock.text)
    with tarfile.open(folder / f"{name}-wheels.tar", "w") as tar:
        for wheel in sorted(step.wheels(step.lock, step.target).glob("*.whl")):
            tar.add(wheel, wheel.name)
        tar.add(lock, "lock.txt")


def idle_modules(steps: Iterable[Step]) -> list[str]:
    """The modules of Apache that the spec takes out."""
    words = next(
        step.command.split() for step in steps if isinstance(step, Command) and "a2dismod" in step.command
    )
    return [word for word in words[1:] if not word.startswith("-")]


def _sysctl(steps: Iterable[Step]) -> Any:
    from bake.steps.sysctl import Sysctl

    return next(step.settings for step in steps if isinstance(step, Sysctl))
