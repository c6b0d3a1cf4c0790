"""What every part of a bake works with: the cloud, this run, where machines go, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aws.place import Place, find_place
from bake.care import Care
from bake.image import AVAILABLE

if TYPE_CHECKING:
    from aws.ownership import Run
    from aws.patience import Patience
    from aws.session import Cloud
    from bake.progress import Progress
    from bake.shelf import Shelf


@dataclass(frozen=True)
class Kitchen:
    """The surroundings of one bake or verification."""

    cloud: Cloud
    run: Run
    shelf: Shelf
    progress: Progress
    subnet: str = ""
    patience: Patience = AVAILABLE
    """For images, and for other runs that make them."""
    care: Care = field(default_factory=Care)

    @cached_property
    def place(self) -> Place:
        """Where machines go; looked up when first needed, as a bake that reuses all needs none."""
        return find_place(self.cloud, self.subnet)
