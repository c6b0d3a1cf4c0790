"""Where a deployment stands: account, subnets, and the desk's own address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.place import find_place
from fleet.errors import DeploymentError

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment


@dataclass(frozen=True)
class Subnet:
    """A subnet and the zone in which it lies."""

    id: str
    zone: str


@dataclass(frozen=True)
class Ground:
    """A VPC's subnets, at most one a zone."""

    account: str
    region: str
    vpc_id: str
    vpc_cidr: str
    caller: str
    """The desk's address as a CIDR."""
    subnets: tuple[Subnet, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, in the order in which nodes go to them."""
        return tuple(one.zone for one in self.subnets)

    def subnet(self, zone: str) -> str:
        """The subnet of a zone."""
        return next(one.id for one in self.subnets if one.zone == zone)

    @classmethod
    def known(cls, account: str, region: str) -> Ground:
        """The little that is known without asking."""
        return cls(account, region, "", "", "", ())

    def filled(self, text: str, deployment: str, bucket: str = "") -> str:
        """A text of the deployment file with what is known here in place of {account}, {region} and so on."""
        known = {"account": self.account, "region": self.region, "deployment": deployment, "bucket": bucket}
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def find_ground(cloud: Cloud, deployment: Deployment) -> Ground:
    """The subnets asked for, else the default VPC's. Raises DeploymentError when some are not there."""
    found = _subnets(cloud, deployment)
    vpcs = {one["VpcId"] for one in found}
    if len(vpcs) > 1:
        raise DeploymentError(
            f"{deployment.path}: `subnets` lie in {len(vpcs)} VPCs", "a deployment stands in one VPC"
        )
    by_zone = {one["AvailabilityZone"]: one["SubnetId"] for one in reversed(found)}
    _check_groups(cloud, deployment)
    first = find_place(cloud, found[0]["SubnetId"])
    (vpc,) = cloud.ec2.describe_vpcs(VpcIds=[first.vpc_id])["Vpcs"]
    return Ground(
        account=cloud.account,
        region=cloud.region,
        vpc_id=first.vpc_id,
        vpc_cidr=vpc["CidrBlock"],
        caller=first.caller,
        subnets=tuple(Subnet(by_zone[zone], zone) for zone in sorted(by_zone)),
    )


def _check_groups(cloud: Cloud, deployment: Deployment) -> None:
    wanted = sorted({group for one in deployment.templates for group in one.security_groups})
    try:
        _ = cloud.ec2.describe_security_groups(GroupIds=wanted) if wanted else None
    except ClientError as why:
        raise DeploymentError(
            f"{deployment.path}: {cloud.region} has not all of `security_groups`: {why}",
            "`aws ec2 describe-security-groups` lists them; leave out those of the deployment itself",
        ) from why


def _subnets(cloud: Cloud, deployment: Deployment) -> list[Any]:
    asked: dict[str, Any] = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    if deployment.subnets:
        asked = {"SubnetIds": list(deployment.subnets)}
    elif deployment.zones:
        asked["Filters"].append({"Name": "availability-zone", "Values": list(deployment.zones)})
    try:
        found = cloud.ec2.describe_subnets(**asked)["Subnets"]
    except ClientError as why:
        raise DeploymentError(
            f"{deployment.path}: {cloud.region} has not all of `subnets`: {why}",
            "`aws ec2 describe-subnets` lists them",
        ) from why
    missing = set(deployment.zones) - {one["AvailabilityZone"] for one in found}
    if missing or not found:
        where = f"in {', '.join(sorted(missing))}" if missing else f"in {cloud.region}"
        raise DeploymentError(
            f"{deployment.path}: there is no default subnet {where}",
            "give `subnets`, or make one: aws ec2 create-default-subnet",
        )
    return sorted(found, key=lambda one: (one["AvailabilityZone"], one["SubnetId"]))
