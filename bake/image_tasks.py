"""`invoke images` and `invoke images.…`: what there is, what is in it, and what may go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from invoke.context import Context
from invoke.tasks import task

from aws.duration import duration
from aws.session import connect
from bake import image as images_of
from bake import prune as pruning
from bake.compare import compare
from bake.errors import BakeError, ImageInUse, NoManifest
from bake.image_views import Compared, Deprecated, Listed, Pruned, Shown
from bake.shelf import Shelf
from bake.usage import in_use_by

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.image import Image


@task(name="list", default=True)
def listing(_: Context) -> Listed:
    """List the images this toolkit made, oldest first, what they stand on and who uses them."""
    cloud = connect()
    return Listed(images_of.ours(cloud), in_use_by(cloud), datetime.now(UTC))


@task(help={"image": "image id, or a name: its newest verified image"})
def show(_: Context, image: str) -> Shown:
    """Show how an image was made: its steps with their seconds, packages, settings and tests."""
    cloud = connect()
    found, story = _with_manifest(cloud, image)
    return Shown(found, in_use_by(cloud).get(found.id, []), story)


@task(help={"old": "image id or name", "new": "image id or name"})
def diff(_: Context, old: str, new: str) -> Compared:
    """Tell how two images differ: packages, settings, files of ours, and the inputs of their fingerprints."""
    cloud = connect()
    first, before = _with_manifest(cloud, old)
    second, after = _with_manifest(cloud, new)
    return Compared(first, second, compare(before, after))


@task(
    help={
        "keep": "how many verified images of each name stay; the newest always does",
        "name": "only images of this name",
        "dry-run": "say what would go, and remove nothing",
    }
)
def prune(_: Context, keep: int = 3, name: str = "", dry_run: bool = False) -> Pruned:
    """Remove old images with their snapshots, never one in use, the base of one that stays, or the newest.

    Images that failed go too, and candidates whose run is dead.
    """
    if keep < 0:
        raise BakeError(f"--keep cannot be {keep}", "give 1 or more; the newest verified image always stays")
    cloud = connect()
    decided = pruning.fates(images_of.ours(cloud), in_use_by(cloud), keep, name)
    if not dry_run:
        for fate in decided:
            if fate.goes:
                _remove(cloud, fate.image)
    return Pruned(decided, dry_run)


@task(
    help={
        "image": "image id or name",
        "at": "the day, such as 2027-01-31, or the moment, such as 2027-01-31T12:00:00Z",
        "in": "from now, such as 30d",
    }
)
def deprecate(_: Context, image: str, at: str = "", in_: str = "") -> Deprecated:
    """Mark an image as not to be used from a time on; nothing that runs on it is touched."""
    when = moment(at, in_, datetime.now(UTC))
    cloud = connect()
    found = images_of.find(cloud, image)
    try:
        cloud.ec2.enable_image_deprecation(ImageId=found.id, DeprecateAt=when)
    except (ClientError, BotoCoreError) as why:
        reason = str(why).splitlines()[0][:200]
        raise BakeError(
            f"{found.id} could not be deprecated: {reason}",
            "AWS takes a time within 10 years; another cloud may not know deprecation at all",
        ) from why
    return Deprecated(found, when)


def moment(at: str, within: str, now: datetime) -> datetime:
    """The time that --at or --in says, in UTC. Raises BakeError unless one is given and to come."""
    if bool(at) == bool(within):
        raise BakeError("one of --at and --in must be given", "give --at 2027-01-31 or --in 30d")
    try:
        when = now + duration(within) if within else datetime.fromisoformat(at)
    except ValueError as why:
        raise BakeError(
            f"{at!r} is no date: {why}", "give --at 2027-01-31 or --at 2027-01-31T12:00:00Z"
        ) from why
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    if when <= now:
        raise BakeError(f"{when:%Y-%m-%d %H:%M} UTC has passed", "give a time to come")
    return when


def _with_manifest(cloud: Cloud, wanted: str) -> tuple[Image, dict[str, Any]]:
    found = images_of.find(cloud, wanted)
    shelf = Shelf.of_user()
    story = shelf.read_manifest(found.id)
    if not story:
        raise NoManifest(
            f"the manifest of {found.id} is not on this desk: {shelf.manifest(found.id)} is missing",
            "copy that file from the desk that baked the image",
        )
    return found, story


def _remove(cloud: Cloud, image: Image) -> None:
    """Remove an image, unless somebody has begun to use it since the decision."""
    users = in_use_by(cloud).get(image.id, [])
    if users:
        raise ImageInUse(
            f"{image.id} has come into use by {', '.join(users)} meanwhile", "run the same command again"
        )
    pruning.remove(cloud, image)


TASKS: tuple[Any, ...] = (listing, show, diff, prune, deprecate)
