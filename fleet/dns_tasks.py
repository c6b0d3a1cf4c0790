"""`invoke dns.*`: the name that leads to a deployment, from the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from aws.session import connect
from fleet import dns_check, lb, names_in_route53
from fleet.command import Desk, at_work
from fleet.deployment import DEFAULT_FILE, load
from fleet.errors import DnsError, NotThere
from fleet.ground import find_ground
from fleet.jvm import caching
from fleet.naming import Names

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment
    from fleet.dns_check import Agreement
    from fleet.dns_record import Dns
    from fleet.load_balancer import LoadBalancer
    from fleet.names_in_route53 import Record

_FILE = "the deployment file, whose [dns] table says which name"


@dataclass(frozen=True)
class Pointed:
    """A name, and where it leads now."""

    name: str
    record: Record
    changed: tuple[str, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        record = self.record
        return {
            "name": self.name,
            "type": record.kind,
            "target": record.target,
            "ttl": record.ttl_seconds,
            "changed": list(self.changed),
        }

    def __rich__(self) -> str:
        """As people read it."""
        ttl = f", may be kept for {self.record.ttl_seconds} s" if self.record.ttl_seconds else ""
        said = "; ".join(self.changed) or "nothing to change"
        return f"[bold]{self.name}[/] -> {self.record.target} ({self.record.kind}{ttl}): {said}"


@dataclass(frozen=True)
class Kept:
    """For how long a JRE keeps an address, and whether that is well."""

    well: bool
    sentence: str

    @property
    def degraded(self) -> bool:
        """Whether clients may go on to addresses that the load balancer has left."""
        return not self.well

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"follows_the_record": self.well, "why": self.sentence}

    def __rich__(self) -> str:
        """As people read it."""
        return f"{'[green]well[/]' if self.well else '[red]trap[/]'}: {self.sentence}"


@task(help={"file": _FILE, "dry-run": "say what would be changed, and change nothing"})
def point(_: Context, file: str = DEFAULT_FILE, dry_run: bool = False) -> Pointed:
    """Have the name of a deployment lead to its load balancer, and wait until Route 53 has it everywhere."""
    deployment, cloud = load(Path(file)), connect()
    dns, names = _dns_of(deployment), Names(deployment.name)
    balancer = _balancer(cloud, deployment, dns)
    wanted = names_in_route53.wanted_record(dns, balancer)
    there = names_in_route53.described(cloud, deployment.name, dns)
    if there and there.record == wanted:
        return Pointed(dns.name, wanted, ())
    changed = [f"~ it is {there.record.target}" if there and there.record else f"+ name {dns.name}"]
    if not dry_run:
        with at_work(Desk(cloud, deployment, "invoke dns.point"), changed):
            if there is None and dns.make_zone:
                names_in_route53.make_zone(cloud, dns.zone, names.tags(deployment.tags))
                there = names_in_route53.described(cloud, deployment.name, dns)
            zone = names_in_route53.need_zone(there, dns)
            names_in_route53.point(cloud, zone.zone_id, dns, balancer)
    return Pointed(dns.name, wanted, tuple(changed))


@task(
    iterable=["resolver"],
    help={
        "file": _FILE,
        "resolver": "ask this one; repeat it for more (default: the VPC's, else the zone's own and ours)",
        "wait": "how many seconds to go on asking until all see it (default 120)",
        "jvm": "ask a JRE instead: its home, or its java.security; explains for how long it keeps an address",
    },
)
def check(
    _: Context, file: str = DEFAULT_FILE, resolver: Sequence[str] = (), wait: int = 120, jvm: str = ""
) -> Agreement | Kept:
    """Ask resolvers until all see where the name leads, and show for how long each may keep it."""
    if jvm:
        return Kept(*caching(Path(jvm)).verdict(_dns_of(load(Path(file))).ttl_seconds))
    deployment, cloud = load(Path(file)), connect()
    dns = _dns_of(deployment)
    zone = names_in_route53.need_zone(names_in_route53.described(cloud, deployment.name, dns), dns)
    if zone.record is None:
        raise NotThere(f"the zone {dns.zone} has no record {dns.name}", "`invoke dns.point` makes it")
    ground = find_ground(cloud, deployment)
    servers = tuple(resolver) or dns_check.resolvers(cloud, ground.vpc_cidr, zone.zone_id)
    if not servers:
        raise DnsError("there is no resolver to ask", "name one with --resolver")
    return dns_check.until_agreed(dns.name, zone.record, servers, wait)


def _dns_of(deployment: Deployment) -> Dns:
    if deployment.dns is None:
        raise DnsError(f"{deployment.path} has no [dns] table", "add one: zone, name, type, ttl_seconds")
    return deployment.dns


def _balancer(cloud: Cloud, deployment: Deployment, dns: Dns) -> LoadBalancer:
    wanted = next(one for one in deployment.balancers if one.name == dns.balancer)
    return lb.find(cloud, Names(deployment.name).short(dns.balancer), wanted.kind)


TASKS = (point, check)
