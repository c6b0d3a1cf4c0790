"""Ansible and pyinfra, pinned, in an environment of their own, and what they ship."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.spec import load
from bake.steps.tree import Tree
from bake.steps.venv import Venv
from bench.errors import BenchError
from bench.ours import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bake.steps import Step

_PINS = Path(__file__).with_name("rivals.txt")


def programs() -> Path:
    """The folder that holds `ansible-playbook` and `pyinfra`; made once per set of pins and Python."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amibake" / "bench"
    pins = hashlib.sha256(_PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    kept = cache / pins
    if not (kept / "complete").exists():
        venv.create(kept, clear=True, with_pip=True)
        argv = [str(kept / "bin" / "pip"), "install", "-q", "-r", str(_PINS)]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise BenchError(f"pip could not install {_PINS.read_text().split()}: {ended.stderr[-800:]}")
        (kept / "complete").touch()
    return kept / "bin"


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


def _sysctl(steps: Iterable[Step]) -> Any:
    from bake.steps.sysctl import Sysctl

    return next(step.settings for step in steps if isinstance(step, Sysctl))
