"""Images: found, made, and told apart by their tags."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.errors import OutOfPatience
from aws.ownership import RUN, specification, tag_list, tags_of
from aws.patience import Clock, Patience, settled, wait_for
from bake.errors import BaseNotFound, ImageAmbiguous, ImageFailed, ImageNameTaken, ImageNotFound

if TYPE_CHECKING:
    from aws.session import Cloud

NAME = "amibake:image"
FINGERPRINT = "amibake:fingerprint"
BASE = "amibake:base"
GIT = "amibake:git"
STATE = "amibake:state"
LOGIN = "amibake:login"

CANDIDATE, VERIFIED, FAILED = "candidate", "verified", "failed"

# CreateImage took up to an hour and a half for others (packer#6732, ods-core#1070): look often, wait long.
AVAILABLE = Patience(delay_seconds=1, budget_seconds=2 * 3600)

_NAMES = 5

# Owner and name of Debian's images on AWS: https://wiki.debian.org/Cloud/AmazonEC2Image
_DEBIAN = "136693071363"
_ARCHITECTURE_IN_NAMES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An image as everything above it needs it."""

    id: str
    name: str
    login: str
    """The user that cloud-init gives the launch key."""
    architecture: str
    root_device: str
    created: str = ""
    aws_state: str = "available"
    state: str = ""
    fingerprint: str = ""
    base: str = ""
    size_bytes: int = 0
    run: str = ""
    """The run that made it, or that looks after it since."""
    snapshots: tuple[str, ...] = ()

    @classmethod
    def of(cls, described: Any, login: str = "") -> Image:
        """The image that DescribeImages tells of."""
        tags = tags_of(described)
        volumes = [mapping["Ebs"] for mapping in described.get("BlockDeviceMappings", []) if "Ebs" in mapping]
        return cls(
            id=described["ImageId"],
            name=tags.get(NAME, described["Name"]),
            login=login or tags.get(LOGIN, "admin"),
            architecture=described["Architecture"],
            root_device=described.get("RootDeviceName", ""),
            created=described.get("CreationDate", ""),
            aws_state=described["State"],
            state=tags.get(STATE, ""),
            fingerprint=tags.get(FINGERPRINT, ""),
            base=tags.get(BASE, ""),
            size_bytes=sum(volume.get("VolumeSize", 0) for volume in volumes) * 2**30,
            run=tags.get(RUN, ""),
            snapshots=tuple(volume["SnapshotId"] for volume in volumes if "SnapshotId" in volume),
        )


def public(cloud: Cloud, name: str, architecture: str) -> Image:
    """The newest official image of a name such as `debian-13`. Raises BaseNotFound."""
    distribution, _, release = name.partition("-")
    if distribution != "debian" or not release.isdigit():
        raise BaseNotFound(
            f"the base {name!r} is neither a public image known here nor a spec",
            "use debian-12 or debian-13, or the path of a spec such as base.toml",
        )
    pattern = f"{name}-{_ARCHITECTURE_IN_NAMES[architecture]}-*"
    found = cloud.ec2.describe_images(
        Owners=[_DEBIAN],
        Filters=[{"Name": "name", "Values": [pattern]}, {"Name": "state", "Values": ["available"]}],
    )["Images"]
    if not found:
        raise BaseNotFound(
            f"{cloud.region} has no image {pattern} of Debian's ({_DEBIAN})",
            "try another release or architecture, or another region with AWS_REGION",
        )
    return Image.of(max(found, key=lambda one: (one["CreationDate"], one["ImageId"])), login="admin")


def ours(cloud: Cloud, **tags: str) -> tuple[Image, ...]:
    """The account's images that this toolkit made and that carry these tags, oldest first."""
    filters: list[Any] = [{"Name": "tag-key", "Values": [FINGERPRINT]}]
    filters += [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    pages = cloud.ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=filters)
    found = [one for page in pages for one in page["Images"]]
    ordered = sorted(found, key=lambda one: (one.get("CreationDate", ""), one["ImageId"]))
    return tuple(Image.of(one) for one in ordered)


def same(cloud: Cloud, fingerprint: str) -> tuple[Image, ...]:
    """Our images with this fingerprint that are there or on their way, oldest first."""
    images = ours(cloud, **{FINGERPRINT: fingerprint})
    return tuple(image for image in images if image.aws_state in ("available", "pending"))


def find(cloud: Cloud, wanted: str) -> Image:
    """An image by id, or the newest verified one of a name. Raises ImageNotFound or ImageAmbiguous."""
    if wanted.startswith("ami-"):
        return by_id(cloud, wanted)
    verified = ours(cloud, **{NAME: wanted, STATE: VERIFIED})
    usable = [image for image in verified if image.aws_state == "available"]
    if not usable:
        raise ImageNotFound(
            f"there is no verified image of {wanted!r}", "`invoke images` lists ours; `invoke bake` makes one"
        )
    newest_ones = [one for one in usable if one.created == usable[-1].created]
    if len({one.fingerprint for one in newest_ones}) > 1:
        ids = " and ".join(one.id for one in newest_ones)
        raise ImageAmbiguous(
            f"the newest verified image of {wanted!r} could be {ids}: they were made in the same second",
            "name one by its id",
        )
    return usable[-1]


def by_id(cloud: Cloud, image_id: str) -> Image:
    """The image of an id. Raises ImageNotFound."""
    try:
        found = cloud.ec2.describe_images(ImageIds=[image_id])["Images"]
    except ClientError as why:
        raise ImageNotFound(f"there is no image {image_id}: {why}", "`invoke images` lists ours") from why
    if not found:
        raise ImageNotFound(f"there is no image {image_id}", "`invoke images` lists ours")
    return Image.of(found[0])


def newest(cloud: Cloud, name: str) -> Image:
    """The newest image of a name, verified or not. Raises ImageNotFound."""
    usable = [image for image in ours(cloud, **{NAME: name}) if image.aws_state == "available"]
    if not usable:
        raise ImageNotFound(f"there is no image of {name!r} yet", "`invoke bake` makes one")
    return usable[-1]


def create(cloud: Cloud, instance_id: str, name: str, tags: dict[str, str]) -> str:
    """Ask for an image of a stopped instance and return its id at once; it is pending.

    Where the account has an image of that name, it is the answer if its content is the same, and else
    the name gets a number. Raises ImageNameTaken when that does not help either.
    """
    for number in range(1, _NAMES + 1):
        full = name if number == 1 else f"{name}-{number}"
        try:
            answer = cloud.ec2.create_image(
                InstanceId=instance_id,
                Name=full,
                Description=f"{tags[NAME]}, fingerprint {tags[FINGERPRINT][:12]}",
                TagSpecifications=specification({"Name": full, **tags}, "image", "snapshot"),
            )
        except ClientError as why:
            if why.response["Error"]["Code"] != "InvalidAMIName.Duplicate":
                raise
            holder = _same_under(cloud, full, tags[FINGERPRINT])
            if holder:
                return holder
        else:
            return answer["ImageId"]
    raise ImageNameTaken(
        f"the account has images named {name} to {name}-{_NAMES}, and none is this one",
        "choose another `name` in the spec, or remove them: `invoke images.prune`",
    )


def _same_under(cloud: Cloud, name: str, fingerprint: str) -> str:
    """The id of the image that has a name, if it can stand for this fingerprint; else empty."""
    named = cloud.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    usable = [one for one in map(Image.of, named) if one.fingerprint == fingerprint and one.state != FAILED]
    return usable[0].id if usable else ""


def wait_available(cloud: Cloud, image_id: str, patience: Patience = AVAILABLE, clock: Clock = time) -> Image:
    """Wait until an image can be launched.

    Raises ImageFailed when AWS gives it up, and OutOfPatience when the budget ends; the image is left alone.
    """

    def look() -> Image | None:
        (described,) = settled(
            f"finding {image_id}",
            lambda: cloud.ec2.describe_images(ImageIds=[image_id])["Images"],
            {"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"},
            clock,
        )
        if described["State"] in ("failed", "error", "invalid", "deregistered"):
            reason = described.get("StateReason", {}).get("Message", "AWS gives no reason")
            raise ImageFailed(f"{image_id} could not be made: {reason}", "run `invoke bake` again")
        return Image.of(described) if described["State"] == "available" else None

    try:
        return wait_for(f"{image_id}: becoming available", look, patience, clock)
    except OutOfPatience as why:
        why.hint = (
            "AWS goes on making it and nothing was deleted: `invoke bake --resume` joins it and goes on"
        )
        raise


def set_state(cloud: Cloud, image: Image, state: str) -> None:
    """Say what became of a candidate, where `latest` and people look for it."""
    cloud.ec2.create_tags(Resources=[image.id], Tags=tag_list({STATE: state}))
