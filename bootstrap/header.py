"""The header of a boot script, a RightScript's: what it is called, what it takes, what it brings along.

    # ---
    # RightScript Name: Start Apache
    # Inputs:
    #   HEALTH_URL:
    #     Required: true
    # ...

Strict YAML behind a comment marker (`#`, `//` or `--`): unknown and repeated keys are errors.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootstrap.errors import HeaderError
from bootstrap.typed import fault

_START = re.compile(r"\s*(?P<marker>#|//|--)\s*---\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the runner itself tells a script, or what decides which program runs: no input may take its place.
_RESERVED = re.compile(r"(RS|BOOTSTRAP|LD|PYTHON)_.*|DECOM_REASON|PATH|HOME|IFS|ENV|BASH_ENV|PYTHON[A-Z]*")
_KEYS = ("RightScript Name", "Description", "Packages", "Inputs", "Attachments")
_INPUT_KEYS = (
    "Category", "Description", "Input Type", "Required", "Advanced", "Default", "Possible Values",
)  # fmt: skip
_HINT = "see the script format in bootstrap/README.md"


@dataclass(frozen=True)
class InputSpec:
    """One input a script declares; `default` and `possible_values` are typed values."""

    name: str
    description: str = ""
    category: str = ""
    input_type: str = "single"
    required: bool = False
    advanced: bool = False
    default: str | None = None
    possible_values: tuple[str, ...] = ()

    def fault(self, typed: str) -> str:
        """Say what is wrong with a typed value for this input, or nothing. Never repeats a value."""
        if wrong := fault(typed):
            return wrong
        if typed in ("blank", "ignore"):
            return ""
        if typed.startswith("array:") is not (self.input_type == "array"):
            return 'is an array, write array:["text:…"]' if self.input_type == "array" else "is no array"
        if self.possible_values and typed not in self.possible_values:
            return f"must be one of {', '.join(self.possible_values)}"
        return ""


@dataclass(frozen=True)
class Script:
    """What a header says; `name` is the file's, as in run lists, `title` is the RightScript Name."""

    name: str
    title: str
    description: str = ""
    packages: tuple[str, ...] = ()
    inputs: Mapping[str, InputSpec] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()

    def debian_packages(self) -> tuple[str, ...]:
        """Return the packages that Debian is to have: those without a package manager's name, and `apt:`."""
        named = [each.partition(":") for each in self.packages]
        return tuple(rest or first for first, colon, rest in named if not colon or first == "apt")


def parse(text: str, name: str) -> Script:
    """Read the header of a script. Raises HeaderError that names script, line and what would be right."""
    first, yaml_text = _cut(text, name)
    document = _load(yaml_text, name, first)
    try:
        return _script(document, name)
    except HeaderError as why:
        raise HeaderError(f"{name}: header: {why}", _HINT) from why


def _cut(text: str, name: str) -> tuple[int, str]:
    """Return the line number on which the YAML begins, and the YAML."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if found := _START.fullmatch(line):
            return number + 2, _body(lines[number + 1 :], found["marker"], number + 1, name)
    raise HeaderError(f"{name}: has no header, a line `# ---` begins one", _HINT)


def _body(lines: list[str], marker: str, start: int, name: str) -> str:
    end = re.compile(rf"\s*{re.escape(marker)}\s*\.\.\.\s*")
    inside: list[str] = []
    for line in lines:
        if end.fullmatch(line):
            return textwrap.dedent("\n".join(inside))
        stripped = line.strip()
        if stripped and not stripped.startswith(marker):
            break
        inside.append(stripped.removeprefix(marker).rstrip())
    raise HeaderError(
        f"{name}: the header that begins on line {start} does not end with `{marker} ...`", _HINT
    )


def _load(yaml_text: str, name: str, first_line: int) -> Any:
    import yaml

    try:
        return _strict_load(yaml_text)
    except yaml.MarkedYAMLError as why:
        mark = why.problem_mark or why.context_mark
        line = first_line + (mark.line if mark else 0)
        raise HeaderError(f"{name}: line {line}: {why.problem}", _HINT) from why
    except yaml.YAMLError as why:
        raise HeaderError(f"{name}: the header is no YAML: {why}", _HINT) from why


def _strict_load(yaml_text: str) -> Any:
    """Load one document, refusing repeated keys, which YAML itself forbids and its reader lets pass."""
    import yaml

    # The reader in C is an order of magnitude faster; not every build has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(yaml_text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_repeats(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_repeats(node: Any) -> None:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeats(item)
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            _refuse_repeats(value)


def _script(document: Any, name: str) -> Script:
    _only(document, _KEYS, "the header")
    title = _take(document, "RightScript Name", str, "")
    if not title:
        raise HeaderError("`RightScript Name` is missing")
    inputs = _take(document, "Inputs", dict, {})
    return Script(
        name=name,
        title=title,
        description=_take(document, "Description", str, "").strip(),
        packages=tuple(_take(document, "Packages", str, "").split()),
        inputs={each: _input(each, table) for each, table in inputs.items()},
        attachments=_attachments(document),
    )


def _attachments(document: Any) -> tuple[str, ...]:
    named = _texts(document, "Attachments")
    for each in named:
        if each.startswith("/") or ".." in each.split("/"):
            raise HeaderError(f"the attachment {each!r} is not below the folder of attachments")
    return named


def _input(name: Any, table: Any) -> InputSpec:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HeaderError(f"{name!r} is no name for an input, use letters, digits and underscores")
    if _RESERVED.fullmatch(name):
        raise HeaderError(f"{name} is a name that scripts get from elsewhere, give the input another")
    where = f"the input {name}"
    _only(table, _INPUT_KEYS, where)
    kind = _take(table, "Input Type", str, "single", where)
    if kind not in ("single", "array"):
        raise HeaderError(f"{where}: `Input Type` is {kind!r}, use single or array")
    spec = InputSpec(
        name=name,
        description=_take(table, "Description", str, "", where).strip(),
        category=_take(table, "Category", str, "", where),
        input_type=kind,
        required=_take(table, "Required", bool, default=False, where=where),
        advanced=_take(table, "Advanced", bool, default=False, where=where),
        default=_take(table, "Default", str, None, where),
        possible_values=_texts(table, "Possible Values", where),
    )
    _check_values(spec)
    return spec


def _check_values(spec: InputSpec) -> None:
    for typed in spec.possible_values:
        if wrong := fault(typed):
            raise HeaderError(f"the input {spec.name}: a possible value {wrong}")
    if spec.default is not None and (wrong := spec.fault(spec.default)):
        raise HeaderError(f"the input {spec.name}: its default {wrong}")
    if spec.required and spec.default == "ignore":
        raise HeaderError(f"the input {spec.name}: is required and cannot be ignored, leave out its default")


def _only(table: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(table, dict):
        raise HeaderError(f"{where} is no mapping")
    if unknown := sorted(str(key) for key in set(table) - set(known)):
        raise HeaderError(f"{where} has no key {', '.join(unknown)}; known are {', '.join(known)}")


def _texts(table: Any, key: str, where: str = "") -> tuple[str, ...]:
    values = _take(table, key, list, [], where)
    if not all(isinstance(each, str) for each in values):
        raise HeaderError(f"{where}{': ' if where else ''}`{key}` is not a list of texts")
    return tuple(values)


def _take(table: Any, key: str, kind: type, default: Any, where: str = "") -> Any:
    value = table.get(key)
    if value is None:
        return default
    if type(value) is not kind:
        wanted = {str: "a text", bool: "true or false", list: "a list", dict: "a mapping"}[kind]
        raise HeaderError(f"{where}{': ' if where else ''}`{key}` is not {wanted}")
    return value
