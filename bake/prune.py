"""Which images may go: the old ones that nobody needs, and those that never came to anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from aws.desk import Life, life
from bake.image import CANDIDATE, FAILED, VERIFIED, Image

if TYPE_CHECKING:
    from aws.session import Cloud

_GIVEN_UP = ("failed", "error", "invalid")


@dataclass(frozen=True)
class Fate:
    """An image, whether it goes, and why."""

    image: Image
    goes: bool
    why: str


def fates(
    images: Sequence[Image],
    users: Mapping[str, Sequence[str]],
    keep: int,
    name: str = "",
    alive: Callable[[str], Life] = life,
) -> tuple[Fate, ...]:
    """What becomes of each image, in the order given, which is oldest first.

    The `keep` newest verified images of each name stay, never fewer than one. What is in use stays, and
    so does every image that one that stays was made from.
    """
    spared = {one.id: why for one in images if (why := _spared(one, images, users, keep, name, alive))}
    by_id = {one.id: one for one in images}
    for bearer in list(spared):
        below = by_id[bearer].base
        while below in by_id and below not in spared:
            spared[below] = f"the base of {bearer}, which stays"
            bearer, below = below, by_id[below].base  # noqa: PLW2901 (climbs down)
    return tuple(Fate(one, one.id not in spared, spared.get(one.id) or _reason(one, keep)) for one in images)


def _spared(
    one: Image,
    images: Sequence[Image],
    users: Mapping[str, Sequence[str]],
    keep: int,
    name: str,
    alive: Callable[[str], Life],
) -> str:
    """Why an image stays on its own account; empty when nothing speaks for it."""
    if name and one.name != name:
        return f"not of the name {name!r}"
    if users.get(one.id):
        return f"in use by {', '.join(users[one.id])}"
    if one.state == FAILED or one.aws_state in _GIVEN_UP:
        return ""
    if one.state == CANDIDATE:
        return _hopes(one, alive(one.run))
    verified = [other.id for other in images if other.name == one.name and _good(other)]
    newest = verified[-max(keep, 1) :]
    return f"among the {len(newest)} newest verified of its name" if one.id in newest else ""


def _good(one: Image) -> bool:
    return one.state == VERIFIED and one.aws_state == "available"


def _hopes(one: Image, known: Life) -> str:
    if one.aws_state == "pending":
        return "still being made"
    return "" if known is Life.DEAD else f"a candidate: {known.value}"


def _reason(one: Image, keep: int) -> str:
    if one.state == FAILED or one.aws_state in _GIVEN_UP:
        return "it failed"
    if one.state == CANDIDATE:
        return "a candidate whose run is dead"
    return f"not among the {max(keep, 1)} newest verified of its name"


def remove(cloud: Cloud, image: Image) -> None:
    """Deregister an image and delete its snapshots; a later sweep takes a snapshot that stays behind."""
    try:
        cloud.ec2.deregister_image(ImageId=image.id)
    except ClientError as why:
        if why.response["Error"]["Code"] not in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"):
            raise
    for snapshot in image.snapshots:
        try:
            cloud.ec2.delete_snapshot(SnapshotId=snapshot)
        except ClientError as why:
            if why.response["Error"]["Code"] != "InvalidSnapshot.NotFound":
                raise
