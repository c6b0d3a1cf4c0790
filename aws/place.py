"""Where temporary machines go, and from where we reach them."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws.errors import AwsError, NotThere

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef

    from aws.session import Cloud

_CHECK_IP = "https://checkip.amazonaws.com"


@dataclass(frozen=True)
class Place:
    """A subnet, and the only address that may reach machines in it."""

    subnet_id: str
    vpc_id: str
    caller: str
    """A CIDR of one address."""


def find_place(cloud: Cloud, subnet_id: str = "") -> Place:
    """The subnet asked for, else the default VPC's first one. Raises NotThere when there is none."""
    if subnet_id:
        found = _named(cloud, subnet_id)
    else:
        found = cloud.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])[
            "Subnets"
        ]
    if not found:
        raise NotThere(
            f"there is no default subnet in {cloud.region}",
            "name one with --subnet subnet-…, or make one: aws ec2 create-default-subnet",
        )
    subnet = min(found, key=lambda one: one["AvailabilityZone"])
    public = subnet["MapPublicIpOnLaunch"]
    caller = _public_address() if public else _address_towards(subnet["CidrBlock"])
    return Place(subnet["SubnetId"], subnet["VpcId"], f"{caller}/32")


def _named(cloud: Cloud, subnet_id: str) -> list[SubnetTypeDef]:
    try:
        return cloud.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    except ClientError as why:
        raise NotThere(
            f"{cloud.region} has no subnet {subnet_id!r}: {why}", "aws ec2 describe-subnets lists them"
        ) from why


def _address_towards(cidr: str) -> str:
    """Our address on the way to a private subnet: what the kernel would send from. No packet leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((str(IPv4Network(cidr)[1]), 22))
        return str(probe.getsockname()[0])


def _public_address() -> str:
    try:
        with urllib.request.urlopen(_CHECK_IP, timeout=10) as answer:
            return str(answer.read().decode().strip())
    except (urllib.error.URLError, OSError) as why:
        raise AwsError(
            f"our public address could not be learnt from {_CHECK_IP}: {why}",
            "give a private subnet that is reachable from here with --subnet subnet-…",
        ) from why
