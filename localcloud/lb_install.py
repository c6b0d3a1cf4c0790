"""Load balancers in the daemon: hooks into moto's records of them, and what runs behind the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from localcloud import dns_records, lb_certificates, lb_classic, lb_classic_api, lb_classic_records
from localcloud.balancers import Balancers, Wanted
from localcloud.dns import NameServer
from localcloud.dns_zones import Zone
from localcloud.guestfiles import host_nameservers
from localcloud.roster import Roster
from localcloud.network import Network
from localcloud.site import ACCOUNT, Site


def install(site: Site, network: Network, instances: Roster, notice: Callable[[str], None]) -> Balancers:
    """Put traffic behind moto's load balancers."""

    def found(instance_id: str) -> Any:
        return next((one for one in instances.records() if one.id == instance_id), None)

    balancers = Balancers(
        site,
        network,
        [lambda: _classic(site, instances)],
        lambda arn: lb_certificates.recorded(ACCOUNT, site.region, arn),
        notice,
        lambda body, log: None,
    )
    lb_classic_records.install(site, found)
    lb_classic_api.install(balancers, found)
    return balancers


def names(
    site: Site, network: Network, instances: Roster, balancers: Balancers, notice: Callable[[str], None]
) -> NameServer:
    """The VPC's name server, which knows the load balancers, the instances and Route 53's zones."""
    from moto.route53.models import route53_backends

    inside = "ec2.internal" if site.region == "us-east-1" else f"{site.region}.compute.internal"

    def zones() -> tuple[Zone, ...]:
        hosted = list(route53_backends[ACCOUNT]["aws"].zones.values())
        return dns_records.zones(hosted, balancers.addresses(), instances.records(), inside)

    return NameServer(site, network, host_nameservers(), zones, notice)


def _classic(site: Site, instances: Roster) -> Iterator[Wanted]:
    from moto.elb.models import elb_backends

    known = {record.id: record for record in instances.records()}
    for record in list(elb_backends[ACCOUNT][site.region].load_balancers.values()):
        balancer = lb_classic.described(record)
        if balancer is not None:
            yield Wanted(balancer, lb_classic.members(record, balancer, known))
