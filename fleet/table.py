"""A TOML table read key by key, with errors that name file, key and what would be right."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from fleet.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Pairs = tuple[tuple[str, str], ...]
"""A table of strings, frozen and sorted by name."""

NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
NAME_WORDS = "a name of lower-case letters, digits and -, at most 24 characters, a letter first"


class Table:
    """One table of a deployment file. What is not taken by the time of `finish` is an unknown key."""

    def __init__(self, path: Path, where: str, data: dict[str, object]) -> None:
        self.path = path
        self.where = where
        self.data = data
        self.known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """A string; empty only if that is the default."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and default != ""):
            raise self.wrong(key, "a text, not empty")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], words: str, default: str | None = None) -> str:
        """A string of a certain form."""
        value = self.text(key, default)
        if value != default and not pattern.fullmatch(value):
            raise self.wrong(key, words)
        return value

    def choice(self, key: str, values: tuple[str, ...]) -> str:
        """One of `values`, by default the first."""
        value = self.text(key, values[0])
        if value not in values:
            raise self.wrong(key, f"one of {', '.join(values)}")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A truth value."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, default: int | None, least: int, most: int) -> int:
        """A whole number within limits, both included."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def amount(self, key: str, default: float) -> float:
        """A number, not below zero."""
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise self.wrong(key, "a number, not below zero")
        return float(value)

    def texts(self, key: str, words: str = "a list of texts, none empty") -> tuple[str, ...]:
        """A list of strings, by default empty."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, words)
        return tuple(value)

    def pairs(self, key: str) -> Pairs:
        """A table of strings, by default empty."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self.wrong(key, 'a table of texts, such as NAME = "text:value"')
        return tuple(sorted(value.items()))

    def table(self, key: str) -> Table | None:
        """A table within this one; None when it is not there."""
        value = self._take(key, None)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return None if value is None else Table(self.path, f"[{key}]", value)

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables of a table, each with its name, in the file's order."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            raise self.wrong(key, f"tables with a name each, written [{key}.NAME]")
        for name, item in value.items():
            if not NAME.fullmatch(name):
                raise self.wrong(key, f"a table whose name is {NAME_WORDS}; {name!r} is none")
            yield name, Table(self.path, f"[{key}.{name}]", item)

    def listed(self, key: str) -> tuple[Table, ...]:
        """A list of tables, by default empty."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "a list of tables, such as [{ ... }, { ... }]")
        return tuple(
            Table(self.path, f"{self.where} {key} {number}", item) for number, item in enumerate(value, 1)
        )

    def file(self, key: str, *, folder: bool = False) -> Path | None:
        """A file, or a folder, that must exist, named relative to this one; None when none is named."""
        value = self.text(key, "")
        if not value:
            return None
        path = (self.path.parent / value).resolve()
        if not (path.is_dir() if folder else path.is_file()):
            raise DeploymentError(
                f"{self.path}: {self.where}: `{key}` names {value}, which is not there",
                f"looked for {path}; paths are relative to the deployment file",
            )
        return path

    def one_of(self, key: str, names: Iterable[str], default: str | None = None) -> str:
        """The name of something else in this file."""
        value, known = self.text(key, default), sorted(names)
        if value != default and value not in known:
            raise self.wrong(key, f"one of this file's: {', '.join(known) or 'it has none'}")
        return value

    def some_of(self, key: str, names: Iterable[str]) -> tuple[str, ...]:
        """Names of other things in this file, by default all."""
        known = tuple(names)
        value = self.texts(key) or known
        if unknown := set(value) - set(known):
            raise self.wrong(
                key, f"some of this file's: {', '.join(known)}; not {', '.join(sorted(unknown))}"
            )
        return value

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        for key in sorted(self.data.keys() - self.known):
            near = difflib.get_close_matches(key, sorted(self.known), 1)
            raise DeploymentError(
                f"{self.path}: {self.where} knows no key `{key}`",
                (f"did you mean `{near[0]}`? " if near else "")
                + f"known here: {', '.join(sorted(self.known))}",
            )

    def wrong(self, key: str, right: str) -> DeploymentError:
        """The error for a key whose value does not fit."""
        if key not in self.data:
            return DeploymentError(f"{self.path}: {self.where} lacks `{key}`", f"add `{key}`: {right}")
        said = f"{self.path}: {self.where}: `{key}` is {self.data[key]!r}"
        return DeploymentError(said, f"`{key}` takes {right}")

    def wrong_part(self, key: str, what: str) -> DeploymentError:
        """The error for a part of a value, which is not repeated: it may be a secret."""
        return DeploymentError(f"{self.path}: {self.where}: `{key}`: {what}", "see fleet/README.md")

    def _take(self, key: str, default: object) -> object:
        self.known.add(key)
        return self.data.get(key, default)
