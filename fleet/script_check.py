"""Boot scripts checked before they are baked: headers, inputs, run lists, what bears no repeating."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap import inputs as inputs_of
from bootstrap.errors import BootstrapError
from bootstrap.header import Script, parse
from fleet import new_script, repetition, shellcheck
from fleet.errors import FleetError
from fleet.node_order import RUN_LISTS
from fleet.script_findings import Finding

_HEADER = re.compile(r"^\s*(#|//|--)\s*---\s*$", re.MULTILINE)
_LIBRARY = "bootstrap.act"
"""A script that uses it reads its inputs there, out of sight from here."""


@dataclass(frozen=True)
class Checked:
    """A script's file, its header where that can be read, and what was found."""

    name: str
    header: Script | None
    findings: tuple[Finding, ...]


def scripts_in(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that are scripts. Raises FleetError when it is none."""
    if not folder.is_dir():
        raise FleetError(f"there is no folder {folder}", "name one with --folder")
    return tuple(sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")))


def has_header(text: str) -> bool:
    """Whether a header begins in a script, right or wrong."""
    return _HEADER.search(text) is not None


def check(path: Path, ask: shellcheck.Ask | None = None) -> Checked:
    """Check one script; without `ask`, shell is not looked at by shellcheck."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as why:
        return Checked(path.name, None, (Finding(path.name, 0, "error", f"cannot be read: {why}"),))
    found = list(_of_file(path, text))
    try:
        header = parse(text, path.name)
    except BootstrapError as why:
        found.append(Finding(path.name, 0, "error", str(why).removeprefix(f"{path.name}: ")))
        header = None
    if header is not None:
        found += _of_inputs(header, text)
        found += _of_attachments(header, path.parent)
    found += [Finding(path.name, line, "hint", what) for line, what in repetition.hints(text)]
    if ask is not None and new_script.language_of(text) == "shell":
        found += ask(path)
    return Checked(path.name, header, tuple(sorted(found, key=lambda one: (one.line, one.what))))


def check_run_lists(settings: Path, known: Iterable[str]) -> Iterator[Finding]:
    """What the run lists of an image's settings name and is not there. Raises FleetError when unreadable."""
    try:
        table = tomllib.loads(settings.read_text())
    except (OSError, ValueError) as why:
        raise FleetError(f"{settings}: cannot be read: {why}", "name other settings with --settings") from why
    names, lists = set(known), table.get("run_lists", {})
    for name, scripts in lists.items():
        if name not in RUN_LISTS:
            yield Finding(settings.name, 0, "error", f"there is no run list {name!r}: {', '.join(RUN_LISTS)}")
        for one in scripts:
            if one not in names:
                yield Finding(settings.name, 0, "error", f"run list {name}: there is no script {one!r}")


def check_given(headers: Sequence[Script], given: Mapping[str, str]) -> Iterator[Finding]:
    """What the scripts lack of the inputs that they are to be given, and what none of them takes."""
    for one in inputs_of.missing(headers, given):
        yield Finding(", ".join(one.scripts), 0, "error", f"the input {one.name} {one.why}")
    for name in inputs_of.undeclared(headers, given):
        yield Finding("inputs", 0, "hint", f"no script declares {name}")


def _of_file(path: Path, text: str) -> Iterator[Finding]:
    if not text.startswith("#!"):
        yield Finding(path.name, 1, "error", "the first line does not name what runs it: #!/bin/sh")
    if not os.access(path, os.X_OK):
        yield Finding(path.name, 0, "error", f"may not be executed: chmod +x {path.name}")


def _of_inputs(header: Script, text: str) -> Iterator[Finding]:
    if _LIBRARY in text:
        return
    used = {one.name for one in new_script.variables(text, new_script.language_of(text))}
    for name in sorted(used - header.inputs.keys()):
        yield Finding(header.name, 0, "error", f"reads {name}, which its header does not declare as an input")
    for name in sorted(name for name in header.inputs if name not in used and name not in _body(text)):
        yield Finding(header.name, 0, "hint", f"declares the input {name} and does not read it")


def _body(text: str) -> str:
    """What follows the header."""
    return text.partition("\n# ...\n")[2]


def _of_attachments(header: Script, folder: Path) -> Iterator[Finding]:
    for one in header.attachments:
        if not (folder / "attachments" / one).exists():
            yield Finding(header.name, 0, "error", f"its attachment {one} is not in {folder}/attachments")
