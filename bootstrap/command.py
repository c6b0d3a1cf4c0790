"""The command `node-bootstrap`: bring this node into service or out of it, run a script, say how it is."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from bootstrap import act, apache, api, services, views, web  # noqa: F401 - some once here, not in each copy
from bootstrap import state as state_file
from bootstrap.boot import boot, decommission, run
from bootstrap.clock import Clock
from bootstrap.errors import BootstrapError, InputsError
from bootstrap.execution import execute, in_copy
from bootstrap.node import Node
from bootstrap.preparation import prepare
from bootstrap.shutdown import going_down
from bootstrap.state import State

Systemctl = services.Run


def main(argv: Sequence[str], node: Node | None = None, systemctl: Systemctl = services.run) -> int:
    """Run one command on this node; return 0 when all is well with it, 1 when it is not."""
    wanted = _parser().parse_args(argv)
    here = node or this_node()
    try:
        return _COMMANDS[wanted.command](here, wanted, systemctl)
    except BootstrapError as why:
        sys.stderr.write(f"{why}\n{why.hint}\n")
    except OSError as why:
        sys.stderr.write(f"{why}\nrun it as root\n")
    return 1


def this_node() -> Node:
    """Return the doors to the machine this process runs on."""
    signal.signal(signal.SIGTERM, _ended)
    return Node(
        environment=os.environ,
        ask=web.ask,
        clock=Clock(),
        say=lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201 - the journal reads standard error
        execute=execute,
        behind=in_copy,
    )


def _boot(node: Node, wanted: argparse.Namespace, _: Systemctl) -> int:
    state = boot(node, _given(wanted.input), dry_run=wanted.dry_run)
    return _shown(state, wanted, well=state.state == "operational")


def _decommission(node: Node, wanted: argparse.Namespace, systemctl: Systemctl) -> int:
    reason = going_down(systemctl) if wanted.at_shutdown else "manual"
    if not reason:
        node.say("the machine stays up: the node stays in service (node-bootstrap decommission takes it out)")
        return 0
    state = decommission(node, reason, dry_run=wanted.dry_run)
    return _shown(state, wanted, well=not state.reason)


def _run(node: Node, wanted: argparse.Namespace, _: Systemctl) -> int:
    state = run(node, wanted.name, _given(wanted.input), dry_run=wanted.dry_run)
    return _shown(state, wanted, well=not any(one.error for one in state.scripts))


def _status(node: Node, wanted: argparse.Namespace, _: Systemctl) -> int:
    state = state_file.load(node.places.state)
    return _shown(state, wanted, well=state.state == "operational")


def _inputs(node: Node, wanted: argparse.Namespace, _: Systemctl) -> int:
    found = views.inputs(prepare(node, {}))
    _show(found, views.of_inputs(found), as_json=wanted.json)
    return int(any(one["fault"] for one in found))


def _list(node: Node, wanted: argparse.Namespace, _: Systemctl) -> int:
    found = views.scripts(prepare(node, {}))
    _show(found, views.of_scripts(found), as_json=wanted.json)
    return 0


_COMMANDS: dict[str, Callable[[Node, argparse.Namespace, Systemctl], int]] = {
    "boot": _boot,
    "decommission": _decommission,
    "run": _run,
    "status": _status,
    "inputs": _inputs,
    "list": _list,
}


def _shown(state: State, wanted: argparse.Namespace, *, well: bool) -> int:
    _show(json.loads(state.to_json()), views.of_state(state), as_json=wanted.json)
    return 0 if well else 1


def _show(document: Any, lines: list[str], *, as_json: bool) -> None:
    sys.stdout.write(
        json.dumps(document, indent=2) + "\n" if as_json else "".join(f"{one}\n" for one in lines)
    )


def _given(pairs: Sequence[str]) -> dict[str, str]:
    """Read NAME=TYPE:VALUE. Raises InputsError, which does not repeat what may be a secret."""
    wrong = [pair.partition("=")[0] for pair in pairs if "=" not in pair]
    if wrong:
        raise InputsError(f"--input {wrong[0][:40]}: has no value", "write it like --input NAME=text:VALUE")
    return {name: typed for name, _, typed in (pair.partition("=") for pair in pairs)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="node-bootstrap", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    told = {
        "boot": "run the boot list and be in service; run it again at will",
        "decommission": "run the decommission list: leave load balancers, stop",
        "run": "run one script",
        "status": "say how this node is",
        "inputs": "show the inputs, and what is missing",
        "list": "show the scripts and their run lists",
    }
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in told.items()}
    for one in made.values():
        one.add_argument("--json", action="store_true", help="print one JSON document")
    for name in ("boot", "decommission", "run"):
        made[name].add_argument(
            "--dry-run", action="store_true", help="change nothing, say what would change"
        )
    for name in ("boot", "run"):
        made[name].add_argument(
            "--input", action="append", default=[], metavar="NAME=TYPE:VALUE", help="an input for this time"
        )
    made["decommission"].add_argument(
        "--at-shutdown",
        action="store_true",
        help="only if the machine reboots or shuts down, as systemd says",
    )
    made["run"].add_argument("name", metavar="NAME", help="the script, see `node-bootstrap list`")
    return parser


def _ended(*_: object) -> NoReturn:
    """End as a program that was told to, so that a script under way is ended too."""
    raise SystemExit(143)
