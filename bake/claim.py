"""Who makes an image of a fingerprint right now: a builder carries the fingerprint from its launch on.

Of several builders the one launched first has the claim, the smaller id deciding between equals; whoever
finds another ahead of his own ends his own, and joins. He looks twice, after his launch and before he
bundles: a launch in the same second may become visible only after the first look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws.desk import Life, life
from aws.errors import OutOfPatience
from aws.leftovers import LIVING
from aws.ownership import EXPIRES, RUN, parsed, tag_list, tags_of
from aws.patience import Patience, wait_for
from bake import image as images
from bake.errors import NotVerified, Outrun
from bake.image import FAILED, FINGERPRINT, VERIFIED, Image

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.kitchen import Kitchen

# Another desk's run shows only by its machines; between its builder and its nodes it has none for a while.
SILENCE = Patience(delay_seconds=5, budget_seconds=120)


@dataclass(frozen=True, order=True)
class Claim:
    """A builder at work on a fingerprint; the smallest one has the right."""

    launched: datetime
    instance_id: str
    run: str = ""


def claims(cloud: Cloud, fingerprint: str) -> tuple[Claim, ...]:
    """The builders at work on a fingerprint, the first in right first; those of dead runs do not count."""
    now = datetime.now(UTC)
    found = []
    for one in _instances(cloud, f"tag:{FINGERPRINT}", fingerprint):
        tags = tags_of(one)
        expires = parsed(tags.get(EXPIRES, ""))
        if life(tags.get(RUN, "")) in (Life.ALIVE, Life.ELSEWHERE) and (expires is None or expires > now):
            found.append(Claim(one["LaunchTime"], one["InstanceId"], tags[RUN]))
    return tuple(sorted(found))


def insist(cloud: Cloud, fingerprint: str, instance_id: str) -> None:
    """Go on only with the right to. Raises Outrun when another builder, or its image, was first."""
    made = [one for one in images.same(cloud, fingerprint) if one.state != FAILED]
    if made:
        raise Outrun(f"{made[0].id} of the same content was made meanwhile")
    first, *_ = (*claims(cloud, fingerprint), None)
    if first and first.instance_id != instance_id:
        raise Outrun(f"{first.instance_id} of {first.run} makes the same image, and was launched first")


def wait_for_claim(kitchen: Kitchen, fingerprint: str, claim: Claim) -> None:
    """Wait until another run's builder has come to an image, or is gone."""

    def look() -> bool | None:
        arrived = images.same(kitchen.cloud, fingerprint)
        return True if arrived or not claims(kitchen.cloud, fingerprint) else None

    with kitchen.progress.phase(f"join {claim.run}, whose {claim.instance_id} is making this image"):
        wait_for(f"{claim.instance_id}: coming to an image", look, kitchen.patience)


def verdict_of_another(kitchen: Kitchen, image: Image) -> Image | None:
    """The image once the run that looks after it has verified it; None when that is up to us.

    From then on the image carries our run. Raises NotVerified when the other found it failing.
    """

    def look() -> tuple[Image | None] | None:
        now = images.by_id(kitchen.cloud, image.id)
        if now.state == VERIFIED:
            return (now,)
        if now.state == FAILED:
            raise NotVerified(
                f"{image.id} failed its tests in the run that this one joined, {now.run}",
                f"read {kitchen.shelf.folder(image.id) / 'report.log'} on the desk of that run",
            )
        return None if _looked_after(kitchen, now.run) else (None,)

    with kitchen.progress.phase(f"wait for the verdict on {image.id}, if another run is after it"):
        (verdict,) = wait_for(f"{image.id}: being verified by another run", look, kitchen.patience)
    if verdict is None:
        kitchen.cloud.ec2.create_tags(Resources=[image.id], Tags=tag_list({RUN: kitchen.run.id}))
    return verdict


def _looked_after(kitchen: Kitchen, run: str) -> bool:
    known = life(run)
    if run == kitchen.run.id or known in (Life.DEAD, Life.NO_PROCESS):
        return False
    return known is Life.ALIVE or _shows(kitchen.cloud, run)


def _shows(cloud: Cloud, run: str) -> bool:
    """Whether a machine of another desk's run is seen within the time that it may have none."""
    try:
        wait_for(run, lambda: True if _instances(cloud, f"tag:{RUN}", run) else None, SILENCE)
    except OutOfPatience:
        return False
    return True


def _instances(cloud: Cloud, key: str, value: str) -> list[Any]:
    filters: Any = [
        {"Name": key, "Values": [value]},
        {"Name": "instance-state-name", "Values": list(LIVING)},
    ]
    pages = cloud.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [one for page in pages for group in page["Reservations"] for one in group["Instances"]]
