"""One node of an image in service, with a photograph to ask it for: what a user sees first.

It stays until it is ended or its time is up, and there is one of it: the next demonstration takes its place.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws import temporary
from aws.errors import OutOfPatience
from aws.instance import Launch, console_tail, launch, terminate, wait_running
from aws.ownership import Run, specification
from aws.patience import Patience, wait_for
from aws.place import find_place
from aws.userdata import node_user_data
from fleet.errors import NotServing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws.place import Place
    from aws.session import Cloud

NAME = "amibake-demo"
KEY = "photo.jpg"
_LIFETIME = timedelta(days=1)
_SERVING = Patience(delay_seconds=0.5, budget_seconds=180)


@dataclass(frozen=True)
class Demo:
    """A node that serves."""

    instance_id: str
    address: str
    bucket: str
    degraded: bool = False

    @property
    def url(self) -> str:
        """A photograph of it, of medium size."""
        return f"http://{self.address}/medium/{KEY}"

    @property
    def curl(self) -> str:
        """The line that fetches it."""
        return f"curl --output photo-medium.jpg {self.url}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "instance_id": self.instance_id,
            "address": self.address,
            "bucket": self.bucket,
            "curl": self.curl,
        }

    def __rich__(self) -> str:
        """As people read it."""
        return f"{self.instance_id} serves at http://{self.address}/, try:\n\n    {self.curl}\n"


def show(cloud: Cloud, image_id: str, paint: Callable[[], bytes], subnet: str = "") -> Demo:
    """Have a node of this image serving the photograph; a demonstration of another image is ended.

    It is painted only when the bucket does not have it yet.

    Raises NotServing with the console's last lines when it does not answer in time.
    """
    bucket = f"{NAME}-{cloud.account}-{cloud.region}"
    running = _running(cloud)
    outdated = [one["InstanceId"] for one in running if one["ImageId"] != image_id]
    terminate(cloud, outdated)
    current = [one["InstanceId"] for one in running if one["ImageId"] == image_id]
    run = Run(id=NAME, expires=datetime.now(UTC) + _LIFETIME)
    _have_bucket(cloud, run, bucket)
    _have_photograph(cloud, bucket, paint)
    if not current:
        current = list(_launch(cloud, run, find_place(cloud, subnet), image_id, bucket))
    (node, *_) = wait_running(cloud, current[:1])
    demo = Demo(node.id, node.address, bucket)
    try:
        wait_for(f"{demo.url}: being served", lambda: _fetched(demo.url), _SERVING)
    except OutOfPatience as why:
        raise NotServing(
            f"{why}\n{console_tail(cloud, node.id)}", "`invoke local.console` shows the rest"
        ) from why
    return demo


def _launch(cloud: Cloud, run: Run, place: Place, image_id: str, bucket: str) -> tuple[str, ...]:
    wanted = Launch(
        image_id=image_id,
        instance_type="t3.small",
        subnet_id=place.subnet_id,
        tags=run.tags(**{"amibake:demo": "yes"}),
        group_ids=(_have_group(cloud, run, place),),
        user_data=node_user_data({"BUCKET": f"text:{bucket}"}),
        profile=_have_profile(cloud, run, bucket),
    )
    return launch(cloud, wanted)


def _running(cloud: Cloud) -> list[Any]:
    filters: Any = [
        {"Name": "tag:amibake:demo", "Values": ["yes"]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [one for page in pages for group in page["Reservations"] for one in group["Instances"]]


def _have_bucket(cloud: Cloud, run: Run, name: str) -> None:
    try:
        cloud.s3.head_bucket(Bucket=name)
    except ClientError:
        temporary.create_bucket(cloud, name, run.tags())


def _have_photograph(cloud: Cloud, bucket: str, paint: Callable[[], bytes]) -> None:
    """Put the photograph unless one lies there: a bake that changes nothing writes nothing."""
    try:
        cloud.s3.head_object(Bucket=bucket, Key=KEY)
    except ClientError:
        cloud.s3.put_object(Bucket=bucket, Key=KEY, Body=paint(), ContentType="image/jpeg")


def _have_group(cloud: Cloud, run: Run, place: Place) -> str:
    filters: Any = [{"Name": "group-name", "Values": [NAME]}, {"Name": "vpc-id", "Values": [place.vpc_id]}]
    found = cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    if found:
        return found[0]["GroupId"]
    group = cloud.ec2.create_security_group(
        GroupName=NAME,
        Description="the demonstration node, for the address that asked for it",
        VpcId=place.vpc_id,
        TagSpecifications=specification(run.tags(), "security-group"),
    )["GroupId"]
    cloud.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": place.caller}]}
        ],
    )
    return group


def _have_profile(cloud: Cloud, run: Run, bucket: str) -> str:
    try:
        cloud.iam.get_instance_profile(InstanceProfileName=NAME)
    except cloud.iam.exceptions.NoSuchEntityException:
        temporary.create_profile(cloud, NAME, run.tags(), temporary.node_policy(bucket))
    return NAME


def _fetched(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read()) or None
    except (urllib.error.URLError, OSError):
        return None
