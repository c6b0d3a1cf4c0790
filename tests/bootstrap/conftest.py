"""A node made of tmp_path: its systemd, its web and its clock answer from memory."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bootstrap.boot import Node
from bootstrap.clock import Clock
from bootstrap.errors import ServiceError
from bootstrap.web import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SETTINGS = """
services = ["apache2.service"]
health_url = "http://127.0.0.1/health"
health_budget_seconds = 3

[inputs.BUCKET]
required = true

[inputs.PREFIX]
default = "text:originals/"

[[render]]
template = "{root}/app.tmpl"
target = "{root}/app.toml"
mode = "0640"
owner = "{owner}"
group = "{group}"
"""


class StoppedClock(Clock):
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=self.elapsed)


@dataclass
class Systemd:
    """Units in memory, with the moment each last changed its state."""

    units: dict[str, tuple[str, datetime]]
    ran: list[str] = field(default_factory=list)
    refuses: bool = False

    def __call__(self, argv: Sequence[str]) -> str:
        verb, unit = argv[1], argv[-1]
        if verb == "show":
            return self._show(unit)
        if self.refuses:
            raise ServiceError(f"{unit} will not {verb}")
        self.ran.append(f"{verb} {unit}")
        self.units[unit] = ("active", datetime.now(UTC) + timedelta(seconds=1))
        return ""

    def _show(self, unit: str) -> str:
        if unit not in self.units:
            return "LoadState=not-found\nActiveState=inactive\nStateChangeTimestamp=\n"
        state, changed = self.units[unit]
        stamp = changed.strftime("%a %Y-%m-%d %H:%M:%S.%f UTC") if changed.year > 1 else ""
        return f"LoadState=loaded\nActiveState={state}\nStateChangeTimestamp={stamp}\n"


@dataclass
class Web:
    """Answers by address, a list is used up one by one; an address without an answer refuses."""

    answers: dict[str, list[Answer]]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __call__(
        self, method: str, url: str, timeout_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.asked.append((method, url, dict(headers or {})))
        waiting = self.answers.get(url, [])
        if not waiting:
            raise OSError("connection refused")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@pytest.fixture
def systemd() -> Systemd:
    return Systemd({"apache2.service": ("active", datetime(2026, 1, 1, tzinfo=UTC))})


@pytest.fixture
def web() -> Web:
    return Web({"http://127.0.0.1/health": [Answer(200)]})


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def node(tmp_path: Path, systemd: Systemd, web: Web, clock: StoppedClock, said: list[str]) -> Node:
    names = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
    (tmp_path / "bootstrap.toml").write_text(SETTINGS.format(root=tmp_path, **names))
    (tmp_path / "app.tmpl").write_text("bucket = ${BUCKET:toml}\nprefix = ${PREFIX:toml}\n")
    (tmp_path / "inputs.json").write_text('{"BUCKET": "text:photos"}')
    return Node(
        settings=tmp_path / "bootstrap.toml",
        inputs=tmp_path / "inputs.json",
        state=tmp_path / "run" / "state.json",
        environment={},
        run=systemd,
        ask=web,
        clock=clock,
        say=said.append,
    )
