"""What the commands about load balancers end with, as JSON and as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from fleet.load_balancer import Health, LoadBalancer

_COLOURS = {"healthy": "green", "initial": "yellow", "draining": "yellow"}
_SOUND = ("healthy", "initial", "draining")


def document_of(balancer: LoadBalancer) -> dict[str, Any]:
    """A load balancer as JSON."""
    return {
        "name": balancer.name,
        "type": balancer.kind,
        "dns_name": balancer.dns_name,
        "arn": balancer.arn,
        "target_group_arn": balancer.target_group_arn,
        "health_check": str(balancer.check),
        "draining_seconds": balancer.draining_seconds,
        "deployment": balancer.deployment,
    }


@dataclass(frozen=True)
class Changed:
    """A load balancer made, altered or removed; None where it is not there."""

    name: str
    changed: tuple[str, ...]
    dry_run: bool
    balancer: LoadBalancer | None = None
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "load_balancer": document_of(self.balancer) if self.balancer else None,
            "changed": list(self.changed),
            "dry_run": self.dry_run,
        }

    def __rich__(self) -> str:
        """As people read it."""
        would = "would " if self.dry_run else ""
        lines = [f"  {would}{one}" for one in self.changed] or [f"  {self.name}: nothing to change"]
        if self.balancer:
            lines.append(f"{self.balancer.kind} load balancer {self.name}: http://{self.balancer.dns_name}/")
        return escape("\n".join(lines))


@dataclass(frozen=True)
class Moved:
    """Nodes added to a load balancer, or taken out."""

    balancer: LoadBalancer
    verb: str
    """`registered` or `deregistered`."""
    changed: tuple[str, ...]
    already: tuple[str, ...]
    dry_run: bool
    health: Mapping[str, Health] = field(default_factory=dict)
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "load_balancer": document_of(self.balancer),
            "changed": [f"{self.verb} {one}" for one in self.changed],
            self.verb: list(self.changed),
            "already": list(self.already),
            "dry_run": self.dry_run,
            "nodes": [_node(key, one, "") for key, one in self.health.items()],
        }

    def __rich__(self) -> str:
        """As people read it."""
        would = "would have " if self.dry_run else ""
        there = "in it already" if self.verb == "registered" else "not in it"
        lines = [f"{would}{self.verb} {one}" for one in self.changed]
        lines += [f"{one}: {there}, nothing to do" for one in self.already]
        return escape(
            "\n".join(f"  {self.balancer.name}: {one}" for one in lines or ["no nodes were chosen"])
        )


@dataclass(frozen=True)
class Seen:
    """How load balancers see their nodes. Degraded when one of them gets no requests and should."""

    balancers: tuple[tuple[LoadBalancer, Mapping[str, Health]], ...]
    zones: Mapping[str, str]

    @property
    def degraded(self) -> bool:
        """Whether a node is unhealthy, unused or unknown."""
        return any(one.state not in _SOUND for _, nodes in self.balancers for one in nodes.values())

    def document(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [
            {
                **document_of(balancer),
                "nodes": [_node(key, one, self.zones.get(key, "")) for key, one in sorted(nodes.items())],
            }
            for balancer, nodes in self.balancers
        ]

    def __rich__(self) -> Group | str:
        """As people read it."""
        if not self.balancers:
            return "there are no load balancers; `invoke lb.create NAME` makes one"
        return Group(*(part for one in self.balancers for part in self._shown(*one)))

    def _shown(self, balancer: LoadBalancer, nodes: Mapping[str, Health]) -> Sequence[str | Table]:
        head = f"[bold]{balancer.name}[/] {balancer.kind}  http://{balancer.dns_name}/"
        check = f"  [dim]checks {escape(balancer.check.described())}[/]"
        if not nodes:
            return (
                head,
                check,
                f"  no nodes; `invoke lb.register {balancer.name} --now` adds those running",
                "",
            )
        table = Table("node", "zone", "state", "reason", box=None)
        for key, one in sorted(nodes.items()):
            colour = _COLOURS.get(one.state, "red")
            why = one.description or one.reason
            table.add_row(key, self.zones.get(key, "gone"), f"[{colour}]{one.state}[/]", escape(why))
        return (head, check, table, "")


def _node(key: str, seen: Health, zone: str) -> dict[str, Any]:
    return {
        "instance_id": key,
        "state": seen.state,
        "reason": seen.reason,
        "description": seen.description,
        "zone": zone,
    }
