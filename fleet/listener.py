"""Listeners: what a load balancer takes from clients, and how it hands it to the nodes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.lb_errors import LoadBalancerWrong

if TYPE_CHECKING:
    from fleet.load_balancer import Kind

_END = r"([A-Za-z]+):(\d{1,5})"
_FORM = re.compile(rf"{_END}(?:\s*(?:=|->)\s*{_END})?")
PROTOCOLS = {
    "classic": ("HTTP", "HTTPS", "TCP", "SSL"),
    "application": ("HTTP", "HTTPS"),
    "network": ("TCP", "TLS"),
}
ENCRYPTED = ("HTTPS", "SSL", "TLS")
# What the nodes speak where clients speak something encrypted, unless it is said.
_BEHIND = {"HTTPS": "HTTP", "SSL": "TCP", "TLS": "TCP"}


@dataclass(frozen=True)
class Listener:
    """Clients' protocol and port, the nodes' protocol and port, and the certificate where there is one."""

    protocol: str
    port: int
    node_protocol: str
    node_port: int
    certificate_arn: str = ""

    def __str__(self) -> str:
        front, behind = f"{self.protocol}:{self.port}", f"{self.node_protocol}:{self.node_port}"
        return front if front == behind else f"{front} -> {behind}"


def parse(text: str, certificate_arn: str = "") -> Listener:
    """The listener that `HTTP:80`, or `HTTPS:443=HTTP:80`, names (or with `->`). Raises LoadBalancerWrong."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise LoadBalancerWrong(
            f"{text!r} is no listener", "write PROTOCOL:PORT or PROTOCOL:PORT=NODE-PROTOCOL:NODE-PORT"
        )
    protocol, port = found[1].upper(), int(found[2])
    behind = (found[3] or _BEHIND.get(protocol, protocol)).upper()
    certificate = certificate_arn if protocol in ENCRYPTED else ""
    return Listener(protocol, port, behind, int(found[4] or port), certificate)


def default(kind: Kind) -> Listener:
    """Port 80, in the words of this type."""
    return parse("TCP:80" if kind == "network" else "HTTP:80")


def faults(listeners: tuple[Listener, ...], kind: Kind) -> Iterator[str]:
    """What a load balancer of this type refuses in its listeners, a sentence each."""
    known = PROTOCOLS[kind]
    for one in listeners:
        if one.protocol not in known:
            yield f"{one}: a load balancer of type {kind} listens by {', '.join(known)}"
        if not (1 <= one.port <= 65535 and 1 <= one.node_port <= 65535):
            yield f"{one}: a port is 1 to 65535"
        if one.protocol in ENCRYPTED and not one.certificate_arn:
            yield f"{one}: {one.protocol} needs a certificate: --certificate ARN"
    if len({one.port for one in listeners}) < len(listeners):
        yield "two listeners have the same port"
    if not listeners:
        yield "there is no listener"
    if kind != "classic" and len({(one.node_protocol, one.node_port) for one in listeners}) > 1:
        yield "all listeners must hand on to one protocol and port of the nodes: they share a target group"
