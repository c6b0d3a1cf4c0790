"""A TOML table read key by key, with errors that name file, key and what would be right."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from bake.errors import SpecError
from bake.steps.option import Option, Settings, Takes, Value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Table:
    """One table of a spec file. What is not taken by the time of `finish` is an unknown key."""

    def __init__(self, path: Path, where: str, data: dict[str, object]) -> None:
        self.path = path
        self.where = where
        self.data = data
        self.known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """A string; empty only if that is the default."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.wrong(key, Takes.TEXT.value)
        return value

    def matching(self, key: str, pattern: re.Pattern[str], words: str) -> str:
        """A string of a certain form."""
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise self.wrong(key, words)
        return value

    def choice(self, key: str, values: tuple[str, ...]) -> str:
        """One of `values`, by default the first."""
        value = self.text(key, values[0])
        if value not in values:
            raise self.wrong(key, f"one of {', '.join(values)}")
        return value

    def flag(self, key: str) -> bool:
        """A truth value, by default false."""
        value = self._take(key, default=False)
        if not isinstance(value, bool):
            raise self.wrong(key, Takes.FLAG.value)
        return value

    def size(self, key: str, default: int) -> int:
        """A whole number above zero."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, "a whole number above zero")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, by default empty."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, "a list of non-empty strings")
        return tuple(value)

    def settings(self, key: str) -> Settings:
        """A table of strings and numbers as sorted pairs of strings, by default empty."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(_is_scalar(item) for item in value.values()):
            raise self.wrong(key, Takes.SETTINGS.value)
        return tuple(sorted((name, str(item)) for name, item in value.items()))

    def table(self, key: str) -> Table:
        """A table within this one, by default empty."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return Table(self.path, f"[{key}]", value)

    def tables(self, key: str) -> tuple[Table, ...]:
        """An array of tables, by default empty."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, f"an array of tables, written [[{key}]]")
        return tuple(Table(self.path, f"{key} {number}", item) for number, item in enumerate(value, 1))

    def existing(self, key: str, value: str, *, folder: bool | None) -> Path:
        """The path `value`, relative to this file, that must exist: as a folder, a file, or (None) either."""
        path = (self.path.parent / value).resolve()
        if not (path.exists() if folder is None else path.is_dir() if folder else path.is_file()):
            raise SpecError(
                f"{self.path}: {self.where}: `{key}` names {value}, which is not there",
                hint=f"looked for {path}; paths are relative to the spec file",
            )
        return path

    def option(self, option: Option) -> Value:
        """The checked value of a step's option."""
        value = self._take(option.name, option.default)
        if value == option.default and option.default is not None:
            return option.default
        if option.takes in (Takes.FILE, Takes.FOLDER) and isinstance(value, str) and value:
            return self.existing(option.name, value, folder=option.takes is Takes.FOLDER)
        checked = _checked(option.takes, value)
        if checked is None:
            raise self.wrong(option.name, option.takes.value)
        return checked

    def finish(self, also_known: Iterable[str] = ()) -> None:
        """Refuse keys that nobody took."""
        self.known.update(also_known)
        for key in self.data.keys() - self.known:
            raise SpecError(
                f"{self.path}: {self.where} knows no key `{key}`",
                hint=f"{self.guess(self.known, key)}known here: {', '.join(sorted(self.known))}",
            )

    def guess(self, known: Iterable[str], *keys: str) -> str:
        """A did-you-mean for the given keys, by default for all of this table."""
        names = sorted(known)
        near = [match for key in keys or self.data for match in difflib.get_close_matches(key, names, 1)]
        return f"did you mean `{near[0]}`? " if near else ""

    def wrong(self, key: str, right: str) -> SpecError:
        """The error for a key whose value does not fit."""
        if key not in self.data:
            return SpecError(f"{self.path}: {self.where} lacks `{key}`", hint=f"add `{key}`: {right}")
        said = f"{self.path}: {self.where}: `{key}` is {self.data[key]!r}"
        return SpecError(said, hint=f"`{key}` takes {right}")

    def _take(self, key: str, default: object) -> object:
        self.known.add(key)
        return self.data.get(key, default)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _checked(takes: Takes, value: object) -> Value | None:
    """`value` frozen, or None if it is not what `takes` says."""
    if takes is Takes.FLAG:
        return value if isinstance(value, bool) else None
    if takes is Takes.TEXTS and isinstance(value, list) and value:
        return tuple(value) if all(isinstance(item, str) and item for item in value) else None
    if takes is Takes.SETTINGS and isinstance(value, dict) and value:
        return (
            tuple(sorted((k, str(v)) for k, v in value.items()))
            if all(map(_is_scalar, value.values()))
            else None
        )
    if not isinstance(value, str) or not value:
        return None
    form = {
        Takes.MODE: r"0?[0-7]{3,4}",
        Takes.PLACE: r"(/(?!\.{1,2}(/|$))[^/\0\n]+){2,}",
        Takes.TEXT: r"(?s).+",
    }.get(takes)
    return value if form and re.fullmatch(form, value) else None
