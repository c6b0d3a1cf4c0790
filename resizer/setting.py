"""Kinds of settings: what a value of the configuration may be, in words, and how it is read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What a key takes: `words` complete "it must be …"; `read` raises ValueError for anything else."""

    words: str
    read: Callable[[Any], Any]


def whole(low: int, high: int) -> Kind:
    """A whole number within a range."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:  # a bool is an int, but no number to TOML
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", read)


def flag() -> Kind:
    """A truth value."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError  # noqa: TRY004 - one exception for all that does not fit
        return value

    return Kind("true or false", read)


def text(words: str = "a string that is not empty") -> Kind:
    """A string, not an empty one."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError
        return value

    return Kind(words, read)


def path() -> Kind:
    """An absolute path."""

    def read(value: Any) -> Path:
        if not isinstance(value, str) or not value.startswith("/"):
            raise ValueError
        return Path(value)

    return Kind("an absolute path", read)


def prefix() -> Kind:
    """Names joined by single slashes; slashes around them are taken off."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one exception for all that does not fit
        stripped = value.strip("/")
        if stripped and not all(part not in {"", ".", ".."} for part in stripped.split("/")):
            raise ValueError
        return stripped

    return Kind("names joined by single slashes", read)


def texts(choices: tuple[str, ...] = (), words: str = "a list of strings") -> Kind:
    """A list of strings, or one string of words, as a node's input gives it."""

    def read(value: Any) -> tuple[str, ...]:
        items = [word.strip(",") for word in value.split()] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            raise ValueError
        if choices and not set(items) <= set(choices):
            raise ValueError
        return tuple(items)

    return Kind(f"a list of some of {', '.join(choices)}" if choices else words, read)


def pairs() -> Kind:
    """A table of strings, or `name=value` words in a list or in one string."""

    def read(value: Any) -> Mapping[str, str]:
        if isinstance(value, Mapping):
            found = dict(value)
        else:
            items = texts().read(value)
            if not all("=" in item for item in items):
                raise ValueError
            found = dict(item.split("=", 1) for item in items)
            if len(found) != len(items):
                raise ValueError
        if not all(isinstance(item, str) for item in found.values()):
            raise ValueError
        return found

    return Kind('a table such as thumb = "w150,h150,fill", or words such as thumb=w150,h150,fill', read)
