"""Snapshots as they are kept: a record of each, standing on layers of files or on blocks of a disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from localcloud.images import ImageRecord

NO_VOLUME = "vol-ffffffff"  # what EC2 shows for a snapshot that was not made of a volume


@dataclass(frozen=True)
class SnapshotRecord:
    """All that is kept of a snapshot between runs of the daemon.

    `layers` are the files of a machine's disk, `disks` the ids under which blocks of a raw disk are stored;
    both newest first. A snapshot has one of the two, or neither when it was made of an empty volume.
    """

    id: str
    owner: str
    started: str
    size_gib: int
    region: str = "us-east-1"
    description: str = ""
    state: str = "completed"
    state_message: str = ""
    completed: str = ""
    volume: str = NO_VOLUME
    layers: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    sealed: bool = True
    parent: str = ""
    client_token: str = ""
    request: str = ""
    shared_users: tuple[str, ...] = ()
    shared_groups: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SnapshotRecord:
        """The record in a file that the store wrote."""
        kept: dict[str, Any] = json.loads(path.read_text())
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in kept.items() if key in known}
        lists = ("layers", "disks", "shared_users", "shared_groups")
        return cls(**{**values, **{key: tuple(values.get(key, ())) for key in lists}})

    @classmethod
    def of_image(cls, image: ImageRecord) -> SnapshotRecord:
        """The snapshot of an image that came without a record of it, such as a public one."""
        return cls(
            id=image.snapshot,
            owner=image.owner,
            started=image.created,
            completed=image.created,
            size_gib=image.size_gib,
            region=image.region,
            description=f"Created for {image.id}",
            layers=image.layers,
        )
