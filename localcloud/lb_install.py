"""Load balancers in the daemon: hooks into moto's records of them, and what runs behind the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from localcloud import lb_certificates, lb_classic, lb_classic_api, lb_classic_records
from localcloud.balancers import Balancers, Wanted
from localcloud.instances import Instances
from localcloud.network import Network
from localcloud.site import ACCOUNT, Site


def install(site: Site, network: Network, instances: Instances, notice: Callable[[str], None]) -> Balancers:
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


def _classic(site: Site, instances: Instances) -> Iterator[Wanted]:
    from moto.elb.models import elb_backends

    known = {record.id: record for record in instances.records()}
    for record in list(elb_backends[ACCOUNT][site.region].load_balancers.values()):
        balancer = lb_classic.described(record)
        if balancer is not None:
            yield Wanted(balancer, lb_classic.members(record, balancer, known))
