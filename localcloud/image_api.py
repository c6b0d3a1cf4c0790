"""All of the image API, put in moto's place at once."""

from __future__ import annotations

from localcloud import image_launches
from localcloud.catalog import Catalog, Machines
from localcloud.image_actions import ImageActions
from localcloud.image_attributes import ImageAttributes
from localcloud.image_copies import ImageCopies
from localcloud.image_descriptions import ImageDescriptions
from localcloud.snapshot_actions import SnapshotActions


def install(catalog: Catalog, machines: Machines) -> None:
    """Answer EC2's calls about images and snapshots from the catalogue."""
    ImageActions(catalog, machines).install()
    ImageCopies(catalog, machines).install()
    ImageDescriptions(catalog).install()
    ImageAttributes(catalog).install()
    SnapshotActions(catalog, machines).install()
    image_launches.install(catalog)
