"""`invoke fleet.ssh` and `fleet.run`: onto the nodes of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from aws.session import connect
from fleet import bootstrap_tasks, login_key, shell
from fleet.deployment import DEFAULT_FILE, load
from fleet.errors import NotThere
from fleet.naming import Names
from fleet.node import chosen, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.bootstrap_view import Bootstrapped

_FILE = "the deployment file"


@dataclass(frozen=True)
class Left:
    """A visit to a node."""

    instance_id: str
    address: str
    exit_code: int

    @property
    def degraded(self) -> bool:
        """Whether the command on the node failed."""
        return self.exit_code != 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return vars(self)

    def __rich__(self) -> str:
        """As people read it."""
        return f"[dim]{self.instance_id} ({self.address}): exit code {self.exit_code}[/]"


@task(
    help={
        "file": _FILE,
        "node": "its id, the beginning of it, or its address (default: the only one that runs)",
        "command": "run this as root instead of opening a shell",
        "user": "who logs in",
    }
)
def ssh(_: Context, file: str = DEFAULT_FILE, node: str = "", command: str = "", user: str = "admin") -> Left:
    """Open a shell on a node, with the deployment's key and the node's own host key."""
    name, cloud = load(Path(file)).name, connect()
    running = [one for one in described(cloud, name) if one.ec2_state == "running"]
    if not node and len(running) != 1:
        ids = ", ".join(one.id for one in running) or "none"
        raise NotThere(f"{name} has {len(running)} running nodes: {ids}", "name one with --node")
    (picked,) = chosen(running, node=node or running[0].id)
    code = shell.opened(picked, user, login_key.private(cloud, Names(name)), command)
    return Left(picked.id, picked.address, code)


@task(
    positional=["name"],
    iterable=["input"],
    help={
        "name": "a script of the image, such as those of its operational run list",
        "file": _FILE,
        "template": "only on nodes of this server template",
        "node": "only on this one: its id, the beginning of it, or its address",
        "input": "NAME=TYPE:VALUE for this run; repeat it for more",
        "dry-run": "have the script say what it would change, and change nothing",
    },
)
def run(
    context: Context,
    name: str,
    file: str = DEFAULT_FILE,
    template: str = "",
    node: str = "",
    input_: Sequence[str] = (),
    dry_run: bool = False,
) -> Bootstrapped:
    """Run a script on all running nodes of a deployment at once, or on some; results as a table."""
    deployment = load(Path(file)).name
    running = [one for one in described(connect(), deployment) if one.ec2_state == "running"]
    ids = [one.id for one in chosen(running, template, node=node)]
    if not ids:
        raise NotThere(f"no node of {deployment} runs", "`invoke fleet.up` or `fleet.start` brings some up")
    done: Bootstrapped = bootstrap_tasks.run.body(
        context, deployment=deployment, node=ids, script=name, input_=input_, dry_run=dry_run
    )
    return done


TASKS = (ssh, run)
