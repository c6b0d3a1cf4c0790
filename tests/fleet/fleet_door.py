"""Commands as people type them: a file, a command line, and what is said where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.program import Program
from rich.console import Console

if TYPE_CHECKING:
    import pytest

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


def door_to(
    cloud: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Door:
    """The commands, all of which are led to one cloud; errors are told where they are heard."""
    import tasks

    for room in ROOMS:
        monkeypatch.setattr(import_module(f"fleet.{room}"), "connect", lambda: cloud)
    monkeypatch.setattr(tasks, "_stderr", Console(stderr=True, width=400))
    made = Door(folder / "shop.toml", capsys)
    made.write(SHOP)
    return made
