"""What came of a command on a deployment, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from fleet.service import UP, Standing


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    deployment: str
    changed: tuple[str, ...] = ()
    nodes: tuple[Standing, ...] = ()
    stories: tuple[str, ...] = ()
    """Why nodes are not in service."""
    notes: tuple[str, ...] = ()

    @property
    def degraded(self) -> bool:
        """Whether some nodes serve and others, which should, do not."""
        return bool(self.stories)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "deployment": self.deployment,
            "changed": list(self.changed),
            "nodes": [node_document(one) for one in self.nodes],
            "not_in_service": list(self.stories),
            "notes": list(self.notes),
        }

    def __rich__(self) -> Group:
        """As people read it."""
        plural = "" if len(self.changed) == 1 else "s"
        said = [f"{len(self.changed)} change{plural}" if self.changed else "nothing to change"]
        table = Table("node", "template", "zone", "address", "state", "in service", box=None)
        for one in self.nodes:
            node = one.node
            state = node.bootstrap_state if node.ec2_state == "running" else node.ec2_state
            serves = "yes" if one.verdict == UP else one.why
            table.add_row(node.id, node.template, node.zone, node.address, state, serves)
        shown: list[Any] = [f"[bold]{self.deployment}[/]: {', '.join(said)}"]
        shown += [table] if self.nodes else []
        return Group(*shown, *(f"[yellow]![/] {one}" for one in (*self.notes, *self.stories)))


def node_document(one: Standing) -> dict[str, Any]:
    """A node as JSON."""
    node = one.node
    return {
        "instance_id": node.id,
        "template": node.template,
        "zone": node.zone,
        "private_ip": node.private_ip,
        "image_id": node.image_id,
        "ec2_state": node.ec2_state,
        "bootstrap_state": node.bootstrap_state,
        "health": one.word,
        "health_by_load_balancer": {name: seen.state for name, seen in one.health.items()},
        "in_service": one.verdict == UP,
    }
