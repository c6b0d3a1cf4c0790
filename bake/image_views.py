"""What the image tasks show: documents for programs, tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from aws.duration import spoken

if TYPE_CHECKING:
    from bake.compare import Comparison
    from bake.image import Image
    from bake.prune import Fate

_ID_WIDTH = 21  # an id that is cut cannot be pasted


@dataclass(frozen=True)
class Listed:
    """Our images, what stands on them and who uses them."""

    images: tuple[Image, ...]
    users: Mapping[str, list[str]]
    now: datetime
    degraded: bool = False

    def document(self) -> list[dict[str, Any]]:
        """As JSON, oldest first."""
        return [
            {
                "image_id": one.id, "name": one.name, "state": one.state, "fingerprint": one.fingerprint,
                "base": one.base, "created": one.created, "age_seconds": self._age(one),
                "size_bytes": one.size_bytes, "in_use_by": self.users.get(one.id, []),
                "base_of": self._above(one),
            }
            for one in self.images
        ]  # fmt: skip

    def __rich__(self) -> Table | str:
        """As people read it."""
        if not self.images:
            return "no images yet; `invoke bake` makes one"
        titles = ("image", "name", "state", "fingerprint", "base", "age", "GiB", "in use by", "base of")
        table = Table(*titles, box=None)
        table.columns[0].min_width = _ID_WIDTH
        for one in self.images:
            age = self._age(one)
            table.add_row(
                one.id,
                one.name,
                one.state,
                one.fingerprint[:8],
                one.base,
                "" if age is None else _short(age),
                str(one.size_bytes // 2**30),
                ", ".join(self.users.get(one.id, [])),
                ", ".join(self._above(one)),
            )
        return table

    def _above(self, one: Image) -> list[str]:
        return [other.id for other in self.images if other.base == one.id]

    def _age(self, one: Image) -> int | None:
        if not one.created:
            return None
        return int((self.now - datetime.fromisoformat(one.created)).total_seconds())


@dataclass(frozen=True)
class Shown:
    """One image and its manifest."""

    image: Image
    users: Sequence[str]
    manifest: Mapping[str, Any]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON: the manifest, and what the cloud says now."""
        now = {"state": self.image.state, "in_use_by": list(self.users), "created": self.image.created}
        return {**self.manifest, **now}

    def __rich__(self) -> Group:
        """As people read it."""
        base = self.manifest["base"]
        steps = Table("seconds", "step", box=None)
        for one in self.manifest["steps"]:
            steps.add_row(f"{one['seconds']:.1f}", one["step"])
        packages = self.manifest["packages"]
        verdict = self.manifest.get("verification")
        tests = (
            f"{verdict['passed']} tests passed, {verdict['failed']} failed, see {verdict['report']}"
            if verdict
            else "no test report on this desk"
        )
        return Group(
            f"[bold]{self.image.id}[/]  {self.image.name}  {self.image.state}  made {self.manifest['made']}",
            f"on {base['image_id']} ({base['name']}), fingerprint {self.image.fingerprint[:12]}",
            f"in use by {', '.join(self.users) or 'nobody'}",
            tests,
            steps,
            f"{len(packages)} packages:",
            "  ".join(f"{name} {version}" for name, version in sorted(packages.items())),
        )


@dataclass(frozen=True)
class Compared:
    """Two images, and how they differ."""

    old: Image
    new: Image
    found: Comparison
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "old": self.old.id,
            "new": self.new.id,
            "packages": self.found.packages.document(),
            "settings": self.found.settings.document(),
            "files": self.found.files.document(),
            "inputs": list(self.found.inputs),
        }

    def __rich__(self) -> Group:
        """As people read it."""
        parts = {
            "packages": self.found.packages.lines(),
            "settings": self.found.settings.lines(),
            "files": self.found.files.lines(),
            "inputs": list(self.found.inputs),
        }
        lines = [f"from {self.old.id} to {self.new.id}"]
        for title, rows in parts.items():
            lines += [
                f"[bold]{title}[/]" + ("" if rows else ": no difference"),
                *(f"  {row}" for row in rows),
            ]
        return Group(*lines)


@dataclass(frozen=True)
class Pruned:
    """What went and what stayed."""

    fates: tuple[Fate, ...]
    dry_run: bool
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        rows = [
            (fate.goes, {"image_id": fate.image.id, "name": fate.image.name, "why": fate.why})
            for fate in self.fates
        ]
        return {
            "removed": [row for goes, row in rows if goes],
            "kept": [row for goes, row in rows if not goes],
            "dry_run": self.dry_run,
        }

    def __rich__(self) -> Table | str:
        """As people read it."""
        if not self.fates:
            return "no images yet; `invoke bake` makes one"
        table = Table("", "image", "name", "why", box=None)
        table.columns[1].min_width = _ID_WIDTH
        verb = "would remove" if self.dry_run else "removed"
        for fate in self.fates:
            table.add_row(verb if fate.goes else "kept", fate.image.id, fate.image.name, fate.why)
        return table


@dataclass(frozen=True)
class Deprecated:
    """An image with an end."""

    image: Image
    at: datetime
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"image_id": self.image.id, "deprecate_at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}"}

    def __rich__(self) -> str:
        """As people read it."""
        return f"{self.image.id} is deprecated from {self.at:%Y-%m-%d %H:%M} UTC on"


def _short(seconds: int) -> str:
    from datetime import timedelta

    return spoken(timedelta(seconds=seconds))
