"""What every part of a bake works with: the cloud, this run, where machines go, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aws.place import Place, find_place

if TYPE_CHECKING:
    from aws.ownership import Run
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

    @cached_property
    def place(self) -> Place:
        """Where machines go; looked up when first needed, as a bake that reuses all needs none."""
        return find_place(self.cloud, self.subnet)
