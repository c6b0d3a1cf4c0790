"""Load balancers as a deployment file wants them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.server_template import DESK, read_source
from fleet.table import Table

TYPES = ("classic", "application", "network")
_LISTENER = re.compile(r"(http|https|tcp|ssl|tls):(\d{1,5})(?:\s*->\s*(http|https|tcp|ssl|tls):(\d{1,5}))?")
_LISTENER_WORDS = 'a list of listeners such as "http:80", or "https:443 -> http:80"'
_HEALTH = re.compile(r"(TCP|SSL):\d{1,5}|(HTTP|HTTPS):\d{1,5}/\S*")
_SECURE = ("https", "ssl", "tls")


@dataclass(frozen=True)
class Listener:
    """A port of the load balancer, and the node's port behind it."""

    protocol: str
    port: int
    node_protocol: str
    node_port: int

    def __str__(self) -> str:
        return f"{self.protocol}:{self.port} -> {self.node_protocol}:{self.node_port}"


@dataclass(frozen=True)
class Balancer:
    """One load balancer. Stickiness is off: every node answers every request alike."""

    name: str
    kind: str = "classic"
    listeners: tuple[Listener, ...] = ()
    certificate: str = ""
    health: str = "HTTP:80/health"
    interval_seconds: int = 5
    timeout_seconds: int = 3
    healthy: int = 2
    unhealthy: int = 2
    draining_seconds: int = 30
    cross_zone: bool = True
    internal: bool = False
    sources: tuple[str, ...] = (DESK,)
    """Who may reach the listeners: `desk` or CIDRs. A network load balancer has no group; its nodes' is used."""


def read_balancers(top: Table) -> tuple[Balancer, ...]:
    """The load balancers of a deployment file. Raises DeploymentError."""
    return tuple(_balancer(name, table) for name, table in top.named("load_balancer"))


def _balancer(name: str, table: Table) -> Balancer:
    interval = table.number("interval_seconds", 5, 2, 300)
    balancer = Balancer(
        name=name,
        kind=table.choice("type", TYPES),
        listeners=_listeners(table),
        certificate=table.text("certificate", ""),
        health=table.matching("health_check", _HEALTH, "TCP:80, or HTTP:80/path", "HTTP:80/health"),
        interval_seconds=interval,
        timeout_seconds=table.number("timeout_seconds", min(3, interval - 1), 1, 120),
        healthy=table.number("healthy", 2, 2, 10),
        unhealthy=table.number("unhealthy", 2, 2, 10),
        draining_seconds=table.number("draining_seconds", 30, 0, 3600),
        cross_zone=table.flag("cross_zone", default=True),
        internal=table.flag("internal"),
        sources=_sources(table),
    )
    if balancer.timeout_seconds >= interval:
        raise table.wrong("timeout_seconds", f"fewer seconds than `interval_seconds`, {interval}")
    table.finish()
    return balancer


def _listeners(table: Table) -> tuple[Listener, ...]:
    found = []
    for text in table.texts("listeners", _LISTENER_WORDS) or ("http:80",):
        parts = _LISTENER.fullmatch(text)
        if parts is None:
            raise table.wrong("listeners", f"{_LISTENER_WORDS}; {text!r} is none")
        protocol, port, node_protocol, node_port = parts.groups()
        found.append(Listener(protocol, int(port), node_protocol or protocol, int(node_port or port)))
    if any(one.protocol in _SECURE for one in found) and not table.text("certificate", ""):
        raise table.wrong("certificate", "the ARN of the certificate that a secure listener shows")
    return tuple(found)


def _sources(table: Table) -> tuple[str, ...]:
    words = f'a list of CIDRs, or "{DESK}" for this computer\'s address'
    sources = table.texts("allow_from", words) or (DESK,)
    for source in sources:
        read_source(Table(table.path, table.where, {"allow_from": source}), "allow_from", DESK)
    return sources
