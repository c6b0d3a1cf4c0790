"""Whether resolvers see what the zone says, and waiting until all do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from aws.errors import OutOfPatience
from aws.patience import Clock, Patience, wait_for
from fleet.dns_question import Answer, ask

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.names_in_route53 import Record

Asking = Callable[[str, str], Answer]
_LOOK_SECONDS = 2.0
_NAMESERVER = re.compile(r"(?m)^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$")


@dataclass(frozen=True)
class Agreement:
    """What resolvers say of a name."""

    name: str
    record: Record
    answers: tuple[Answer, ...]
    target: tuple[str, ...]
    """The addresses that the load balancer has now, by the same resolvers."""

    @property
    def degraded(self) -> bool:
        """Whether some resolver does not see the record."""
        return not all(self.sees(one) for one in self.answers)

    def sees(self, one: Answer) -> bool:
        """Whether an answer is what the record says."""
        if one.failure:
            return False
        if self.record.kind == "cname":
            return self.record.target in one.names
        return bool(set(one.addresses) & set(self.target)) if self.target else bool(one.addresses)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        answers = [{**vars(one), "sees_it": self.sees(one)} for one in self.answers]
        return {
            "name": self.name,
            "type": self.record.kind,
            "target": self.record.target,
            "ttl": self.record.ttl_seconds,
            "agreed": not self.degraded,
            "resolvers": answers,
        }

    def __rich__(self) -> Group:
        """As people read it."""
        ttl = f", {self.record.ttl_seconds} s" if self.record.ttl_seconds else ""
        table = Table("resolver", "sees it", "addresses", "kept for", "", box=None)
        for one in self.answers:
            sees = "[green]yes[/]" if self.sees(one) else "[red]no[/]"
            kept = f"{one.ttl_seconds} s" if one.addresses else ""
            table.add_row(
                one.server, sees, ", ".join(one.addresses), kept, one.failure or " -> ".join(one.names)
            )
        return Group(f"[bold]{self.name}[/] -> {self.record.target} ({self.record.kind}{ttl})", table)


def resolvers(cloud: Cloud, vpc_cidr: str, zone_id: str, asking: Asking = ask) -> tuple[str, ...]:
    """Whom to ask: the VPC's resolver where it answers us, as nodes ask it; else the zone's own and ours."""
    inside = str(IPv4Network(vpc_cidr)[2])
    if asking(inside, "localhost").failure != "no answer":
        return (inside,)
    servers = cloud.route53.get_hosted_zone(Id=zone_id).get("DelegationSet", {}).get("NameServers", [])
    known = [address for server in servers for address in _addresses(server)]
    return tuple(dict.fromkeys([*known, *of_this_computer()]))


def of_this_computer(file: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The resolvers of this computer."""
    try:
        return tuple(_NAMESERVER.findall(file.read_text()))
    except OSError:
        return ()


def until_agreed(
    name: str,
    record: Record,
    servers: Sequence[str],
    patience_seconds: float,
    asking: Asking = ask,
    clock: Clock = time,
) -> Agreement:
    """Ask all until all see the record, or until patience ends; the last answers."""

    def look() -> Agreement:
        with ThreadPoolExecutor(max_workers=max(1, len(servers))) as pool:
            answers = tuple(pool.map(lambda one: asking(one, name), servers))
            target = asking(servers[0], record.target).addresses if servers else ()
        return Agreement(name, record, answers, target)

    seen: list[Agreement] = []

    def again() -> Agreement | None:
        seen.append(look())
        return None if seen[-1].degraded else seen[-1]

    try:
        return wait_for(name, again, Patience(_LOOK_SECONDS, patience_seconds), clock)
    except OutOfPatience:
        return seen[-1]


def _addresses(server: str) -> list[str]:
    import socket

    try:
        found = socket.getaddrinfo(server, 53, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return []
    return [str(IPv4Address(str(one[4][0]))) for one in found]
