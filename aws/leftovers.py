"""Every temporary thing of ours in the account, whoever made it: what a sweep decides upon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.desk import Life, life
from aws.ownership import BEGAN, EXPIRES, PREFIX, RUN, parsed, tags_of

if TYPE_CHECKING:
    from aws.session import Cloud

LIVING = ("pending", "running", "stopping", "stopped")
_MARKED: list[Any] = [{"Name": "tag-key", "Values": [EXPIRES]}]
_OF_A_RUN: list[Any] = [{"Name": "tag-key", "Values": [RUN]}]
_GIVEN_UP = ("failed", "error", "invalid")


@dataclass(frozen=True)
class Leftover:
    """Something that carries its run, and mostly an expiry."""

    kind: str
    id: str
    run: str
    began: datetime | None = None
    expires: datetime | None = None
    spared: str = ""
    """Why it stays whatever became of its run; empty when nothing speaks for it."""
    snapshots: tuple[str, ...] = field(default=())
    """What goes with an image."""

    @classmethod
    def of(cls, kind: str, name: str, tags: Mapping[str, str], **more: Any) -> Leftover:
        """The thing that carries these tags."""
        return cls(kind, name, tags[RUN], parsed(tags.get(BEGAN, "")), parsed(tags.get(EXPIRES, "")), **more)


def instances(cloud: Cloud) -> Iterator[Leftover]:
    """Instances that are not terminated."""
    filters = [*_MARKED, {"Name": "instance-state-name", "Values": list(LIVING)}]
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    for page in pages:
        for group in page["Reservations"]:
            yield from _marked("instance", group["Instances"], lambda one: one["InstanceId"])


def volumes(cloud: Cloud) -> Iterator[Leftover]:
    """Volumes that no instance holds."""
    filters = [*_MARKED, {"Name": "status", "Values": ["available"]}]
    for page in cloud.ec2.get_paginator("describe_volumes").paginate(Filters=filters):
        yield from _marked("volume", page["Volumes"], lambda one: one["VolumeId"])


def key_pairs(cloud: Cloud) -> Iterator[Leftover]:
    """Public keys."""
    found = cloud.ec2.describe_key_pairs(Filters=_MARKED)["KeyPairs"]
    yield from _marked("key-pair", found, lambda one: one["KeyName"])


def security_groups(cloud: Cloud, used: Mapping[str, str]) -> Iterator[Leftover]:
    """Security groups; `used` tells which instance holds one."""
    for page in cloud.ec2.get_paginator("describe_security_groups").paginate(Filters=_MARKED):
        yield from _marked("security-group", page["SecurityGroups"], lambda one: one["GroupId"], used)


def profiles(cloud: Cloud, used: Mapping[str, str]) -> Iterator[Leftover]:
    """Instance profiles and roles; IAM lists them without their tags, so the name says which to ask for."""
    for page in cloud.iam.get_paginator("list_instance_profiles").paginate():
        for one in page["InstanceProfiles"]:
            name = one["InstanceProfileName"]
            found = _asked(partial(cloud.iam.get_instance_profile, InstanceProfileName=name), name)
            yield from _marked("instance-profile", found, lambda one: one["InstanceProfileName"], used)
    for roles in cloud.iam.get_paginator("list_roles").paginate():
        for role in roles["Roles"]:
            name = role["RoleName"]
            found = _asked(partial(cloud.iam.get_role, RoleName=name), name)
            yield from _marked("role", found, lambda one: one["RoleName"], used)


def buckets(cloud: Cloud) -> Iterator[Leftover]:
    """Buckets. One without tags is ours only if its name is that of a dead run of this desk."""
    for one in cloud.s3.list_buckets()["Buckets"]:
        name = one["Name"]
        if not name.startswith(PREFIX):
            continue
        try:
            found = {tag["Key"]: tag["Value"] for tag in cloud.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        except ClientError as why:
            # Any other answer means that it is not ours to judge: another region's, or forbidden.
            if why.response["Error"]["Code"] != "NoSuchTagSet":
                continue
            found = {}
        run = name.removeprefix(PREFIX).rpartition("-")[0]
        if RUN in found and EXPIRES in found:
            yield Leftover.of("bucket", name, found)
        elif not found and life(run) is Life.DEAD:
            yield Leftover("bucket", name, run)


def images(cloud: Cloud) -> Iterator[Leftover]:
    """Images that AWS gave up, and candidates, which stay: a later bake may go on with them."""
    for one in _images(cloud):
        tags = tags_of(one)
        candidate = tags.get("amibake:state") == "candidate"
        held = tuple(volume["Ebs"]["SnapshotId"] for volume in _volumes(one))
        if RUN in tags and one["State"] in _GIVEN_UP:
            yield Leftover.of("image", one["ImageId"], tags, snapshots=held)
        elif RUN in tags and candidate:
            spared = f"a candidate that is {one['State']}: `invoke bake --resume` goes on with it"
            yield Leftover.of("image", one["ImageId"], tags, spared=spared)


def snapshots(cloud: Cloud) -> Iterator[Leftover]:
    """Snapshots that no image stands on, and that no image in the making may come to stand on."""
    known = list(_images(cloud))
    used = {volume["Ebs"]["SnapshotId"]: one["ImageId"] for one in known for volume in _volumes(one)}
    making = {tags_of(one).get(RUN): one["ImageId"] for one in known if one["State"] == "pending"}
    for page in cloud.ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=_OF_A_RUN):
        for one in page["Snapshots"]:
            tags = tags_of(one)
            if one["SnapshotId"] in used or one["State"] == "pending":
                continue
            spared = f"{making[tags[RUN]]} is in the making" if tags[RUN] in making else ""
            # A snapshot has no expiry, as an image has none; how old it is AWS tells.
            yield Leftover("snapshot", one["SnapshotId"], tags[RUN], one["StartTime"], spared=spared)


def used_by_others(cloud: Cloud, doomed: frozenset[str]) -> dict[str, str]:
    """Security group id, profile name or role name -> an instance that holds it and is not `doomed`."""
    used: dict[str, str] = {}
    filters: Any = [{"Name": "instance-state-name", "Values": list(LIVING)}]
    for page in cloud.ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for group in page["Reservations"]:
            for one in group["Instances"]:
                profile = one.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]
                held = [held["GroupId"] for held in one.get("SecurityGroups", [])] + [profile]
                if one["InstanceId"] not in doomed:
                    used.update(dict.fromkeys(held, one["InstanceId"]))
    return used


def _marked(
    kind: str, found: Any, name_of: Callable[[Any], str], used: Mapping[str, str] | None = None
) -> Iterator[Leftover]:
    for one in found:
        tags, name = tags_of(one), name_of(one)
        if RUN in tags and EXPIRES in tags:
            user = (used or {}).get(name, "")
            yield Leftover.of(kind, name, tags, spared=f"{user} uses it" if user else "")


def _asked(call: Callable[[], Any], name: str) -> list[Any]:
    """What IAM tells of a profile or role of a name like ours; nothing when it has gone meanwhile."""
    if not name.startswith(PREFIX):
        return []
    try:
        answer = call()
    except ClientError as why:
        if why.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return []
    return [answer.get("InstanceProfile") or answer["Role"]]


def _images(cloud: Cloud) -> Iterator[Any]:
    for page in cloud.ec2.get_paginator("describe_images").paginate(Owners=["self"]):
        yield from page["Images"]


def _volumes(image: Any) -> list[Any]:
    return [one for one in image.get("BlockDeviceMappings", []) if one.get("Ebs", {}).get("SnapshotId")]
