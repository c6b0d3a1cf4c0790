"""How a deployment does: its nodes, their load, and what its load balancers measure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from aws.duration import spoken
from fleet import lb, measures, names_in_route53, service
from fleet.measures import Measured
from fleet.naming import Names
from fleet.node import described
from fleet.plan import outdated
from fleet.service import COMING, LOST, UP, Standing

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer
    from fleet.names_in_route53 import Record
    from fleet.wanted import Wanted

# A node with four times its peers' load, and enough of it to matter, gets more than its share.
_IMBALANCE = 4.0
_MATTERS = 1.0
_LEAST = 0.01


@dataclass(frozen=True)
class Status:
    """A deployment at one moment."""

    deployment: str
    standings: tuple[Standing, ...]
    balancers: tuple[LoadBalancer, ...] = ()
    measured: Measured = field(default_factory=Measured)
    old: frozenset[str] = frozenset()
    """Nodes that are not of the wanted image or template."""
    name: str = ""
    record: Record | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def running(self) -> tuple[Standing, ...]:
        """The nodes that are to serve: those that nobody has stopped."""
        return tuple(one for one in self.standings if one.node.ec2_state in ("pending", "running"))

    @property
    def degraded(self) -> bool:
        """Whether some nodes that are to serve do not."""
        return any(one.verdict in (COMING, LOST) for one in self.running)

    @property
    def flags(self) -> tuple[str, ...]:
        """What deserves a look."""
        found = []
        for what, values in (("load", self.measured.load1), ("requests", self.measured.requests)):
            if told := imbalance(what, values):
                found.append(told)
        return tuple(found)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        record = self.record
        dns = {"name": self.name, "target": record.target, "ttl": record.ttl_seconds} if record else None
        return {
            "deployment": self.deployment,
            "nodes": [self._node(one) for one in self.standings],
            "load_balancers": [
                {
                    "name": one.name,
                    "type": one.kind,
                    "dns_name": one.dns_name,
                    "requests_per_second": self.measured.balancer_requests.get(one.name),
                    "latency_p99_seconds": self.measured.latency.get(one.name),
                }
                for one in self.balancers
            ],
            "dns": dns,
            "flags": list(self.flags),
            "load1_ratio_max_to_median": ratio(self.measured.load1),
            "requests_ratio_max_to_median": ratio(self.measured.requests),
        }

    def _node(self, one: Standing) -> dict[str, Any]:
        node = one.node
        return {
            "instance_id": node.id,
            "template": node.template,
            "zone": node.zone,
            "private_ip": node.private_ip,
            "image_id": node.image_id,
            "wanted": node.id not in self.old,
            "ec2_state": node.ec2_state,
            "bootstrap_state": node.bootstrap_state,
            "health": one.word,
            "health_by_load_balancer": {name: seen.state for name, seen in one.health.items()},
            "why": one.why,
            "boot_seconds": node.boot_seconds,
            "age_seconds": int((self.now - node.launched).total_seconds()),
            "load1": self.measured.load1.get(node.id),
            "requests_per_second": self.measured.requests.get(node.id),
            "latency_p50_seconds": self.measured.p50.get(node.id),
            "latency_p99_seconds": self.measured.p99.get(node.id),
        }

    def __rich__(self) -> Group:
        """As people read it."""
        shown: list[Any] = [self._summary(), self._nodes()]
        if self.balancers:
            shown.append(self._balancers())
        if self.record:
            ttl = f", {self.record.ttl_seconds} s" if self.record.ttl_seconds else ""
            shown.append(f"[bold]{self.name}[/] -> {self.record.target} ({self.record.kind}{ttl})")
        return Group(*shown, *(f"[yellow]![/] {one}" for one in self.flags))

    def _summary(self) -> str:
        up, due = sum(one.verdict == UP for one in self.running), len(self.running)
        resting = len(self.standings) - due
        more = (f", {resting} stopped" if resting else "") + (
            f", {len(self.old)} outdated" if self.old else ""
        )
        colour = "green" if up == due else "yellow"
        return f"[bold]{self.deployment}[/]: [{colour}]{up} of {due} nodes in service[/]{more}"

    def _nodes(self) -> Table:
        heads = (
            "node",
            "template",
            "zone",
            "address",
            "image",
            "state",
            "in service",
            "age",
            "load",
            "req/s",
            "p99",
        )
        table = Table(*heads, box=None)
        for one in self.standings:
            node = one.node
            state = node.bootstrap_state or node.ec2_state if node.ec2_state == "running" else node.ec2_state
            stopped = node.ec2_state in ("stopping", "stopped")
            serves = "-" if stopped else "[green]yes[/]" if one.verdict == UP else f"[red]{one.why}[/]"
            table.add_row(
                node.id,
                node.template,
                node.zone,
                node.address,
                node.image_id + (" [yellow]old[/]" if node.id in self.old else ""),
                state,
                serves,
                spoken(self.now - node.launched),
                _number(self.measured.load1.get(node.id)),
                _number(self.measured.requests.get(node.id)),
                _milliseconds(self.measured.p99.get(node.id)),
            )
        return table

    def _balancers(self) -> Table:
        table = Table("load balancer", "type", "address", "req/s", "p99", box=None)
        for one in self.balancers:
            p99 = _milliseconds(self.measured.latency.get(one.name))
            requests = _number(self.measured.balancer_requests.get(one.name))
            table.add_row(one.name, one.kind, one.dns_name, requests, p99)
        return table


def ratio(values: Mapping[str, float]) -> float | None:
    """The largest by the middle one; of two the smaller is the middle. None without peers."""
    if len(values) < 2:
        return None
    return max(values.values()) / max(statistics.median_low(values.values()), _LEAST)


def imbalance(what: str, values: Mapping[str, float]) -> str:
    """A sentence about the node that has far more than its peers; empty where none has."""
    times = ratio(values)
    if times is None or times < _IMBALANCE or max(values.values()) < _MATTERS:
        return ""
    most, least = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    return (
        f"imbalance of {what}: {values[least]:.1f} on {least} beside {values[most]:.1f} on {most},"
        f" {times:.1f} times the median"
    )


def status(cloud: Cloud, wanted: Wanted) -> Status:
    """Look at a deployment once: a call for a thousand nodes, and a few for the rest."""
    names = Names(wanted.deployment.name)
    nodes, balancers = described(cloud, names.deployment), tuple(lb.ours(cloud, names.deployment))
    health = {one.name: lb.health(cloud, one) for one in balancers}
    running = [one.id for one in nodes if one.up]
    dns = wanted.deployment.dns
    found = names_in_route53.described(cloud, names.deployment, dns) if dns else None
    old = {one.id for kind in wanted.kinds for one in outdated(kind, _of(nodes, kind.name))}
    return Status(
        deployment=names.deployment,
        standings=tuple(service.standing(wanted, one, health) for one in nodes),
        balancers=balancers,
        measured=measures.measure(cloud, names.deployment, running, balancers)
        if nodes or balancers
        else Measured(),
        old=frozenset(old),
        name=dns.name if dns else "",
        record=found.record if found else None,
    )


def _of(nodes: Sequence[Any], template: str) -> list[Any]:
    return [one for one in nodes if one.template == template]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.0f} ms"
