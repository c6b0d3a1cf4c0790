"""Things on AWS that live as long as a `with` block: whatever ends the block ends them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template as _Template
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.ownership import Run, specification, tag_list
from aws.patience import settled
from aws.removal import end

if TYPE_CHECKING:
    from aws.keys import SshKey
    from aws.place import Place
    from aws.session import Cloud

_log = logging.getLogger(__name__)

# A file of another room, read and not imported: what a node needs is known there.
_NODE_POLICY = Path(__file__).parents[1] / "bootstrap" / "node-policy.json"
_EC2_MAY_ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@contextmanager
def key_pair(cloud: Cloud, run: Run, key: SshKey) -> Iterator[str]:
    """The key, known to EC2 under a name."""
    name = run.new_name()
    cloud.ec2.import_key_pair(
        KeyName=name,
        PublicKeyMaterial=key.public.encode(),
        TagSpecifications=specification(run.tags(), "key-pair"),
    )
    try:
        yield name
    finally:
        end(f"key pair {name}", lambda: cloud.ec2.delete_key_pair(KeyName=name))


@contextmanager
def security_group(cloud: Cloud, run: Run, place: Place, ports: Sequence[int]) -> Iterator[str]:
    """A group that lets only the caller's address reach these ports. Yields its id."""
    group = create_group(cloud, run, place, ports)
    try:
        yield group
    finally:
        end_group(cloud, group)


def create_group(cloud: Cloud, run: Run, place: Place, ports: Sequence[int]) -> str:
    """Create such a group and return its id; where it cannot be opened it is not left behind."""
    group = cloud.ec2.create_security_group(
        GroupName=run.new_name(),
        Description="temporary, only for the address that made it",
        VpcId=place.vpc_id,
        TagSpecifications=specification(run.tags(), "security-group"),
    )["GroupId"]
    try:
        settled(
            f"security group {group}",
            lambda: cloud.ec2.authorize_security_group_ingress(
                GroupId=group, IpPermissions=_from(place.caller, ports)
            ),
            {"InvalidGroup.NotFound"},
        )
    except BaseException:
        end_group(cloud, group)
        raise
    return group


def end_group(cloud: Cloud, group: str) -> None:
    """Delete a group at the end of its time; where that fails it is told, and left to a sweep."""
    end(f"security group {group}", lambda: delete_group(cloud, group))


def delete_group(cloud: Cloud, group: str) -> None:
    """Delete a group, as soon as the last instance that is shutting down lets go of it."""
    settled(group, lambda: cloud.ec2.delete_security_group(GroupId=group), {"DependencyViolation"})


@contextmanager
def bucket(cloud: Cloud, run: Run) -> Iterator[str]:
    """An empty bucket. Yields its name; what is in it at the end goes with it."""
    name = run.new_name()
    create_bucket(cloud, name, run.tags())
    try:
        yield name
    finally:
        end(f"bucket {name}", lambda: delete_bucket(cloud, name))


def create_bucket(cloud: Cloud, name: str, tags: dict[str, str]) -> None:
    """Create a bucket in the cloud's region, tagged; where tagging fails it is not left behind."""
    options: Any = {"Tags": tag_list(tags)}
    # The oldest region is named by saying nothing; S3 refuses its name.
    if cloud.region != "us-east-1":
        options["LocationConstraint"] = cloud.region
    # Tagged by the creating call on AWS; not every S3 heeds these tags, so they are put once more.
    cloud.s3.create_bucket(Bucket=name, CreateBucketConfiguration=options)
    try:
        cloud.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
    except ClientError:
        cloud.s3.delete_bucket(Bucket=name)
        raise


def delete_bucket(cloud: Cloud, name: str) -> None:
    """Delete a bucket and all that is in it."""
    for page in cloud.s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        keys = [{"Key": held["Key"]} for held in page.get("Contents", [])]
        if keys:
            cloud.s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})  # type: ignore[typeddict-item]
    cloud.s3.delete_bucket(Bucket=name)


@contextmanager
def instance_profile(cloud: Cloud, run: Run, policy: dict[str, Any]) -> Iterator[str]:
    """An instance profile whose role may do what the policy says. Yields its name."""
    name = run.new_name()
    try:
        create_profile(cloud, name, run.tags(), policy)
        yield name
    finally:
        end(f"role {name}", lambda: delete_profile(cloud, name))


def create_profile(cloud: Cloud, name: str, tags: dict[str, str], policy: dict[str, Any]) -> None:
    """Create a role that EC2 may assume, with a policy, and an instance profile of the same name."""
    listed = tag_list(tags)
    cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_EC2_MAY_ASSUME, Tags=listed)
    cloud.iam.put_role_policy(RoleName=name, PolicyName="amibake", PolicyDocument=json.dumps(policy))
    cloud.iam.create_instance_profile(InstanceProfileName=name, Tags=listed)
    cloud.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def delete_profile(cloud: Cloud, name: str) -> None:
    """Delete an instance profile and its role, however much of them exists."""
    steps: tuple[Callable[[], Any], ...] = (
        lambda: _empty_profile(cloud, name),
        lambda: cloud.iam.delete_instance_profile(InstanceProfileName=name),
        lambda: cloud.iam.delete_role_policy(RoleName=name, PolicyName="amibake"),
        lambda: cloud.iam.delete_role(RoleName=name),
    )
    for step in steps:
        try:
            step()
        except cloud.iam.exceptions.NoSuchEntityException:
            continue


def _empty_profile(cloud: Cloud, name: str) -> None:
    for role in cloud.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        cloud.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])


def node_policy(
    bucket: str = "",
    *,
    results_prefix: str = "resized",
    load_balancers: str = "*",
    target_groups: str = "*",
    scaling_groups: str = "*",
    secrets: str = "",
    parameters: str = "",
    metrics_namespace: str = "",
    log_group: str = "",
) -> dict[str, Any]:
    """What a node may do, as bootstrap/node-policy.json has it for these names; `*` stands for any.

    What is about something without a name is left out.
    """
    names = {name: value for name, value in locals().items() if value}
    document: dict[str, Any] = json.loads(_NODE_POLICY.read_text(encoding="utf-8"))
    statements = [_Template(json.dumps(one)).safe_substitute(names) for one in document["Statement"]]
    # IAM's own variables have a colon in their name, so what is left of this form is ours.
    kept = [json.loads(one) for one in statements if not re.search(r"\$\{[a-z_]+\}", one)]
    return {**document, "Statement": kept}


def _from(caller: str, ports: Sequence[int]) -> list[Any]:
    return [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": caller}]}
        for port in ports
    ]
