"""`invoke fleet.*`: a deployment, from the desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console
from rich.live import Live
from rich.table import Table

from aws.session import connect
from fleet import history, inputs_check, operations, rescaling
from fleet.command import Desk
from fleet.deployment import DEFAULT_FILE, load
from fleet.errors import DeploymentError, NotThere
from fleet.naming import Names
from fleet.operations import Nodes
from fleet.plan import Plan

if TYPE_CHECKING:
    from fleet.history import Entry
    from fleet.outcome import Done
    from fleet.status import Status

_FILE = "the deployment file"
_DRY = "say what would be changed, and change nothing"
_WATCH_SECONDS = 5.0
_SOME = {
    "file": _FILE,
    "template": "only nodes of this server template",
    "count": "so many in all are to be so (default: all)",
    "node": "only this one: its id, the beginning of it, or its address",
    "dry-run": _DRY,
}


@dataclass(frozen=True)
class Valid:
    """A deployment file that can be used."""

    path: str
    deployment: str
    nodes: dict[str, int]
    images: dict[str, str]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"file": self.path, "deployment": self.deployment, "nodes": self.nodes, "images": self.images}

    def __rich__(self) -> str:
        """As people read it."""
        told = [f"{count} x {name} of {self.images[name]}" for name, count in self.nodes.items()]
        return f"{self.path}: the deployment {self.deployment} is sound: {', '.join(told)}"


@dataclass(frozen=True)
class Past:
    """What was done to a deployment."""

    deployment: str
    entries: tuple[Entry, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"deployment": self.deployment, "entries": [vars(one) for one in self.entries]}

    def __rich__(self) -> Table | str:
        """As people read it."""
        if not self.entries:
            return f"nothing was done to {self.deployment} yet"
        table = Table("at", "command", "by", "took", "outcome", "changed", box=None)
        for one in self.entries:
            changed = "\n".join(one.changed)
            table.add_row(one.at, one.command, one.by, f"{one.seconds:.0f} s", one.outcome, changed)
        return table


@task(help={"file": _FILE})
def validate(_: Context, file: str = DEFAULT_FILE) -> Valid:
    """Check a deployment file, that what it names exists, and that all required inputs are given."""
    desk = _desk(file, "fleet.validate")
    wanted = desk.resolved().need
    inputs_check.check(desk.cloud, wanted)
    return Valid(
        file,
        desk.deployment.name,
        {one.name: one.template.count for one in wanted.kinds},
        {one.name: one.image.id for one in wanted.kinds},
    )


@task(help={"file": _FILE})
def plan(_: Context, file: str = DEFAULT_FILE) -> Plan:
    """Show what `fleet.up` would change: the difference of what is and what the file wants, as a tree."""
    return operations.show_plan(_desk(file, "fleet.plan"))


@task(help={"file": _FILE, "dry-run": _DRY})
def up(_: Context, file: str = DEFAULT_FILE, dry_run: bool = False) -> Done | Plan:
    """Make a deployment as its file wants it; return when all its nodes are operational and in service."""
    return operations.up(_desk(file, "fleet.up", dry_run=dry_run))


@task(help={"file": _FILE, "dry-run": _DRY})
def down(_: Context, file: str = DEFAULT_FILE, dry_run: bool = False) -> Done | Plan:
    """End a deployment and everything that it owns; a command at work on it gives way."""
    return operations.down(_desk(file, "fleet.down", dry_run=dry_run))


@task(help=_SOME)
def start(
    _: Context,
    file: str = DEFAULT_FILE,
    template: str = "",
    count: int = -1,
    node: str = "",
    dry_run: bool = False,
) -> Done | Plan:
    """Start stopped nodes, all or some, and wait until they are in service."""
    return operations.start(_desk(file, "fleet.start", dry_run=dry_run), _which(template, count, node))


@task(help=_SOME)
def stop(
    _: Context,
    file: str = DEFAULT_FILE,
    template: str = "",
    count: int = -1,
    node: str = "",
    dry_run: bool = False,
) -> Done | Plan:
    """Drain and stop nodes, all or some."""
    return operations.stop(_desk(file, "fleet.stop", dry_run=dry_run), _which(template, count, node))


@task(help={**_SOME, "count": "so many of those that run (default: all)"})
def restart(
    _: Context,
    file: str = DEFAULT_FILE,
    template: str = "",
    count: int = -1,
    node: str = "",
    dry_run: bool = False,
) -> Done | Plan:
    """Stop and start nodes, all or some, one after another, while the others serve."""
    return operations.restart(_desk(file, "fleet.restart", dry_run=dry_run), _which(template, count, node))


@task(
    help={
        "file": _FILE,
        "template": "of which server template (default: the only one)",
        "count": "how many nodes it is to have",
        "dry-run": _DRY,
    }
)
def scale(
    _: Context, count: int = -1, template: str = "", file: str = DEFAULT_FILE, dry_run: bool = False
) -> Done | Plan:
    """Have so many nodes of a server template, until the file names another number than now."""
    desk = _desk(file, "fleet.scale", dry_run=dry_run)
    names = [one.name for one in desk.deployment.templates]
    if count < 0:
        raise NotThere("how many nodes are wanted?", "say --count N")
    if not template and len(names) > 1:
        raise DeploymentError(f"{file} has {len(names)} templates", f"say --template: {', '.join(names)}")
    return rescaling.scale(desk, template or names[0], count)


@task(help={"file": _FILE, "watch": f"look again every {_WATCH_SECONDS:.0f} s, until Ctrl-C"})
def status(_: Context, file: str = DEFAULT_FILE, watch: bool = False) -> Status:
    """Show nodes with state, health and load, load balancers with requests and latency, and the name."""
    from fleet.status import status as look

    desk = _desk(file, "fleet.status")
    wanted = desk.resolved().need

    def seen() -> Status:
        return look(desk.cloud, wanted)

    return _watched(seen) if watch else seen()


@task(name="history", help={"file": _FILE})
def past(_: Context, file: str = DEFAULT_FILE) -> Past:
    """Show what was done to a deployment, when and by whom: the last hundred commands that changed it."""
    name = load(Path(file)).name
    return Past(name, history.entries(connect(), Names(name)))


def _desk(file: str, command: str, *, dry_run: bool = False) -> Desk:
    deployment = load(Path(file))
    return Desk(connect(), deployment, f"invoke {command}", dry_run)


def _watched(look: Callable[[], Status]) -> Status:
    """Look again and again until Ctrl-C, and return the last look.

    What is watched is progress: it stands on standard error, and goes when the outcome is printed.
    """
    seen, console = look(), Console(stderr=True)
    with suppress(KeyboardInterrupt), Live(seen, console=console, auto_refresh=False, transient=True) as live:
        while True:
            time.sleep(_WATCH_SECONDS)
            seen = look()
            live.update(seen, refresh=True)
    return seen


def _which(template: str, count: int, node: str) -> Nodes:
    return Nodes(template, None if count < 0 else count, node)


TASKS = (validate, plan, up, down, start, stop, restart, scale, status, past)
