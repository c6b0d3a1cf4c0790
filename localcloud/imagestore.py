"""Images and snapshots on disk: JSON records, and the layers that they stand on."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from localcloud.images import ImageRecord
from localcloud.site import Site
from localcloud.snapshots import SnapshotRecord


class ImageStore:
    """The image and snapshot records of one site, its layers and its raw disks."""

    def __init__(self, site: Site) -> None:
        self._images = site.home / "images"
        self._snapshots = site.home / "snapshots"
        self._layers = site.home / "layers"
        self.disks = site.home / "disks"
        self._being_made: set[Path] = set()
        for folder in (self._images, self._snapshots, self._layers, self.disks):
            folder.mkdir(parents=True, exist_ok=True)

    def images(self) -> list[ImageRecord]:
        """Every image of ours, oldest first."""
        found = [ImageRecord.read(path) for path in self._images.glob("ami-*.json")]
        return sorted(found, key=lambda record: record.created)

    def snapshots(self) -> list[SnapshotRecord]:
        """Every snapshot of ours, oldest first."""
        found = [SnapshotRecord.read(path) for path in self._snapshots.glob("snap-*.json")]
        return sorted(found, key=lambda record: record.started)

    def write(self, record: ImageRecord | SnapshotRecord) -> None:
        """Keep a record; a reader sees the old one or the new one, never half of it."""
        path = self._path(record.id)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record), indent=1))
        draft.replace(path)

    def remove(self, record_id: str) -> None:
        """Forget an image or a snapshot. What it stood on stays until it is dropped as unused."""
        self._path(record_id).unlink(missing_ok=True)

    @contextmanager
    def new_layer(self) -> Iterator[Path]:
        """A path for a layer that is made within the block, and safe from being dropped there."""
        layer = self._layers / f"layer-{secrets.token_hex(6)}"
        under_way = {layer, layer.with_suffix(".draft")}
        self._being_made |= under_way
        try:
            yield layer
        finally:
            self._being_made -= under_way

    def drop_unused_layers(self, in_use: Iterable[Path]) -> list[Path]:
        """Remove the layers that no image, snapshot, nor one of `in_use` needs, and return them."""
        records: list[ImageRecord | SnapshotRecord] = [*self.images(), *self.snapshots()]
        needed = {Path(layer) for record in records for layer in record.layers}
        needed |= self._being_made | set(in_use)
        unused = [layer for layer in self._layers.iterdir() if layer not in needed]
        for layer in unused:
            shutil.rmtree(layer, ignore_errors=True)
        return unused

    def drop_unused_disks(self) -> list[Path]:
        """Remove the raw disks that no snapshot stands on, and return their files."""
        needed = {disk for record in self.snapshots() for disk in record.disks}
        unused = [path for path in self.disks.iterdir() if path.stem not in needed]
        for path in unused:
            path.unlink(missing_ok=True)
        return unused

    def _path(self, record_id: str) -> Path:
        folder = self._images if record_id.startswith("ami-") else self._snapshots
        return folder / f"{record_id}.json"


def size_bytes(layers: Iterable[Path]) -> int:
    """What the files of some layers take on disk, in bytes."""
    return sum(file.lstat().st_blocks * 512 for layer in layers for file in layer.rglob("*"))
