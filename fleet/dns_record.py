"""The name that people ask for, as a deployment file wants it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.errors import DeploymentError
from fleet.table import Table

LONGEST_TTL_SECONDS = 60
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Dns:
    """A record in a hosted zone that leads to a load balancer."""

    zone: str
    name: str
    """The whole name, without a dot at the end."""
    kind: str
    """`cname` or `alias`."""
    ttl_seconds: int
    """Of a CNAME; an alias has the 60 s of its target."""
    balancer: str
    make_zone: bool = False
    """Make the hosted zone, and remove it with the deployment; else it must be there."""


def read_dns(top: Table, balancers: Sequence[str]) -> Dns | None:
    """The [dns] table of a deployment file. Raises DeploymentError."""
    table = top.table("dns")
    if table is None:
        return None
    words = "a domain such as example.com, in lower case and without a dot at the end"
    dns = Dns(
        zone=table.matching("zone", _NAME, words),
        name=table.matching("name", _NAME, "a name within the zone, in full"),
        kind=table.choice("type", ("cname", "alias")),
        # A load balancer's addresses change at any time: what is kept longer than a minute leads astray.
        ttl_seconds=table.number("ttl_seconds", 60, 1, LONGEST_TTL_SECONDS),
        balancer=table.one_of("load_balancer", balancers, balancers[0] if len(balancers) == 1 else None),
        make_zone=table.flag("make_zone"),
    )
    check_name(f"{table.path}: {table.where}", dns.zone, dns.name, dns.kind)
    table.finish()
    return dns


def check_name(where: str, zone: str, name: str, kind: str) -> None:
    """Refuse a name outside its zone, and a CNAME at the zone's apex. Raises DeploymentError."""
    if name != zone and not name.endswith(f".{zone}"):
        raise DeploymentError(f"{where}: {name} does not lie in the zone {zone}", f"try www.{zone}")
    if name == zone and kind == "cname":
        raise DeploymentError(
            f"{where}: {name} is the zone's apex, and a CNAME cannot stand there: it admits no record"
            " beside itself (RFC 1034), and the apex always has its SOA and NS records",
            f'use type = "alias", or another name, such as www.{zone}',
        )
