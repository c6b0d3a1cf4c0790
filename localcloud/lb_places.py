"""Where load balancers are: an address each in one of their subnets, kept with their records, and a name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from localcloud.site import Site

# https://docs.aws.amazon.com/general/latest/gr/elb.html
HOSTED_ZONES = {"application": "Z35SXDOTRQ7X7K", "classic": "Z35SXDOTRQ7X7K", "network": "Z26RNL4JYFTOTI"}
"""The zones that aliases to load balancers name, those of us-east-1."""


@dataclass(frozen=True)
class Place:
    """What tells a load balancer from all others here, and where it is."""

    id: str
    address: IPv4Address
    subnet_id: str


def dns_name(name: str, kind: str, region: str, scheme: str) -> str:
    """A new load balancer's name, in the form that AWS gives it."""
    inside = "internal-" if scheme == "internal" and kind != "network" else ""
    if kind == "network":
        return f"{name}-{secrets.token_hex(8)}.elb.{region}.amazonaws.com"
    return f"{inside}{name}-{secrets.randbelow(9 * 10**8) + 10**8}.{region}.elb.amazonaws.com".lower()


def settle(site: Site, record: Any, subnets: list[Any]) -> None:
    """Give a new load balancer an address in the first of its subnets that machines live in.

    The subnet keeps the address from being given to an instance. Where there is no such subnet, as in a VPC
    or a region without machines, the record stays one: no traffic will pass.
    """
    for subnet in subnets:
        if subnet.cidr.subnet_of(site.machines):
            address = IPv4Address(subnet.get_available_subnet_ip(record))
            record.place = Place(f"lb-{secrets.token_hex(5)}", address, subnet.id)
            return


def leave(record: Any, ec2: Any) -> None:
    """Give a load balancer's address back."""
    place = place_of(record)
    if place is not None:
        for subnet in (one for of_zone in ec2.subnets.values() for one in of_zone.values()):
            if subnet.id == place.subnet_id:
                subnet.del_subnet_ip(str(place.address))


def place_of(record: Any) -> Place | None:
    """Where a load balancer is, None for one that has no machines around it."""
    place = getattr(record, "place", None)
    return place if isinstance(place, Place) else None
