"""A boot script made of its body: the header that its variables ask for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fleet.errors import FleetError

_FILE = re.compile(r"[a-z0-9][a-z0-9._-]*")
_NAME = r"([A-Z_][A-Z0-9_]*)"
# What the runner, the shell or EC2 sets is no input.
_GIVEN = re.compile(
    r"(RS|BOOTSTRAP|EC2|AWS|LC|LD|BASH|PYTHON|XDG)_.*|DECOM_REASON|PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|LANG|TERM"
    r"|TMPDIR|IFS|ENV|UID|EUID|HOSTNAME|RANDOM|SECONDS|LINENO|REPLY|OPTARG|OPTIND|PPID|PS\d|_|BASH.*|PYTHON[A-Z]*"
)
_SHELL_USE = re.compile(
    rf"\$(?:\{{{_NAME}(?:(:?[=?+-])((?:[^{{}}]|\{{[^{{}}]*\}})*)|[^A-Za-z0-9_{{}}][^}}]*)?\}}|{_NAME})"
)
_SHELL_SET = re.compile(
    rf"(?:^|[;&|(]|\b(?:local|export|readonly|declare|then|do|else)\b)\s*{_NAME}\+?="
    rf"|\b(?:for|read(?: -\w+)*)\s+{_NAME}\b",
    re.MULTILINE,
)
_SINGLE_QUOTED = re.compile(r"'[^']*'")
_PYTHON_USE = re.compile(
    rf"""environ\[\s*["']{_NAME}["']\s*\]|(?:environ\.get|getenv)\(\s*["']{_NAME}["']\s*(?:,\s*["']([^"']*)["'])?"""
)
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)


@dataclass(frozen=True)
class Variable:
    """A variable that a body reads: whether it must be set, and what stands in where it is not."""

    name: str
    required: bool = True
    default: str = ""


@dataclass(frozen=True)
class Draft:
    """A script to be: its name, language and body."""

    name: str
    language: str = "shell"
    body: str = ""
    variables: tuple[Variable, ...] = field(default=())


def draft(name: str, language: str, body: str = "") -> Draft:
    """The script that a body asks for. Raises FleetError for a name or language that cannot be."""
    if not _FILE.fullmatch(name):
        raise FleetError(
            f"{name!r} is no name for a script", "use small letters, digits, dots and hyphens: attach-disk"
        )
    if language not in _BODIES:
        raise FleetError(f"scripts are not made in {language!r}", f"choose one of: {', '.join(_BODIES)}")
    text = body or _BODIES[language]
    return Draft(name, language, text, tuple(variables(text, language)))


def language_of(text: str) -> str:
    """The language of a script, by its first line."""
    return "python" if "python" in text.partition("\n")[0] else "shell"


def variables(body: str, language: str) -> list[Variable]:
    """The inputs that a body reads: upper-case variables that nobody else sets, each once, in its order."""
    text = _COMMENT.sub("", body)
    used = _in_python(text) if language == "python" else _in_shell(text)
    found: dict[str, Variable] = {}
    for one in used:
        if not _GIVEN.fullmatch(one.name):
            known = found.setdefault(one.name, one)
            # One use that can do without it makes it optional: the author thought of its absence.
            if known.required and not one.required:
                found[one.name] = one
    return list(found.values())


def script(made: Draft) -> str:
    """The whole file: first line, header, body."""
    first, _, rest = made.body.partition("\n")
    if not first.startswith("#!"):
        first, rest = _FIRST_LINES[made.language], made.body
    return "\n".join([first, *header(made), "", rest.lstrip("\n")])


def header(made: Draft) -> list[str]:
    """The header's lines."""
    title = made.name.replace("-", " ").replace("_", " ").capitalize()
    lines = [
        "---",
        f"RightScript Name: {title}",
        "Description: |",
        "  What it makes so, and what it checks first.",
    ]
    if made.variables:
        lines.append("Inputs:")
    for one in made.variables:
        lines += [f"  {one.name}:", "    Category: Application", f"    Description: {_described(one.name)}"]
        lines.append(f"    Required: {'true' if one.required else 'false'}")
        if one.default:
            lines.append(f"    Default: {json.dumps('text:' + one.default)}")
    return [f"# {line}" for line in [*lines, "..."]]


def _described(name: str) -> str:
    return name.replace("_", " ").lower()


def _in_shell(text: str) -> Iterator[Variable]:
    text = _SINGLE_QUOTED.sub("''", text)
    own = {name for found in _SHELL_SET.findall(text) for name in found if name}
    for found in _SHELL_USE.finditer(text):
        name, sign, rest = found[1] or found[4], found[2] or "", found[3] or ""
        if name in own:
            continue
        optional = sign.removeprefix(":") in ("-", "=", "+")
        default = rest if optional and not sign.endswith("+") and "$" not in rest else ""
        yield Variable(name, not optional, default)


def _in_python(text: str) -> Iterator[Variable]:
    for found in _PYTHON_USE.finditer(text):
        if found[1]:
            yield Variable(found[1])
        else:
            yield Variable(found[2], required=False, default=found[3] or "")


_FIRST_LINES = {"shell": "#!/bin/sh", "python": "#!/opt/amibake/venv/bin/python"}
_BODIES = {
    "shell": """#!/bin/sh
set -eu

# A change is a line in $BOOTSTRAP_CHANGES; with $BOOTSTRAP_DRY_RUN set, nothing else may change.
wanted="greeting=$GREETING"
file=/etc/default/greeting

if [ "$(cat "$file" 2>/dev/null)" != "$wanted" ]; then
    [ -n "${BOOTSTRAP_DRY_RUN:-}" ] || printf '%s\\n' "$wanted" >"$file"
    echo "wrote $file" >>"$BOOTSTRAP_CHANGES"
fi
""",
    "python": """#!/opt/amibake/venv/bin/python
import os
from pathlib import Path

wanted = f"greeting={os.environ['GREETING']}\\n"
file = Path("/etc/default/greeting")

if not file.exists() or file.read_text() != wanted:
    # With BOOTSTRAP_DRY_RUN set nothing may change; a change is a line in BOOTSTRAP_CHANGES.
    if not os.environ.get("BOOTSTRAP_DRY_RUN"):
        file.write_text(wanted)
    with open(os.environ["BOOTSTRAP_CHANGES"], "a") as changes:
        changes.write(f"wrote {file}\\n")
""",
}
LANGUAGES = tuple(_BODIES)
