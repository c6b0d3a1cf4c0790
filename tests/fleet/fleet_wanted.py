"""Deployments for tests: what a file wants on made-up ground, and what there is of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bake.image import Image
from fleet import wanted as resolving
from fleet.actual import Actual
from fleet.deployment import Deployment, parse
from fleet.ground import Ground, Subnet
from fleet.groups import ActualGroup
from fleet.launch_templates import ActualTemplate
from fleet.load_balancer import LoadBalancer
from fleet.names_in_route53 import ActualName, wanted_record
from fleet.naming import Names
from fleet.node import Node
from fleet.wanted import Wanted

GROUND = Ground(
    account="123456789012",
    region="eu-central-1",
    vpc_id="vpc-1",
    vpc_cidr="10.0.0.0/16",
    caller="192.0.2.7/32",
    subnets=(Subnet("subnet-a", "eu-central-1a"), Subnet("subnet-b", "eu-central-1b")),
)
IMAGE = Image("ami-1", "resizer", "admin", "x86_64", "/dev/xvda", fingerprint="f" * 64)
BORN = datetime(2026, 11, 23, 12, tzinfo=UTC)

FILE: dict[str, Any] = {
    "name": "shop",
    "inputs": {"BUCKET": "text:{bucket}"},
    "bucket": {"owned": True, "sample": "photo.jpg"},
    "template": {"web": {"count": 2, "open": [{"port": 80, "from": "load_balancers"}]}},
    "load_balancer": {"front": {"interval_seconds": 5, "timeout_seconds": 2}},
    "dns": {"zone": "shop.test", "name": "img.shop.test", "make_zone": True, "ttl_seconds": 30},
}


def deployment(path: str = "shop.toml", **changes: Any) -> Deployment:
    """The deployment of the file above with some tables changed; None leaves one out."""
    merged = {key: value for key, value in {**FILE, **changes}.items() if value is not None}
    return parse(Path(path), merged)


def wanted(image: Image = IMAGE, **changes: Any) -> Wanted:
    """The same, resolved without asking anybody."""
    read = deployment(**changes)
    return resolving.on_ground(read, GROUND, {one.image: image for one in read.templates})


def node(number: int, **changes: Any) -> Node:
    """A node of template web, the older the smaller its number, in one zone after the other."""
    like = Node(
        id=f"i-{number:017d}",
        template="web",
        zone=GROUND.zones[number % 2],
        private_ip=f"10.0.0.{number}",
        image_id=IMAGE.id,
        bootstrap_state="operational",
        launched=BORN + timedelta(minutes=number),
    )
    return replace(like, **changes)


def fresh(shall: Wanted, count: int, **changes: Any) -> tuple[Node, ...]:
    """Nodes as they are made now."""
    return tuple(node(number, digest=shall.kinds[0].digest, **changes) for number in range(1, count + 1))


def settled(shall: Wanted, nodes: int = 2) -> Actual:
    """A deployment that is all as it is wanted."""
    names = Names(shall.deployment.name)
    balancers = tuple(_balancer(names.short(one.name), one.kind) for one in shall.deployment.balancers)
    dns = shall.deployment.dns
    return Actual(
        nodes=fresh(shall, nodes),
        bucket=shall.bucket,
        sample=True,
        key=True,
        roles={one.name: one.policy for one in shall.roles},
        groups={
            one.name: ActualGroup(f"sg-{number}", one.name, frozenset(one.rules))
            for number, one in enumerate(shall.groups)
        },
        templates={
            one.name: ActualTemplate(f"lt-{one.name}", one.launch_template, one.name, one.digest, 1)
            for one in shall.kinds
        },
        balancers=balancers,
        name=ActualName("Z1", ours=True, record=wanted_record(dns, balancers[0])) if dns else None,
    )


def _balancer(name: str, kind: Any) -> LoadBalancer:
    (check,) = {one.check for one in deployment().balancers}
    return LoadBalancer(
        kind=kind,
        name=name,
        dns_name=f"{name}.elb.test",
        zone_id="Z2",
        vpc_id="vpc-1",
        subnet_ids=("subnet-a", "subnet-b"),
        group_ids=("sg-0",),
        check=check,
        draining_seconds=30,
        tags={"amibake:deployment": "shop", "amibake:load-balancer": name},
    )
