"""The deployment's own bucket, and the photograph in it that there is to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws.ownership import tag_list
from aws.temporary import create_bucket, delete_bucket
from fleet.errors import NotOurs
from fleet.naming import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws.session import Cloud

_SIZE = (2400, 1600)


def owned(cloud: Cloud, deployment: str, name: str) -> bool:
    """Whether a bucket is there and the deployment's. Raises NotOurs when it is somebody else's."""
    try:
        tags = cloud.s3.get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError as why:
        if why.response["Error"]["Code"] == "NoSuchBucket":
            return False
        # An untagged one of this name is what a killed command left between making and tagging it, if empty.
        if why.response["Error"]["Code"] == "NoSuchTagSet" and not _keys(cloud, name):
            return False
        raise NotOurs(f"the bucket {name} cannot be this deployment's: {why}", "choose another name") from why
    if {tag["Key"]: tag["Value"] for tag in tags}.get(DEPLOYMENT) != deployment:
        raise NotOurs(
            f"the bucket {name} exists and is not of this deployment",
            "leave out `owned = true` to use it as it is, or choose another name",
        )
    return True


def there(cloud: Cloud, name: str) -> bool:
    """Whether a bucket is there, whoever owns it."""
    try:
        cloud.s3.head_bucket(Bucket=name)
    except ClientError:
        return False
    return True


def has(cloud: Cloud, name: str, key: str) -> bool:
    """Whether an object is there."""
    try:
        cloud.s3.head_object(Bucket=name, Key=key)
    except ClientError:
        return False
    return True


def make(cloud: Cloud, name: str, tags: Mapping[str, str]) -> None:
    """Create a bucket, or tag the one that a killed command left."""
    if there(cloud, name):
        cloud.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
    else:
        create_bucket(cloud, name, dict(tags))


def put_sample(cloud: Cloud, name: str, key: str) -> None:
    """Put a photograph painted by code."""
    from resizer.photograph import photograph

    cloud.s3.put_object(Bucket=name, Key=key, Body=photograph(*_SIZE), ContentType="image/jpeg")


def remove(cloud: Cloud, name: str) -> None:
    """Delete a bucket and all that is in it."""
    delete_bucket(cloud, name)


def _keys(cloud: Cloud, name: str) -> int:
    return cloud.s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount", 0)
