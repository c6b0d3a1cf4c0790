"""The yard: an image, a classic load balancer, and what nodes behind it need; all for a block."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from aws import temporary
from aws.instance import Launch, describe, launched
from aws.ownership import Run
from aws.place import find_place
from aws.userdata import node_user_data
from bench import baking
from bench.errors import BenchError
from localcloud import control

if TYPE_CHECKING:
    from bench.cloud import Ground

_THRESHOLDS = {"HealthyThreshold": 2, "UnhealthyThreshold": 2}
_CHECK: Any = {"Target": "HTTP:80/health", "Interval": 2, "Timeout": 1, **_THRESHOLDS}
"""More often than AWS would: its classic load balancers check every 5 s at most."""
_NAME = "bench"
_SERVING_SECONDS = 420
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Node:
    """A node that was asked for, and when."""

    id: str
    address: str
    asked: float


@dataclass(frozen=True)
class Yard:
    """Where nodes come into service. `spec` is that of the image."""

    ground: Ground
    spec: Path
    image_id: str
    bucket: str
    group_id: str
    profile: str
    elb: Any

    def inputs(self, size: int = 1) -> dict[str, str]:
        """What a node is told; `size` is how many are launched together."""
        return {
            "BUCKET": f"text:{self.bucket}",
            "CLASSIC_LOAD_BALANCERS": f'array:["text:{_NAME}"]',
            "DEPLOYMENT_SIZE": f"text:{size}",
        }

    @contextmanager
    def nodes(self, count: int = 1, image_id: str = "", user_data: str = "") -> Iterator[list[Node]]:
        """Nodes for a block, of the image unless another is named; they are only starting."""
        wanted = Launch(
            image_id=image_id or self.image_id,
            instance_type="t3.small",
            subnet_id=find_place(self.ground.cloud).subnet_id,
            tags={"Name": _NAME},
            key_name="bench",
            group_ids=(self.group_id,),
            user_data=user_data or node_user_data(self.inputs(count)),
            profile=self.profile,
        )
        asked = time.time()
        with launched(self.ground.cloud, wanted, count) as ids:
            found = describe(self.ground.cloud, ids)
            yield [Node(one["InstanceId"], one["PrivateIpAddress"], asked) for one in found]

    def in_service(self, *nodes: Node) -> float:
        """Wait until all are in service, and return the time of day. Raises BenchError."""
        waiting, deadline = {one.id for one in nodes}, time.monotonic() + _SERVING_SECONDS
        while time.monotonic() < deadline:
            found = self.elb.describe_instance_health(LoadBalancerName=_NAME)["InstanceStates"]
            if waiting <= {one["InstanceId"] for one in found if one["State"] == "InService"}:
                return time.time()
            time.sleep(_LOOK_SECONDS)
        raise BenchError(
            f"{', '.join(sorted(waiting))} did not come into service", "`invoke local.console` shows why"
        )

    def calls(self, node: Node, since: float = 0.0) -> list[dict[str, Any]]:
        """What a node asked AWS for, by the cloud's own record."""
        found = control.calls(self.ground.site, max(since, node.asked))
        return [one for one in found if one["caller"] == node.address]


@contextmanager
def yard(ground: Ground) -> Iterator[Yard]:
    """Bake the image and make what its nodes need."""
    ground.say("bake the image to be measured")
    spec = baking.project(ground.folder / "project")
    image_id = baking.invoke(ground, "bake", f"--spec={spec}").document["image_id"]
    run, elb = Run(), boto3.client("elb")
    with ExitStack() as stack:
        bucket = stack.enter_context(temporary.bucket(ground.cloud, run))
        profile = stack.enter_context(
            temporary.instance_profile(ground.cloud, run, temporary.node_policy(bucket))
        )
        yield Yard(ground, spec, image_id, bucket, _group(ground), profile, _balanced(ground, elb))


def _group(ground: Ground) -> str:
    """A group that lets in the desk, and the load balancer."""
    made = ground.cloud.ec2.create_security_group(GroupName=_NAME, Description="nodes")["GroupId"]
    for source in (f"{ground.site.desk_address}/32", str(ground.site.network)):
        ground.cloud.ec2.authorize_security_group_ingress(GroupId=made, IpProtocol="-1", CidrIp=source)
    return made


def _balanced(ground: Ground, elb: Any) -> Any:
    elb.create_load_balancer(
        LoadBalancerName=_NAME,
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        Subnets=[find_place(ground.cloud).subnet_id],
    )
    # Of itself boto3 refuses such a check before anybody is asked.
    unchecked = boto3.client("elb", config=Config(parameter_validation=False))
    unchecked.configure_health_check(LoadBalancerName=_NAME, HealthCheck=_CHECK)
    drained = {"ConnectionDraining": {"Enabled": True, "Timeout": 1}}
    elb.modify_load_balancer_attributes(LoadBalancerName=_NAME, LoadBalancerAttributes=drained)
    return elb
