"""A node made of tmp_path: its systemd, its web and its clock answer from memory."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from node_machines import balancer, cluster  # noqa: F401 - fixtures

from bootstrap.act import Act
from bootstrap.announcement import tags
from bootstrap.clock import Clock
from bootstrap.errors import ServiceError
from bootstrap.execution import Order
from bootstrap.node import Node, Places
from bootstrap.web import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SETTINGS = """
services = ["apache2.service"]
health_url = "http://127.0.0.1/health"
health_budget_seconds = 3

[run_lists]
boot = ["first", "second"]
operational = ["second"]
decommission = ["last"]

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
ME = "i-0123456789abcdef0"
REGION = "eu-central-1"
METADATA = "http://169.254.169.254/latest"


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
            return "\n".join(self._show(one) for one in argv[2:] if not one.startswith("-"))
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
        self,
        method: str,
        url: str,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        self.asked.append((method, url, dict(headers or {})))
        waiting = self.answers.get(url, [])
        if not waiting:
            raise OSError("connection refused")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@dataclass
class Scripts:
    """Boot scripts in memory: what each does is a function of its order, its exit code the result."""

    folder: Path
    does: dict[str, Callable[[Order, Callable[[str], None]], int]] = field(default_factory=dict)
    ran: list[Order] = field(default_factory=list)

    def add(self, name: str, *header: str, body: str = "") -> None:
        """Put a script on the shelf."""
        self.folder.mkdir(exist_ok=True)
        lines = [
            "#!/bin/sh",
            "# ---",
            f"# RightScript Name: {name}",
            *(f"# {one}" for one in header),
            "# ...",
        ]
        path = self.folder / name
        path.write_text("\n".join([*lines, body, ""]))
        path.chmod(0o755)

    def __call__(self, order: Order, hear: Callable[[str], None], meanwhile: Callable[[], None]) -> int:
        self.ran.append(order)
        meanwhile()
        return self.does.get(order.path.name, lambda *_: 0)(order, hear)

    def changing(self, name: str, *lines: str) -> None:
        """Let a script say that it changed something."""

        def act(order: Order, _: Callable[[str], None]) -> int:
            path = order.folder.parent / "changes"
            assert str(path) == order.environment["BOOTSTRAP_CHANGES"]
            path.write_text("".join(f"{line}\n" for line in lines))
            return 0

        self.does[name] = act

    def failing(self, name: str, *said: str) -> None:
        """Let a script say why it fails."""

        def act(_: Order, hear: Callable[[str], None]) -> int:
            for line in said:
                hear(line)
            return 1

        self.does[name] = act

    @property
    def names(self) -> list[str]:
        """The names of those that ran, in order."""
        return [order.path.name for order in self.ran]


@pytest.fixture
def systemd() -> Systemd:
    return Systemd({"apache2.service": ("active", datetime(2026, 1, 1, tzinfo=UTC))})


@pytest.fixture
def web() -> Web:
    """The metadata service knows this node, and its health URL is well."""
    return Web(
        {
            "http://127.0.0.1/health": [Answer(200)],
            f"{METADATA}/api/token": [Answer(200, "token")],
            f"{METADATA}/meta-data/instance-id": [Answer(200, ME)],
            f"{METADATA}/meta-data/placement/region": [Answer(200, REGION)],
            f"{METADATA}/meta-data/autoscaling/target-lifecycle-state": [Answer(404)],
        }
    )


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    shelf = Scripts(tmp_path / "scripts")
    for name in ("first", "second", "last"):
        shelf.add(name)
    return shelf


@pytest.fixture
def settings_text(tmp_path: Path) -> str:
    names = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
    return SETTINGS.format(root=tmp_path, **names)


@pytest.fixture
def told() -> list[dict[str, str]]:
    """What AWS was told of the node's states."""
    return []


@pytest.fixture
def node(
    tmp_path: Path,
    web: Web,
    clock: StoppedClock,
    said: list[str],
    scripts: Scripts,
    settings_text: str,
    told: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Node:
    (tmp_path / "bootstrap.toml").write_text(settings_text)
    (tmp_path / "app.tmpl").write_text("bucket = ${BUCKET:toml}\nprefix = ${PREFIX:toml}\n")
    (tmp_path / "inputs.json").write_text('{"BUCKET": "text:photos"}')
    places = Places(
        settings=tmp_path / "bootstrap.toml",
        inputs=tmp_path / "inputs.json",
        run_lists=tmp_path / "run-lists.json",
        scripts=tmp_path / "scripts",
        state=tmp_path / "run" / "state.json",
        lock=tmp_path / "run" / "lock",
        record=tmp_path / "lib" / "instance.json",
        cloud_id=tmp_path / "cloud-id",
    )
    monkeypatch.setattr("bootstrap.announcement.tag", lambda _, state: told.append(tags(state)))
    monkeypatch.setattr("os.waitpid", lambda pid, _: (pid, 0 if pid == 1 else 256))
    return Node({}, web, clock, said.append, scripts, _at_once, places)


def _at_once(work: Callable[[], None]) -> int:
    """Do at once what a node does in a copy of itself: process 1 went well, process 2 did not."""
    try:
        work()
    except SystemExit:
        return 2
    return 1


@dataclass
class Stage:
    """What a shipped script acts on: systemd, web and clock of the test, and what it noted and said."""

    systemd: Systemd
    web: Web
    clock: StoppedClock
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def act(self, **environment: str) -> Act:
        """A script with these inputs."""
        told = {"EC2_INSTANCE_ID": ME, "AWS_REGION": REGION, "HEALTH_URL": "http://127.0.0.1/health"}
        whole = {**told, "HEALTH_BUDGET_SECONDS": "3", **environment}
        return Act(whole, self.systemd, self.web, self.clock, self.said.append, self.notes.append)


@pytest.fixture
def stage(systemd: Systemd, web: Web, clock: StoppedClock) -> Stage:
    return Stage(systemd, web, clock)
