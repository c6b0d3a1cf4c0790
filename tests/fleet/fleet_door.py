"""Commands as people type them: a file, a command line, and what is said where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, in_no_time, register_image
from invoke.program import Program
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws.session import Cloud

ROOMS = ("deployment_tasks", "node_tasks", "dns_tasks", "roll_tasks", "bootstrap_tasks")
SHOP = """
name = "shop"

[template.web]
count = 2
open = [{ port = 80, from = "load_balancers" }]

[load_balancer.front]
interval_seconds = 5
timeout_seconds = 2

[dns]
zone = "shop.test"
name = "img.shop.test"
make_zone = true
ttl_seconds = 30
"""


@dataclass
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed, which must be all of standard output."""
        return json.loads(self.out)


@dataclass
class Door:
    """The commands on one deployment file."""

    file: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, text: str) -> None:
        """Put another text into the deployment file."""
        self.file.write_text(text)

    def invoke(self, task: str, *argv: str) -> Told:
        """Run a command to its end."""
        import tasks

        about = [f"--file={self.file}"] if task != "fleet.size" else []
        program = Program(namespace=tasks.ns, version="0")
        self.capsys.readouterr()
        code = 0
        try:
            program.run(["invoke", task, "--cloud=aws", *about, *argv], exit=False)
        except SystemExit as ending:
            code = int(ending.code or 0)
        heard = self.capsys.readouterr()
        return Told(code, heard.out, heard.err)


def ids(cloud: Cloud) -> list[str]:
    """The nodes there are."""
    from fleet.node import described

    return [one.id for one in described(cloud, "shop")]


@pytest.fixture
def door(
    mock_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Door]:
    """The commands, all of which are led to one account; errors are told where they are heard."""
    import tasks

    for room in ROOMS:
        monkeypatch.setattr(import_module(f"fleet.{room}"), "connect", lambda: mock_cloud)
    monkeypatch.setattr(tasks, "_stderr", Console(stderr=True, width=400))
    in_no_time(monkeypatch)
    monkeypatch.setenv("AMIBAKE_STATE", str(tmp_path))
    register_image()
    made = Door(tmp_path / "shop.toml", capsys)
    made.write(SHOP)
    with booting(mock_cloud):
        yield made


@pytest.fixture
def up(door: Door) -> Door:
    """The same with the deployment up."""
    assert door.invoke("fleet.up").code == 0
    return door
