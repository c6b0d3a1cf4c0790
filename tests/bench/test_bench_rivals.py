"""What the rivals of `bench.bake` are told is what our own spec says, so that all do the same work."""

from __future__ import annotations

from pathlib import Path

import pytest

from bake.steps.absent import Absent
from bake.steps.file import File
from bake.steps.folder import Folder
from bake.steps.link import Link
from bake.steps.packages import Packages
from bake.steps.tree import Tree
from bake.steps.unit import Unit
from bake.steps.user import User
from bake.steps.venv import Venv
from bench.cloud import ROOT
from bench.ours import steps_of
from bench.rivals import idle_modules

HERE = Path(__file__).parent
STEPS = steps_of(ROOT / "bake" / "resizer.toml")


def things() -> list[str]:
    """What the spec names: every place, package, unit and account."""
    named: list[str] = []
    for step in STEPS:
        if isinstance(step, (Absent, File, Folder, Link, Tree, Venv)):
            named.append(step.path)
        if isinstance(step, (Unit, User)):
            named.append(step.name)
        if isinstance(step, Packages):
            named += [each.partition("=")[0] for each in step.names]
    return sorted(set(named))


@pytest.mark.parametrize("rival", ["ansible/playbook.yml", "pyinfra/deploy.py"])
@pytest.mark.parametrize("thing", things())
def test_a_rival_is_told_of_everything_in_the_spec(rival: str, thing: str) -> None:
    assert thing in (HERE / rival).read_text()


def test_the_modules_to_take_out_are_read_from_the_spec() -> None:
    modules = idle_modules(STEPS)
    assert {"autoindex", "negotiation"} <= set(modules)
    assert all(module.replace("_", "").isalnum() for module in modules)
