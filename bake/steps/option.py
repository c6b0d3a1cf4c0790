"""What a step table in a spec may say, and how a step gets at it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bake.render import render

if TYPE_CHECKING:
    from collections.abc import Mapping

Settings = tuple[tuple[str, str], ...]
Value = str | bool | Path | tuple[str, ...] | Settings
T = TypeVar("T")


class Takes(Enum):
    """The values an option takes, in the words of an error message."""

    TEXT = "a non-empty string"
    TEXTS = "a non-empty list of strings"
    FLAG = "true or false"
    SETTINGS = "a table of strings and numbers"
    MODE = 'an octal string such as "0644"'
    PLACE = "an absolute path on the machine, at least two levels deep"
    FILE = "the path of an existing file, relative to this spec"
    FOLDER = "the path of an existing folder, relative to this spec"


@dataclass(frozen=True)
class Option:
    """One key of a step table; without a default it must be given, unless it is one of alternatives."""

    name: str
    takes: Takes
    default: Value | None = None
    required: bool = False


@dataclass(frozen=True)
class Options:
    """The checked values of one step table."""

    values: tuple[tuple[str, Value], ...]

    def has(self, name: str) -> bool:
        """Whether the option was given or has a default."""
        return any(key == name for key, _ in self.values)

    def text(self, name: str) -> str:
        """A string."""
        return self._get(name, str)

    def flag(self, name: str) -> bool:
        """A truth value."""
        return self._get(name, bool)

    def path(self, name: str) -> Path:
        """A path on this computer."""
        return self._get(name, Path)

    def mode(self, name: str) -> int:
        """File permissions."""
        return int(self.text(name), 8)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(str(item) for item in self._get(name, tuple))

    def settings(self, name: str) -> Settings:
        """A table of strings, sorted by key."""
        return tuple((str(key), str(value)) for key, value in self._get(name, tuple))

    def _get(self, name: str, kind: type[T]) -> T:
        value = dict(self.values)[name]
        if not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r}, not {kind.__name__}")
        return value


@dataclass(frozen=True)
class Desk:
    """What this computer contributes to a step: files, template variables and the target's architecture."""

    variables: tuple[tuple[str, object], ...]
    architecture: str

    def read(self, path: Path) -> bytes:
        """The content of a file beside the spec."""
        return path.read_bytes()

    def render(self, path: Path) -> bytes:
        """A template beside the spec, filled in. Raises RenderError."""
        return render(path, self._known()).encode()

    def _known(self) -> Mapping[str, object]:
        return dict(self.variables)
