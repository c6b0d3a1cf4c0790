"""`invoke bootstrap`: boot scripts on nodes from the desk; new scripts, and their check before a bake."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console

from aws.duration import duration
from aws.instance import console_tail
from aws.session import connect
from bake.shelf import Shelf
from fleet import bootstrapping, login_key, new_script, node_here, script_check, selection
from fleet import shellcheck as shell_checker
from fleet.bootstrap_view import Bootstrapped, board
from fleet.errors import FleetError, NotThere
from fleet.naming import Names
from fleet.node import OPERATIONAL
from fleet.node_order import order
from fleet.reach import Target, console_keys
from fleet.script_check import has_header, scripts_in
from fleet.script_views import Checkup, Written

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.node import Node
    from fleet.node_order import Order
    from fleet.reach import Reach

SCRIPTS = "bootstrap/scripts"
SETTINGS = "bake/templates/*-bootstrap.toml"
_CONSOLE_LINES = 2000
_stderr = Console(stderr=True)


def needs_no_cloud(options: Mapping[str, Any]) -> bool:
    """Whether a call of `bootstrap` asks no cloud: for addresses alone, or on a node itself."""
    if options.get("deployment") or options.get("node"):
        return False
    return bool(options.get("host")) or node_here.is_node()


@task(
    name="run",
    default=True,
    iterable=["node", "host", "input_"],
    help={
        "deployment": "its nodes; those that are not operational, unless --script or --list says what to run",
        "node": "instance id; repeat it for more",
        "host": "address of a node, without asking the cloud for it; repeat it for more",
        "list": "boot (default), operational (but what takes nodes out of service), or decommission",
        "script": "one script instead of a run list",
        "input": "NAME=TYPE:VALUE for this run, over what the node was launched with; repeat it for more",
        "dry-run": "have each script say what it would change, and change nothing",
        "identity": "file of the private key (default: the deployment's key; else your SSH agent's)",
        "user": "who logs in (default admin)",
        "wait-budget": "how long a node may take, such as 90s or 30m (default 20m)",
    },
)
def run(
    _: Context,
    deployment: str = "",
    node: Sequence[str] = (),
    host: Sequence[str] = (),
    list_: str = "",
    script: str = "",
    input_: Sequence[str] = (),
    dry_run: bool = False,
    identity: str = "",
    user: str = "admin",
    wait_budget: str = "20m",
) -> Bootstrapped:
    """Run boot scripts on nodes, all at once: by default the boot list on all that are not operational.

    One dead node does not stop the others; exit code 2 if any failed. On a node itself, without a target, it
    runs there.
    """
    wanted = order(list_, script, input_, dry_run=dry_run)
    longest = duration(wait_budget).total_seconds()
    if needs_no_cloud({"deployment": deployment, "node": node, "host": host}):
        targets = tuple(Target(one) for one in host) or (node_here.HERE,)
        reach = _over_ssh(None, user, identity, longest) if host else node_here.Here()
        return _run(wanted, targets, reach)
    cloud = connect()
    nodes, nobody = _nodes(cloud, wanted, deployment, node)
    targets = (*(_target(one, deployment) for one in nodes), *(Target(one) for one in host))
    return _run(wanted, targets, _over_ssh(cloud, user, identity, longest), nobody)


def _run(wanted: Order, targets: Sequence[Target], reach: Reach, nobody: str = "") -> Bootstrapped:
    with board(targets, _stderr) as watch:
        outcomes = bootstrapping.run(wanted, targets, reach, watch)
    return Bootstrapped(wanted.title, outcomes, wanted.dry_run, nobody)


def _nodes(cloud: Cloud, wanted: Order, deployment: str, ids: Sequence[str]) -> tuple[tuple[Node, ...], str]:
    """The nodes to run on, and why there are none, if there are none. Raises NotThere."""
    if ids:
        return selection.by_ids(cloud, ids), ""
    whose = f"of {deployment}" if deployment else "of any deployment"
    living = selection.of_deployments(cloud, deployment)
    running = tuple(one for one in living if one.ec2_state == "running")
    if not running:
        raise NotThere(
            f"there is no running node {whose}", "`invoke fleet.up` launches some; see --node, --host"
        )
    chosen = tuple(one for one in running if not wanted.boots or one.bootstrap_state != OPERATIONAL)
    return chosen, f"all {len(running)} nodes {whose} are operational: nothing to do"


def _target(node: Node, deployment: str) -> Target:
    return Target(node.address, node.id, deployment or node.deployment)


def _over_ssh(cloud: Cloud | None, user: str, identity: str, longest: float) -> Reach:
    from fleet.node_ssh import KnownHosts, SshReach

    given = _read_identity(identity) if identity else None
    keys: dict[str, str] = {}

    def pkey(target: Target) -> str | None:
        if given or cloud is None or not target.deployment:
            return given
        if target.deployment not in keys:
            keys[target.deployment] = login_key.private(cloud, Names(target.deployment))
        return keys[target.deployment]

    def shown(target: Target) -> Sequence[str]:
        if cloud is None or not target.instance_id:
            return ()
        return console_keys(console_tail(cloud, target.instance_id, _CONSOLE_LINES))

    known = KnownHosts(Shelf.of_user().root.parent / "known_hosts")
    return SshReach(user, known, longest, pkey, shown)


def _read_identity(path: str) -> str:
    try:
        return Path(os.path.expanduser(path)).read_text()  # noqa: PTH111 - `~` comes from the command line
    except OSError as why:
        raise FleetError(
            f"{path}: the private key cannot be read: {why}", "give its file with --identity"
        ) from why


@task(
    help={
        "name": "small letters, digits, dots and hyphens: attach-disk",
        "language": "shell or python, for a script that is not there yet (default shell)",
        "folder": f"where it goes (default {SCRIPTS})",
        "dry-run": "print it, and write nothing",
    }
)
def new(
    _: Context, name: str, language: str = "shell", folder: str = SCRIPTS, dry_run: bool = False
) -> Written:
    """Make a boot script with its header, or give one that has none the header that its variables ask for."""
    path = Path(folder) / name
    there = path.read_text() if path.is_file() else ""
    if has_header(there):
        raise FleetError(f"{path} has a header already", "`invoke bootstrap.check` tells whether it is right")
    language = new_script.language_of(there) if there else language
    text = new_script.script(new_script.draft(name, language, there))
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return Written(path, text, dry_run)


@task(
    iterable=["settings", "input_"],
    help={
        "folder": f"the scripts (default {SCRIPTS}); their attachments are in its folder `attachments`",
        "settings": f"TOML file whose run lists are to name scripts that exist (default {SETTINGS})",
        "input": "NAME=TYPE:VALUE that the scripts are to be given; with any, what is missing is an error",
        "shellcheck": "have shell looked at by shellcheck, where it is installed",
    },
)
def check(
    _: Context,
    folder: str = SCRIPTS,
    settings: Sequence[str] = (),
    input_: Sequence[str] = (),
    shellcheck: bool = True,
) -> Checkup:
    """Check boot scripts: headers, inputs, run lists, what bears no repeating. Exit code 2 for errors."""
    asked = shellcheck and shell_checker.installed()
    scripts = [
        script_check.check(one, shell_checker.ask if asked else None) for one in scripts_in(Path(folder))
    ]
    found = [one for script in scripts for one in script.findings]
    named = [Path(one) for one in settings] or sorted(Path().glob(SETTINGS))
    for one in named:
        found += script_check.check_run_lists(one, [script.name for script in scripts])
    if given := dict(order(inputs=input_).inputs):
        found += script_check.check_given([one.header for one in scripts if one.header], given)
    return Checkup(tuple(one.name for one in scripts), tuple(found), shellchecked=asked)


TASKS_WITHOUT_CLOUD: tuple[Any, ...] = (new, check)
TASKS: tuple[Any, ...] = (run,)
