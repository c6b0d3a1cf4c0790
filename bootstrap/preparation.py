"""What a node is to do: its settings, the inputs it was given, its run lists and the scripts they name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bootstrap import settings as settings_file
from bootstrap.errors import SettingsError
from bootstrap.inputs import check, load_given, merged, undeclared
from bootstrap.node import Node
from bootstrap.settings import RunLists, Settings
from bootstrap.shelf import Shelf, Shelved
from bootstrap.typed import array


@dataclass(frozen=True)
class Preparation:
    """All that was read before anything is done.

    `given` are typed values, the image's defaults among them.
    """

    settings: Settings
    lists: RunLists
    given: Mapping[str, str]
    shelf: Shelf

    def scripts(self, name: str) -> list[Shelved]:
        """Return the scripts of a run list. Raises ScriptError or HeaderError."""
        names: Sequence[str] = getattr(self.lists, name)
        return [self.shelf.take(each) for each in names]

    def every_script(self) -> dict[str, Shelved]:
        """Return the scripts of all run lists by name. Raises ScriptError or HeaderError."""
        return {one.header.name: one for each in fields(RunLists) for one in self.scripts(each.name)}


def prepare(node: Node, more: Mapping[str, str]) -> Preparation:
    """Read what this node is to do; `more` inputs win over those it was launched with.

    Raises SettingsError or InputsError.
    """
    settings = settings_file.load(node.places.settings)
    lists = run_lists(node.places.run_lists, settings.run_lists)
    given = merged(_of_image(settings), load_given(node.places.inputs), more)
    return Preparation(settings, lists, given, Shelf(node.places.scripts))


def check_inputs(node: Node, ready: Preparation, names: Sequence[str]) -> None:
    """Raise InputsError once for all that is missing; say which inputs nobody has asked for."""
    scripts = ready.every_script()
    headers = [one.header for one in scripts.values()]
    told = load_given(node.places.inputs)
    for name in undeclared([*headers, ready.settings.script()], told):
        node.say(f"inputs: {name} is declared by no script here, not used")
    check([ready.settings.script(), *(scripts[name].header for name in names)], ready.given)


def run_lists(path: Path, default: RunLists) -> RunLists:
    """Return the run lists that this node was launched with, `default` for those it was not.

    Raises SettingsError when the file is no such thing.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return settings_file.run_lists(held, default)
    except FileNotFoundError:
        return default
    except (OSError, ValueError, SettingsError) as why:
        raise SettingsError(
            f"{path}: {why}", hint='write {"boot": ["configure", …], "decommission": […]}'
        ) from why


def _of_image(settings: Settings) -> dict[str, str]:
    declared = {one.name: one.default for one in settings.inputs if one.default not in (None, "ignore")}
    return {
        "HEALTH_URL": f"text:{settings.health_url}",
        "HEALTH_BUDGET_SECONDS": f"text:{settings.health_budget_seconds}",
        "SERVICES": array(*settings.services) if settings.services else "ignore",
        **{name: typed for name, typed in declared.items() if typed},
    }
