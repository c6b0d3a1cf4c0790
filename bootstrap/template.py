"""Filling a template: `${NAME}` raw, `${NAME:toml}` quoted, `$$` a dollar sign, nothing else.

A line that names an input without a value is left out, so that the program's own default applies.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bootstrap.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MARK = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<quoting>\w+))?\}|(?P<stray>))")


def toml_string(value: str) -> str:
    """Return a TOML basic string that reads back as `value`."""
    # JSON escapes all that TOML wants escaped but DEL; ensure_ascii makes surrogate pairs, no TOML
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


QUOTINGS: Mapping[str, Callable[[str], str]] = {"toml": toml_string}


def fill(template: str, values: Mapping[str, str | None]) -> str:
    """Return the filled template.

    Raises TemplateError once, naming every line with an undeclared name, an unknown quoting or a stray `$`.
    """
    lines = template.splitlines(keepends=True)
    faults = [
        f"line {number}: {wrong}"
        for number, line in enumerate(lines, start=1)
        for mark in _MARK.finditer(line)
        if (wrong := _fault(mark, values))
    ]
    if faults:
        raise TemplateError(
            "; ".join(faults),
            hint="declare the input in bootstrap.toml, or write $$ for a dollar sign",
        )
    return "".join(_filled(line, values) for line in lines)


def _fault(mark: re.Match[str], values: Mapping[str, str | None]) -> str:
    if mark["stray"] is not None:
        return "a stray $"
    if mark["name"] and mark["name"] not in values:
        return f"{mark['name']} is no declared input"
    if mark["quoting"] and mark["quoting"] not in QUOTINGS:
        return f"{mark['quoting']} is no quoting, use {' or '.join(QUOTINGS)}"
    return ""


def _filled(line: str, values: Mapping[str, str | None]) -> str:
    marks = [mark for mark in _MARK.finditer(line) if mark["name"]]
    if any(values[mark["name"]] is None for mark in marks):
        return ""
    return _MARK.sub(lambda mark: _text(mark, values), line)


def _text(mark: re.Match[str], values: Mapping[str, str | None]) -> str:
    if mark["dollar"]:
        return "$"
    value = values[mark["name"]] or ""
    return QUOTINGS[mark["quoting"]](value) if mark["quoting"] else value
