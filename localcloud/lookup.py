"""Finding the image or the snapshot that a call names, or refusing as EC2 does."""

from __future__ import annotations

from localcloud.calls import Call
from localcloud.catalog import Catalog
from localcloud.images import ImageRecord
from localcloud.refusals import check_id, refuse_unless
from localcloud.site import ACCOUNT
from localcloud.snapshots import SnapshotRecord


def image_to_use(catalog: Catalog, region: str, image_id: str) -> ImageRecord:
    """An image of a region that the account may launch."""
    check_id("ami", image_id)
    image = catalog.images.get(image_id)
    refuse_unless(
        image is not None and image.region == region and image.may_be_launched_by(ACCOUNT),
        "InvalidAMIID.NotFound",
        f"The image id '[{image_id}]' does not exist",
    )
    return catalog.images[image_id]


def image_of_ours(catalog: Catalog, call: Call) -> ImageRecord:
    """The image that a call would change; refused when it is not the account's own."""
    image = image_to_use(catalog, call.region, call.text("ImageId"))
    refuse_unless(image.own, "AuthFailure", f"Not authorized for image:{image.id}")
    return image


def snapshot_to_use(catalog: Catalog, region: str, snapshot_id: str) -> SnapshotRecord:
    """A completed snapshot of a region."""
    snapshot = snapshot_in(catalog, region, snapshot_id)
    refuse_unless(
        snapshot.state == "completed", "IncorrectState", f"Snapshot {snapshot_id} is {snapshot.state}"
    )
    return snapshot


def snapshot_in(catalog: Catalog, region: str, snapshot_id: str) -> SnapshotRecord:
    """A snapshot of a region in any state; those that stand behind public images are nobody's to use."""
    check_id("snap", snapshot_id)
    snapshot = catalog.snapshots.get(snapshot_id)
    refuse_unless(
        snapshot is not None and snapshot.region == region and snapshot.owner == ACCOUNT,
        "InvalidSnapshot.NotFound",
        f"The snapshot '{snapshot_id}' does not exist.",
    )
    return catalog.snapshots[snapshot_id]
