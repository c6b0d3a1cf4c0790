"""`invoke lb.…`: load balancers from the desk, of any type, for nodes that run already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from aws.session import connect
from fleet import health_check as checks
from fleet import lb, listener, selection
from fleet.errors import FleetError, NotThere
from fleet.lb_errors import LoadBalancerWrong, NoLoadBalancer
from fleet.lb_views import Changed, Moved, Seen
from fleet.load_balancer import KINDS, Kind, Wanted, absent
from fleet.node import OPERATIONAL

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.health_check import HealthCheck
    from fleet.load_balancer import LoadBalancer
    from fleet.node import Node

_TYPE = f"{', '.join(KINDS)}; needed only where two have one name"
_NODE = "instance id; repeat it for more"


@task(
    iterable=["listener", "subnet", "group", "allow_from"],
    help={
        "name": "up to 32 letters, digits and hyphens",
        "type": f"{', '.join(KINDS)} (default classic)",
        "health-check": "TCP:80, HTTP:80/path (default TCP:80; for an application one HTTP:80/)",
        "interval": "seconds between two checks (default 10)",
        "timeout": "seconds a node has to answer a check (default 5)",
        "healthy": "checks passed in a row that put a node into service (default 2)",
        "unhealthy": "checks failed in a row that take it out (default 2)",
        "draining": "seconds that requests under way have when a node leaves (default 300)",
        "cross-zone": "balance over the nodes of all zones alike; --no-cross-zone keeps within zones",
        "listener": "HTTP:80, or HTTPS:443=HTTP:80; repeat it for more (default port 80)",
        "certificate": "ARN of the certificate for HTTPS, SSL or TLS",
        "internal": "reachable from within the VPC only",
        "subnet": "repeat it, one for each zone (default: the default VPC's, of every zone)",
        "group": "security group; repeat it for more (default: one of its own)",
        "allow-from": "CIDR that its own group admits; repeat it for more (default: this desk's address)",
        "deployment": "the deployment whose it is",
        "dry-run": "say what would change, and change nothing",
    },
)
def create(
    _: Context,
    name: str,
    type_: str = "classic",
    health_check: str = "",
    interval: int = 10,
    timeout: int = 5,
    healthy: int = 2,
    unhealthy: int = 2,
    draining: int = 300,
    cross_zone: bool = True,
    listener: Sequence[str] = (),
    certificate: str = "",
    internal: bool = False,
    subnet: Sequence[str] = (),
    group: Sequence[str] = (),
    allow_from: Sequence[str] = (),
    deployment: str = "",
    dry_run: bool = False,
) -> Changed:
    """Make a load balancer with its health check, or alter it where it differs; twice changes nothing."""
    kind = kind_of(type_)
    wanted = Wanted(
        kind=kind,
        name=name,
        check=_check(kind, health_check, interval, timeout, (healthy, unhealthy)),
        listeners=_listeners(listener, certificate),
        subnet_ids=tuple(subnet),
        group_ids=tuple(group),
        admits=tuple(allow_from),
        draining_seconds=draining,
        cross_zone=cross_zone,
        internal=internal,
        deployment=deployment,
    )
    return _made(wanted, dry_run=dry_run)


@task(
    iterable=["node"],
    help={
        "name": "the load balancer, whoever made it",
        "type": _TYPE,
        "node": _NODE,
        "deployment": "the nodes of a deployment (default: all that are operational)",
        "now": "those running now, without waiting for the booting; a stranded one only by --node",
        "wait": "wait until they are in service; --no-wait returns at once",
        "dry-run": "say who would be registered, and register nobody",
    },
)
def register(
    _: Context,
    name: str,
    type_: str = "",
    node: Sequence[str] = (),
    deployment: str = "",
    now: bool = False,
    wait: bool = True,
    dry_run: bool = False,
) -> Moved:
    """Put running nodes behind a load balancer, and wait until they are in service."""
    cloud = connect()
    balancer = _balancer(cloud, name, type_)
    nodes = _ready(cloud, selection.selected(cloud, deployment, node), named=bool(node), now=now or dry_run)
    ids = [one.id for one in nodes]
    missing = absent(lb.health(cloud, balancer), ids)
    if not dry_run:
        missing = lb.register(cloud, balancer, ids)
        if wait:
            lb.wait_in_service(cloud, balancer, ids)
    health = {key: one for key, one in lb.health(cloud, balancer).items() if key in ids}
    already = tuple(one for one in ids if one not in missing)
    return Moved(balancer, "registered", tuple(missing), already, dry_run, health)


@task(
    iterable=["node"],
    help={
        "name": "the load balancer, whoever made it",
        "type": _TYPE,
        "node": _NODE,
        "deployment": "the nodes of a deployment",
        "all": "every node that is in it",
        "dry-run": "say who would leave, and change nothing",
    },
)
def deregister(
    _: Context,
    name: str,
    type_: str = "",
    node: Sequence[str] = (),
    deployment: str = "",
    all_: bool = False,
    dry_run: bool = False,
) -> Moved:
    """Take nodes out of a load balancer, and wait until their requests have ended and they are really out."""
    if sum((bool(node), bool(deployment), all_)) != 1:
        raise FleetError(
            "which nodes are to leave is not said, or said twice", "give --node I-…, --deployment D or --all"
        )
    cloud = connect()
    balancer = _balancer(cloud, name, type_)
    inside = lb.health(cloud, balancer)
    # A node that is terminated already may still drain: its id is taken as it is.
    ids = list(inside) if all_ else list(node) or [one.id for one in selection.selected(cloud, deployment)]
    leaving = [one for one in ids if one in inside]
    if not dry_run:
        leaving = lb.deregister(cloud, balancer, ids)
    staying = tuple(one for one in ids if one not in leaving)
    return Moved(balancer, "deregistered", tuple(leaving), staying, dry_run)


@task(
    help={
        "name": "the load balancer, whoever made it (default: all that this toolkit made)",
        "type": _TYPE,
        "deployment": "only those of a deployment",
    },
)
def health(_: Context, name: str = "", type_: str = "", deployment: str = "") -> Seen:
    """Show how load balancers see their nodes: state, reason, zone. Exit code 2 if one is out of service."""
    cloud = connect()
    balancers = [_balancer(cloud, name, type_)] if name else lb.ours(cloud, deployment)
    seen = tuple((one, lb.health(cloud, one)) for one in balancers)
    ids = sorted({key for _, nodes in seen for key in nodes})
    return Seen(seen, {one.id: one.zone for one in selection.known(cloud, ids)})


@task(
    help={
        "name": "a load balancer that this toolkit made",
        "type": _TYPE,
        "force": "even though nodes are in it; requests under way are cut",
        "dry-run": "say what would go, and remove nothing",
    }
)
def delete(_: Context, name: str, type_: str = "", force: bool = False, dry_run: bool = False) -> Changed:
    """Remove a load balancer with its target group and its security group; twice changes nothing."""
    cloud = connect()
    try:
        found = _balancer(cloud, name, type_)
    except NoLoadBalancer:
        found = None
        if type_ == "" and len(lb.named(cloud, name)) > 1:
            raise
    if found and not force and (inside := lb.health(cloud, found)):
        raise FleetError(
            f"{len(inside)} nodes are in {name}: {', '.join(sorted(inside))}",
            f"`invoke lb.deregister {name} --all` drains them first; --force does not wait",
        )
    changed: list[str] = []
    if found:
        lb.own(found)
    for kind in (found.kind,) if found else (kind_of(type_),) if type_ else KINDS:
        removals = lb.removals(cloud, name, kind)
        changed += [one.what for one in removals] if dry_run else lb.done(removals)
    return Changed(name, tuple(dict.fromkeys(changed)), dry_run)


def kind_of(text: str) -> Kind:
    """The type of that name. Raises LoadBalancerWrong."""
    for kind in KINDS:
        if text == kind:
            return kind
    raise LoadBalancerWrong(
        f"there is no type of load balancer {text!r}", f"choose one of: {', '.join(KINDS)}"
    )


def _made(wanted: Wanted, *, dry_run: bool) -> Changed:
    cloud = connect()
    if dry_run:
        return Changed(wanted.name, tuple(lb.plan(cloud, wanted)), dry_run)
    made, changed = lb.ensure(cloud, wanted)
    return Changed(wanted.name, tuple(changed), dry_run, made)


def _check(kind: Kind, text: str, interval: int, timeout: int, thresholds: tuple[int, int]) -> HealthCheck:
    """The health check of a text, or the usual one of a kind; healthy's threshold first."""
    healthy, unhealthy = thresholds
    return checks.parse(
        text or ("HTTP:80/" if kind == "application" else "TCP:80"),
        interval_seconds=interval,
        timeout_seconds=timeout,
        healthy_threshold=healthy,
        unhealthy_threshold=unhealthy,
    )


def _listeners(texts: Sequence[str], certificate: str) -> tuple[Any, ...]:
    return tuple(listener.parse(one, certificate) for one in texts)


def _balancer(cloud: Cloud, name: str, type_: str) -> LoadBalancer:
    return lb.find(cloud, name, kind_of(type_) if type_ else None)


def _ready(cloud: Cloud, nodes: Sequence[Node], *, named: bool, now: bool) -> tuple[Node, ...]:
    """Those of the nodes that may be registered. Raises NotThere when nobody is left."""
    if not now:
        return selection.until_operational(cloud, nodes)
    able = [one for one in nodes if one.ec2_state == "running"]
    ready = tuple(one for one in able if named or one.bootstrap_state in ("", OPERATIONAL))
    if not ready:
        raise NotThere(
            f"none of {len(nodes)} nodes is ready" if nodes else "there is no operational node",
            "without --now the booting ones are waited for; `invoke bootstrap` mends the stranded ones",
        )
    return ready


TASKS: tuple[Any, ...] = (create, register, deregister, health, delete)
