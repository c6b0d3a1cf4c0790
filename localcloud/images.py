"""Images on disk: a record of each, and the layers they are made of.

A layer is a folder of files that an overlay mount stacks; an image is a list of layers, newest first. An
image made from a machine is one layer more than the image the machine was started from.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from localcloud.site import ACCOUNT, Site


@dataclass(frozen=True)
class ImageRecord:
    """All that is kept of an image between runs of the daemon."""

    id: str
    name: str
    owner: str
    created: str
    snapshot: str
    layers: tuple[str, ...]
    description: str = ""
    architecture: str = "x86_64"
    size_gib: int = 8
    source_instance: str = ""
    state: str = "available"
    public: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    snapshot_tags: dict[str, str] = field(default_factory=dict)
    launch_permissions: tuple[dict[str, str], ...] = ()

    @classmethod
    def read(cls, path: Path) -> ImageRecord:
        """The record in a file that `write` made."""
        values: dict[str, Any] = json.loads(path.read_text())
        values["layers"] = tuple(values["layers"])
        values["launch_permissions"] = tuple(values["launch_permissions"])
        return cls(**values)


class ImageStore:
    """The records and layers of one site."""

    def __init__(self, site: Site) -> None:
        self._records = site.home / "images"
        self._layers = site.home / "layers"
        self._records.mkdir(parents=True, exist_ok=True)
        self._layers.mkdir(parents=True, exist_ok=True)

    def records(self) -> list[ImageRecord]:
        """Every image of ours, oldest first."""
        found = [ImageRecord.read(path) for path in self._records.glob("ami-*.json")]
        return sorted(found, key=lambda record: record.created)

    def write(self, record: ImageRecord) -> None:
        """Keep a record; a reader sees the old one or the new one, never half of it."""
        path = self._records / f"{record.id}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record), indent=1))
        draft.replace(path)

    def remove(self, image_id: str) -> None:
        """Forget an image. Its layers stay until `drop_unused_layers`."""
        (self._records / f"{image_id}.json").unlink(missing_ok=True)

    def new_layer(self) -> Path:
        """A path for a layer that is about to be made."""
        return self._layers / f"layer-{secrets.token_hex(6)}"

    def drop_unused_layers(self, in_use: Iterable[Path]) -> list[Path]:
        """Remove the layers that neither an image nor one of `in_use` needs, and return them."""
        needed = {Path(layer) for record in self.records() for layer in record.layers} | set(in_use)
        unused = [layer for layer in self._layers.iterdir() if layer not in needed]
        for layer in unused:
            shutil.rmtree(layer, ignore_errors=True)
        return unused


def own(record: ImageRecord) -> bool:
    """Whether an image belongs to the site's account, and so is kept on disk."""
    return record.owner == ACCOUNT


def size_bytes(layers: Iterable[Path]) -> int:
    """What the files of some layers take on disk, in bytes."""
    return sum(file.lstat().st_blocks * 512 for layer in layers for file in layer.rglob("*"))


__all__ = ["ImageRecord", "ImageStore", "own", "replace", "size_bytes"]
