"""The command `node-bootstrap`: boot this node, or say how it is."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap import instance_tags, services, web
from bootstrap import state as state_file
from bootstrap.boot import Node, boot
from bootstrap.clock import Clock
from bootstrap.errors import BootstrapError, MetadataError
from bootstrap.metadata import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootstrap.instance_tags import Publish
    from bootstrap.state import State


def main(argv: Sequence[str], node: Node | None = None) -> int:
    """Run one command on this node; return 0 when the node is operational, 1 when it is not."""
    here = node or this_node()
    wanted = _parser().parse_args(argv)
    try:
        state = _boot(here) if wanted.command == "boot" else _status(here, as_json=wanted.json)
    except BootstrapError as why:
        sys.stderr.write(f"{why}\n{why.hint}\n")
        return 1
    return 0 if state.state == "operational" else 1


def this_node() -> Node:
    """Return the doors to the machine this process runs on."""
    return Node(
        settings=Path("/etc/amibake/bootstrap.toml"),
        inputs=Path("/etc/amibake/inputs.json"),
        state=Path("/run/amibake/state.json"),
        environment=os.environ,
        run=services.run,
        ask=web.ask,
        clock=Clock(),
        say=lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201 - the journal reads standard error
    )


def lines(state: State) -> list[str]:
    """Return a state for people."""
    return [
        f"{state.state} since {state.since}" + (f" on {state.instance_id}" if state.instance_id else ""),
        *([f"  reason: {state.reason}"] if state.reason else []),
        *(f"  {step}: {seconds} s" for step, seconds in state.seconds.items()),
        *(f"  changed: {each}" for each in state.changed),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="node-bootstrap", description="Boot this node, or say how it is.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("boot", help="render configs, start services, wait for health; run it again at will")
    status = commands.add_parser("status", help="say how this node is")
    status.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _boot(node: Node) -> State:
    try:
        me = identity(node.ask)
    except MetadataError as why:
        node.say(f"tags: not set: {why} ({why.hint})")
        return boot(node, "", lambda _: None)
    publish = instance_tags.publisher(me, lambda region: instance_tags.client(region, node.environment))
    return _boot_tagged(node, me.instance_id, publish)


def _boot_tagged(node: Node, instance_id: str, publish: Publish) -> State:
    with instance_tags.in_background(publish, node.say) as later:
        return boot(node, instance_id, later)


def _status(node: Node, *, as_json: bool) -> State:
    state = state_file.load(node.state)
    sys.stdout.write(state.to_json() if as_json else "\n".join(lines(state)) + "\n")
    return state
