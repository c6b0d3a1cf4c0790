"""Load balancers as a deployment file wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fleet import health_check, listener
from fleet.errors import DeploymentError
from fleet.health_check import HealthCheck
from fleet.lb_errors import LoadBalancerWrong
from fleet.listener import ENCRYPTED, Listener
from fleet.load_balancer import KINDS, Kind
from fleet.server_template import DESK, read_source
from fleet.table import Table

_LISTENERS = 'a list of listeners such as "HTTP:80", or "HTTPS:443=HTTP:80"'


@dataclass(frozen=True)
class Balancer:
    """One load balancer. Stickiness is off: every node answers every request alike."""

    name: str
    kind: Kind
    listeners: tuple[Listener, ...]
    check: HealthCheck
    draining_seconds: int
    cross_zone: bool
    internal: bool
    sources: tuple[str, ...]
    """Who may reach the listeners: `desk` or CIDRs. A network one has no group: its nodes let them in."""

    @property
    def in_service_seconds(self) -> int:
        """How long a node that answers may take until it is in service."""
        return self.check.in_service_seconds


def read_balancers(top: Table) -> tuple[Balancer, ...]:
    """The load balancers of a deployment file. Raises DeploymentError."""
    return tuple(_balancer(name, table) for name, table in top.named("load_balancer"))


def _balancer(name: str, table: Table) -> Balancer:
    kind = cast("Kind", table.choice("type", KINDS))
    balancer = Balancer(
        name=name,
        kind=kind,
        listeners=_listeners(table, kind),
        check=_check(table, kind),
        draining_seconds=table.number("draining_seconds", 30, 1 if kind == "classic" else 0, 3600),
        cross_zone=table.flag("cross_zone", default=True),
        internal=table.flag("internal"),
        sources=_sources(table),
    )
    table.finish()
    return balancer


def _check(table: Table, kind: Kind) -> HealthCheck:
    interval = table.number("interval_seconds", 10, 5, 300)
    try:
        check = health_check.parse(
            table.text("health_check", "TCP:80" if kind == "network" else "HTTP:80/health"),
            interval_seconds=interval,
            timeout_seconds=table.number("timeout_seconds", min(5, interval - 1), 2, 120),
            healthy_threshold=table.number("healthy", 2, 2, 10),
            unhealthy_threshold=table.number("unhealthy", 2, 2, 10),
        )
    except LoadBalancerWrong as why:
        raise table.wrong("health_check", why.hint) from why
    if wrong := list(health_check.faults(check, kind)):
        raise DeploymentError(f"{table.path}: {table.where}: {'; '.join(wrong)}", "see fleet/README.md")
    return check


def _listeners(table: Table, kind: Kind) -> tuple[Listener, ...]:
    certificate = table.text("certificate", "")
    texts = table.texts("listeners", _LISTENERS)
    try:
        found = tuple(listener.parse(text, certificate) for text in texts) or (listener.default(kind),)
    except LoadBalancerWrong as why:
        raise table.wrong("listeners", _LISTENERS) from why
    if any(one.protocol in ENCRYPTED and not certificate for one in found):
        raise table.wrong("certificate", "the ARN of the certificate that an encrypted listener shows")
    if wrong := list(listener.faults(found, kind)):
        raise DeploymentError(f"{table.path}: {table.where}: {'; '.join(wrong)}", "see fleet/README.md")
    return found


def _sources(table: Table) -> tuple[str, ...]:
    words = f'a list of CIDRs, or "{DESK}" for this computer\'s address'
    sources = table.texts("allow_from", words) or (DESK,)
    for source in sources:
        read_source(Table(table.path, table.where, {"allow_from": source}), "allow_from", DESK)
    return sources
