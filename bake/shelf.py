"""Where the desk keeps what it knows of an image: its manifest and its test reports, a folder each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Shelf:
    """A folder per image id."""

    root: Path

    @classmethod
    def of_user(cls) -> Shelf:
        """The user's shelf: $AMIBAKE_STATE, else below XDG_STATE_HOME, else ~/.local/state."""
        state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return cls(Path(os.environ.get("AMIBAKE_STATE") or Path(state) / "amibake") / "images")

    def folder(self, image_id: str) -> Path:
        """An image's folder, made when missing."""
        path = self.root / image_id
        path.mkdir(parents=True, exist_ok=True)
        return path

    def builder(self, instance_id: str) -> Path:
        """Where the way into a builder is kept, when it is."""
        return self.root.parent / "builders" / instance_id

    def manifest(self, image_id: str) -> Path:
        """Where an image's manifest is, or will be."""
        return self.root / image_id / "manifest.json"

    def write_manifest(self, image_id: str, manifest: dict[str, Any]) -> Path:
        """Keep a manifest; a reader sees the old one or the new one, never half of it."""
        path = self.folder(image_id) / "manifest.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(manifest, indent=2) + "\n")
        draft.replace(path)
        return path

    def read_manifest(self, image_id: str) -> dict[str, Any]:
        """An image's manifest; empty when it was baked on another desk."""
        try:
            found: dict[str, Any] = json.loads(self.manifest(image_id).read_text())
        except FileNotFoundError:
            return {}
        return found
