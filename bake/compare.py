"""How two images differ, told from their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bake.fingerprint import difference


@dataclass(frozen=True)
class Changes:
    """What came, what went, and what is another than before."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]

    @classmethod
    def between(cls, old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
        """The changes from one mapping to another; values are compared and shown as text."""
        return cls(
            {name: str(new[name]) for name in sorted(new.keys() - old.keys())},
            {name: str(old[name]) for name in sorted(old.keys() - new.keys())},
            {
                name: (str(old[name]), str(new[name]))
                for name in sorted(old.keys() & new.keys())
                if old[name] != new[name]
            },
        )

    def document(self) -> dict[str, Any]:
        """As JSON."""
        changed = {name: {"from": old, "to": new} for name, (old, new) in self.changed.items()}
        return {"added": self.added, "removed": self.removed, "changed": changed}

    def lines(self) -> list[str]:
        """A line for each: what came with `+`, what went with `-`, what changed with `~`."""
        return [
            *(f"[green]+[/] {name} {value}" for name, value in self.added.items()),
            *(f"[red]-[/] {name} {value}" for name, value in self.removed.items()),
            *(f"[yellow]~[/] {name} {old} -> {new}" for name, (old, new) in self.changed.items()),
        ]


@dataclass(frozen=True)
class Comparison:
    """Two manifests, side by side."""

    packages: Changes
    settings: Changes
    files: Changes
    inputs: tuple[str, ...]


def _brief(files: Mapping[str, str]) -> dict[str, str]:
    """Digests short enough to be read."""
    return {path: digest[:12] for path, digest in files.items()}


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """How the image of one manifest differs from that of another."""
    return Comparison(
        Changes.between(old.get("packages", {}), new.get("packages", {})),
        Changes.between(old.get("settings", {}), new.get("settings", {})),
        Changes.between(_brief(old.get("files", {})), _brief(new.get("files", {}))),
        tuple(difference(old.get("inputs", {}), new.get("inputs", {}))),
    )
