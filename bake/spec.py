"""The spec file, read at one door into frozen values."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bake.errors import SpecError
from bake.steps import KINDS
from bake.steps.option import Option, Options, Settings
from bake.table import Table

ARCHITECTURES = ("x86_64", "arm64")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_IMAGE = re.compile(r"[a-z][a-z0-9.-]*[a-z0-9]")


@dataclass(frozen=True)
class StepTable:
    """One [[step]]: its kind and the checked options, not yet read or rendered."""

    kind: str
    options: Options


@dataclass(frozen=True)
class Verify:
    """What the fresh boot of the image is tested with; paths are absolute, `inputs` go to the node."""

    tests: tuple[Path, ...] = ()
    bucket: bool = False
    inputs: Settings = ()


@dataclass(frozen=True)
class Spec:
    """One layer of an image. `base` is a public image's name, or the path of the spec beneath."""

    path: Path
    name: str
    description: str
    base: str | Path
    architecture: str
    instance_type: str
    root_volume_gib: int
    variables: Settings
    verify: Verify
    steps: tuple[StepTable, ...]


def load(path: Path) -> Spec:
    """Read and check one spec file.

    Raises SpecError naming the file, the key and what would be right.
    """
    path = path.resolve()
    table = Table(path, "the spec", _read(path))
    spec = Spec(
        path=path,
        name=table.matching("name", _NAME, "lower-case letters, digits and dashes"),
        description=table.text("description", ""),
        base=_base(table),
        architecture=table.choice("architecture", ARCHITECTURES),
        instance_type=table.text("instance_type", "t3.small"),
        root_volume_gib=table.size("root_volume_gib", 8),
        variables=table.settings("vars"),
        verify=_verify(table.table("verify")),
        steps=tuple(_step(each) for each in table.tables("step")),
    )
    table.finish()
    return spec


def layers(path: Path) -> tuple[Spec, ...]:
    """The spec and those beneath it, bottom first. Raises SpecError for a cycle or mixed architectures."""
    found: list[Spec] = []
    following: str | Path = path.resolve()
    while isinstance(following, Path):
        chain = [spec.path for spec in found]
        if following in chain:
            names = " -> ".join(each.name for each in [*chain, following])
            raise SpecError(
                f"specs stand on each other in a circle: {names}", hint="one `base` must be a public image"
            )
        spec = load(following)
        if found and spec.architecture != found[0].architecture:
            raise SpecError(
                f"{found[0].path}: `architecture` is {found[0].architecture},"
                f" but {spec.path.name} beneath is {spec.architecture}",
                hint="layers share one architecture: say the same in both files",
            )
        found.append(spec)
        following = spec.base
    return tuple(reversed(found))


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as why:
        raise SpecError(f"{path}: there is no such spec file", hint="specs are kept in bake/*.toml") from why
    except tomllib.TOMLDecodeError as why:
        raise SpecError(f"{path}: not TOML: {why}") from why


def _base(table: Table) -> str | Path:
    value = table.text("base")
    if value.endswith(".toml"):
        return table.existing("base", value, folder=False)
    if not _IMAGE.fullmatch(value):
        raise table.wrong(
            "base", "a public image such as debian-13, or the path of another spec ending in .toml"
        )
    return value


def _verify(table: Table) -> Verify:
    tests = tuple(table.existing("tests", each, folder=None) for each in table.texts("tests"))
    verify = Verify(tests, table.flag("bucket"), table.settings("inputs"))
    table.finish()
    return verify


def _step(table: Table) -> StepTable:
    kinds = _kinds(table)
    if len(kinds) != 1:
        said = f"names {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "names no kind"
        raise SpecError(
            f"{table.path}: {table.where} {said}",
            hint=f"{table.guess(KINDS)}a step has exactly one of: {', '.join(KINDS)}",
        )
    kind = KINDS[kinds[0]]
    _exactly_one(table, kind.one_of)
    values = [(option.name, table.option(option)) for option in kind.options if _spoken(table, option)]
    table.finish(option.name for option in kind.options)
    return StepTable(kind.kind, Options(tuple(values)))


def _spoken(table: Table, option: Option) -> bool:
    return option.required or option.default is not None or option.name in table.data


def _kinds(table: Table) -> list[str]:
    """The kinds a table names; `group` beside `file` is the file's group, not a second kind."""
    named = [key for key in table.data if key in KINDS]
    options = {(kind, option.name) for kind in named for option in KINDS[kind].options}
    return [key for key in named if not any((other, key) in options for other in named if other != key)]


def _exactly_one(table: Table, names: tuple[str, ...]) -> None:
    given = [name for name in names if name in table.data]
    if names and len(given) != 1:
        raise SpecError(
            f"{table.path}: {table.where} has {' and '.join(f'`{name}`' for name in given) or 'no content'}",
            hint=f"give exactly one of: {', '.join(names)}",
        )
