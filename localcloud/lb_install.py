"""Load balancers in the daemon: hooks into moto's records of them, and what runs behind the records."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

from localcloud import (
    cloudwatch,
    dns_records,
    lb_certificates,
    lb_classic,
    lb_classic_api,
    lb_classic_records,
    lb_traffic,
    lb_v2,
    lb_v2_records,
)
from localcloud.balancers import Balancers, Wanted
from localcloud.dns import NameServer
from localcloud.dns_zones import Zone
from localcloud.errors import LocalCloudError
from localcloud.guestfiles import host_nameservers
from localcloud.lb_health import Phase
from localcloud.lb_traffic import Log
from localcloud.network import Network
from localcloud.roster import Roster
from localcloud.site import ACCOUNT, Site

_EVERY_SECONDS = 5.0


def install(
    site: Site, network: Network, instances: Roster, log: Log, notice: Callable[[str], None]
) -> Balancers:
    """Put traffic behind moto's load balancers; what passes is counted in `log`."""
    balancers = Balancers(
        site,
        network,
        [lambda: _classic(site, instances), lambda: _v2(site, instances)],
        lambda arn: lb_certificates.recorded(ACCOUNT, site.region, arn),
        notice,
        log.follow,
    )
    cloudwatch.install()
    lb_classic_records.install(site, instances.record)
    lb_classic_api.install(balancers, instances.record)
    lb_v2_records.install(site, instances.record, balancers)
    return balancers


def forget_ended(site: Site, instances: Roster) -> None:
    """Take terminated instances off the load balancers, as AWS does."""
    from moto.elb.models import elb_backends
    from moto.elbv2.models import elbv2_backends

    alive = {record.id for record in instances.records() if record.state != "terminated"}
    for record in list(elb_backends[ACCOUNT][site.region].load_balancers.values()):
        record.instance_sparse_ids = [one for one in record.instance_sparse_ids if one in alive]
        record.instance_autoscaling_ids = [one for one in record.instance_autoscaling_ids if one in alive]
    for group in list(elbv2_backends[ACCOUNT][site.region].target_groups.values()):
        if group.target_type == "instance":
            group.deregister_terminated_instances([one for one in list(group.targets) if one not in alive])


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


def now_and_then(
    site: Site,
    balancers: Balancers,
    names: NameServer,
    log: Log,
    passing: Callable[[], AbstractContextManager[None]],
) -> Callable[[], None]:
    """Every few seconds publish metrics and see that names are served, until what this returns is called."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_EVERY_SECONDS):
            with passing():
                _publish(site, balancers, log)
            names.refresh()

    threading.Thread(target=follow, name="now-and-then", daemon=True).start()
    return ended.set


def _publish(site: Site, balancers: Balancers, log: Log) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    backend = cloudwatch_backends[ACCOUNT][site.region]
    now = time.time()
    for body in balancers.bodies():
        balancer = body.balancer
        if balancer is not None:
            with suppress(LocalCloudError):  # it ended just now
                standing = body.standing()
                healthy = Counter(pool for pool, _, _, phase in standing if phase is Phase.HEALTHY)
                found = [*lb_traffic.data(balancer, log.take(body), healthy)]
                found += lb_traffic.hosts(balancer, standing)
                cloudwatch.publish(backend, lb_traffic.NAMESPACES[balancer.kind], found, now)


def _classic(site: Site, instances: Roster) -> Iterator[Wanted]:
    from moto.elb.models import elb_backends

    known = {record.id: record for record in instances.records()}
    for record in list(elb_backends[ACCOUNT][site.region].load_balancers.values()):
        balancer = lb_classic.described(record)
        if balancer is not None:
            yield Wanted(balancer, lb_classic.members(record, balancer, known))


def _v2(site: Site, instances: Roster) -> Iterator[Wanted]:
    from moto.elbv2.models import elbv2_backends

    backend = elbv2_backends[ACCOUNT][site.region]
    known = {record.id: record for record in instances.records()}
    groups = dict(backend.target_groups)
    for record in list(backend.load_balancers.values()):
        balancer = lb_v2.described(record, groups)
        if balancer is not None:
            yield Wanted(balancer, lb_v2.members(record, groups, known, backend.load_balancers))
