"""The image's own bootstrap.toml: services, health URL, inputs, files to render, run lists."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.errors import SettingsError
from bootstrap.header import InputSpec, Script
from bootstrap.typed import fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_INPUT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
LONGEST_BUDGET_SECONDS = 540
# Waiting for a load balancer may take as long as its health check allows: 10 times 5 minutes at worst.
LONGEST_SCRIPT_SECONDS = 7200


@dataclass(frozen=True)
class Render:
    """A template and the file that is made of it."""

    template: Path
    target: Path
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class RunLists:
    """Which scripts run when a node boots, which may be run on request, which run when it leaves."""

    boot: tuple[str, ...] = (
        "hostname", "metrics", "cache-volume", "configure", "apache", "warm-cache", "register",
    )  # fmt: skip
    operational: tuple[str, ...] = ("configure", "apache", "warm-cache", "register", "deregister")
    decommission: tuple[str, ...] = ("deregister", "stop-apache", "flush-logs")


@dataclass(frozen=True)
class Settings:
    """What the image says about booting."""

    services: tuple[str, ...]
    health_url: str
    health_budget_seconds: int = 30
    inputs: tuple[InputSpec, ...] = ()
    render: tuple[Render, ...] = ()
    run_lists: RunLists = RunLists()
    script_budget_seconds: int = 900

    def script(self) -> Script:
        """Return the inputs that the image itself declares, as a script would."""
        return Script(
            "bootstrap.toml", "Settings of the image", inputs={one.name: one for one in self.inputs}
        )


def load(path: Path) -> Settings:
    """Read the settings at one door.

    Raises SettingsError that names the file, the key and what would be right.
    """
    try:
        return parse(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, SettingsError) as why:
        raise SettingsError(f"{path}: {why}", hint="see the settings table in bootstrap/README.md") from why


def parse(document: Mapping[str, Any]) -> Settings:
    """Turn a parsed document into settings. Raises SettingsError at the first key that is not right."""
    known = (
        "services",
        "health_url",
        "health_budget_seconds",
        "inputs",
        "render",
        "run_lists",
        "script_budget_seconds",
    )
    _only("the top level", document, known)
    inputs = _take(document, "inputs", dict, {})
    renders = _take(document, "render", list, [])
    return Settings(
        services=_services(document),
        health_url=_health_url(document),
        health_budget_seconds=_seconds(document, "health_budget_seconds", 30, LONGEST_BUDGET_SECONDS),
        inputs=tuple(_input(name, table) for name, table in inputs.items()),
        render=tuple(_render(f"render[{index}]", table) for index, table in enumerate(renders)),
        run_lists=run_lists(_take(document, "run_lists", dict, {})),
        script_budget_seconds=_seconds(document, "script_budget_seconds", 900, LONGEST_SCRIPT_SECONDS),
    )


def run_lists(table: Mapping[str, Any], default: RunLists = RunLists()) -> RunLists:
    """Return the run lists a table names, `default` for those it does not. Raises SettingsError."""
    names = tuple(each.name for each in fields(RunLists))
    _only("run_lists", table, names)
    found = {name: _scripts(table, name) for name in names if name in table}
    return replace(default, **found)


def _scripts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    scripts = _take(table, key, list, where="run_lists")
    for each in scripts:
        if not isinstance(each, str) or not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", each):
            raise SettingsError(f"run_lists.{key}: {each!r} is no name of a script")
    return tuple(scripts)


def _services(document: Mapping[str, Any]) -> tuple[str, ...]:
    services = _take(document, "services", list)
    for each in services:
        if not isinstance(each, str) or not re.fullmatch(r"[\w@:.\\-]+\.\w+", each):
            raise SettingsError(f'services: {each!r} is no unit name, write it like "apache2.service"')
    return tuple(services)


def _health_url(document: Mapping[str, Any]) -> str:
    url: str = _take(document, "health_url", str)
    if not re.fullmatch(r"http://[^/\s]+/\S*", url):
        raise SettingsError(f"health_url: {url!r} is no address like http://127.0.0.1/health")
    return url


def _seconds(document: Mapping[str, Any], key: str, default: int, longest: int) -> int:
    budget: int = _take(document, key, int, default)
    if not 1 <= budget <= longest:
        raise SettingsError(f"{key}: {budget} is not between 1 and {longest}")
    return budget


def _input(name: str, table: Any) -> InputSpec:
    where = f"inputs.{name}"
    _only(where, table, ("required", "default", "description", "array"))
    if not _INPUT_NAME.fullmatch(name):
        raise SettingsError(f"{where}: is no input name, use capitals, digits and underscores")
    default = _take(table, "default", str, "ignore", where)
    if wrong := fault(default):
        raise SettingsError(f"{where}.default: {wrong}")
    return InputSpec(
        name,
        _take(table, "description", str, "", where),
        input_type="array" if _take(table, "array", bool, default=False, where=where) else "single",
        required=_take(table, "required", bool, default=False, where=where),
        default=default,
    )


def _render(where: str, table: Any) -> Render:
    _only(where, table, ("template", "target", "mode", "owner", "group"))
    mode = _take(table, "mode", str, "0644", where)
    if not re.fullmatch(r"0[0-7]{3}", mode):
        raise SettingsError(f'{where}.mode: {mode!r} is no file mode, write it like "0644"')
    return Render(
        template=_path(table, "template", where),
        target=_path(table, "target", where),
        mode=int(mode, 8),
        owner=_take(table, "owner", str, "root", where),
        group=_take(table, "group", str, "root", where),
    )


def _path(table: Mapping[str, Any], key: str, where: str) -> Path:
    path = Path(_take(table, key, str, where=where))
    if not path.is_absolute():
        raise SettingsError(f"{where}.{key}: {str(path)!r} is no absolute path")
    return path


def _only(where: str, table: Any, known: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise SettingsError(f"{where}: is no table")
    if unknown := sorted(set(table) - set(known)):
        raise SettingsError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(known)}")


_REQUIRED = object()


def _take(table: Mapping[str, Any], key: str, kind: type, default: Any = _REQUIRED, where: str = "") -> Any:
    value = table.get(key, default)
    name = f"{where}.{key}" if where else key
    if value is _REQUIRED:
        raise SettingsError(f"{name}: is missing, give it a {kind.__name__}")
    if type(value) is not kind:  # bool is an int to isinstance, and true is no number of seconds
        raise SettingsError(f"{name}: is a {type(value).__name__}, give it a {kind.__name__}")
    return value
