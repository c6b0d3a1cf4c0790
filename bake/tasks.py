"""`invoke bake`, `invoke verify`, `invoke images`: images, from the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from aws.ownership import Run
from aws.session import connect
from bake import image as images_of
from bake.kitchen import Kitchen
from bake.progress import Progress, Timing
from bake.shelf import Shelf

if TYPE_CHECKING:
    from bake.bakery import Layer
    from bake.image import Image
    from bake.report import TestReport
    from bake.spec import Spec

DEFAULT_SPEC = "bake/resizer.toml"

_stderr = Console(stderr=True)


@dataclass(frozen=True)
class BakeDone:
    """What a bake ends with."""

    layers: tuple[Layer, ...]
    timings: tuple[Timing, ...]
    manifest: Path
    degraded: bool = False

    @property
    def image(self) -> Image:
        """The image that was asked for."""
        return self.layers[-1].image

    def document(self) -> dict[str, Any]:
        """As JSON."""
        top = self.layers[-1]
        return {
            "image_id": top.image.id,
            "name": top.image.name,
            "fingerprint": top.fingerprint,
            "reused": top.reused,
            "state": top.image.state,
            "layers": [layer.document() for layer in self.layers],
            "seconds": {timing.phase: round(timing.seconds, 1) for timing in self.timings},
            "manifest": str(self.manifest),
        }

    def __rich__(self) -> Group:
        """As people read it."""
        top = self.layers[-1].image
        return Group(
            timing_table(self.timings) if self.timings else "nothing has changed, nothing was baked",
            f"[bold]{top.id}[/]  {top.name}  [green]{top.state}[/]",
            f"[dim]{self.manifest}[/]",
        )


@dataclass(frozen=True)
class Planned:
    """What a bake would do."""

    specs: tuple[tuple[Spec, tuple[str, ...]], ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"layers": [{"spec": spec.path.name, "steps": list(steps)} for spec, steps in self.specs]}

    def __rich__(self) -> Group:
        """As people read it."""
        lines = []
        for spec, steps in self.specs:
            base = spec.base.name if isinstance(spec.base, Path) else spec.base
            lines.append(f"[bold]{spec.path.name}[/] on {base}: {len(steps)} steps")
            lines += [f"  would ensure {escape(step)}" for step in steps]
        return Group(*lines)


@dataclass(frozen=True)
class Verified:
    """What a verification ends with."""

    image: Image
    report: TestReport
    path: Path
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "image_id": self.image.id,
            "state": images_of.VERIFIED,
            "passed": self.report.count("passed"),
            "failed": self.report.count("failed"),
            "skipped": self.report.count("skipped"),
            "boot_seconds": self.report.boot_seconds,
            "report": str(self.path),
        }

    def __rich__(self) -> str:
        """As people read it."""
        boot = f", booted in {self.report.boot_seconds:.1f} s" if self.report.boot_seconds else ""
        return f"{self.image.id} is verified: {self.report.count('passed')} tests passed{boot}\n{self.path}"


@dataclass(frozen=True)
class Listed:
    """Our images and who uses them."""

    images: tuple[Image, ...]
    users: dict[str, list[str]]
    degraded: bool = False

    def document(self) -> list[dict[str, Any]]:
        """As JSON, oldest first."""
        return [
            {
                "image_id": one.id, "name": one.name, "state": one.state, "fingerprint": one.fingerprint,
                "base": one.base, "created": one.created, "size_bytes": one.size_bytes,
                "in_use_by": self.users.get(one.id, []),
            }
            for one in self.images
        ]  # fmt: skip

    def __rich__(self) -> Table | str:
        """As people read it."""
        if not self.images:
            return "no images yet; `invoke bake` makes one"
        table = Table("image", "name", "state", "fingerprint", "base", "created", "in use by", box=None)
        for one in self.images:
            users = ", ".join(self.users.get(one.id, []))
            table.add_row(one.id, one.name, one.state, one.fingerprint[:8], one.base, one.created[:19], users)
        return table


def timing_table(timings: Sequence[Timing]) -> Table:
    """Phases and their seconds, with the sum."""
    table = Table("phase", "seconds", box=None)
    table.columns[1].justify = "right"
    for timing in timings:
        table.add_row(escape(timing.phase), f"{timing.seconds:.1f}")
    table.add_row("[bold]in all[/]", f"[bold]{sum(timing.seconds for timing in timings):.1f}[/]")
    return table


@task(
    help={
        "spec": f"image spec, a TOML file (default {DEFAULT_SPEC})",
        "force": "bake the top layer even when nothing has changed; never those below",
        "dry-run": "print the plan, touching nothing",
        "subnet": "where temporary machines go (default: the default VPC's first subnet)",
    }
)
def bake(
    _: Context, spec: str = DEFAULT_SPEC, force: bool = False, dry_run: bool = False, subnet: str = ""
) -> Any:
    """Bake a machine image from a spec: launch a builder, converge it, clean it, bundle it, prove it.

    Layers that exist with the same fingerprint and are verified are reused.
    """
    if dry_run:
        return planned(Path(spec))
    from bake import bakery

    kitchen = _kitchen(subnet)
    layers = bakery.bake(kitchen, Path(spec), force=force)
    top = layers[-1]
    shown = replace(top, image=images_of.find(kitchen.cloud, top.image.id))
    return BakeDone((*layers[:-1], shown), kitchen.progress.timings, kitchen.shelf.manifest(top.image.id))


def planned(path: Path) -> Planned:
    """What a bake of a spec would do; reads files, dials nothing."""
    from bake.plan import plan
    from bake.spec import layers

    return Planned(tuple((spec, tuple(step.describe() for step in plan(spec))) for spec in layers(path)))


@task(
    help={
        "image": "image id or name; the newest of the spec's name when left out",
        "spec": f"whose [verify] table says what to test (default {DEFAULT_SPEC})",
        "subnet": "where the fresh nodes go (default: the default VPC's first subnet)",
    }
)
def verify(_: Context, image: str = "", spec: str = DEFAULT_SPEC, subnet: str = "") -> Verified:
    """Prove an image: boot two fresh nodes of it, run the image suite on them, tag it with the verdict."""
    from bake import spec as specs
    from bake import verify as verification

    wanted = specs.load(Path(spec))
    kitchen = _kitchen(subnet)
    found = images_of.find(kitchen.cloud, image) if image else images_of.newest(kitchen.cloud, wanted.name)
    report = verification.verify(kitchen, found, wanted.instance_type, wanted.verify)
    return Verified(found, report, kitchen.shelf.folder(found.id) / "report.json")


@task
def images(_: Context) -> Listed:
    """List the images this toolkit made, oldest first, and who uses them."""
    cloud = connect()
    return Listed(images_of.ours(cloud), images_of.in_use_by(cloud))


def _kitchen(subnet: str) -> Kitchen:
    return Kitchen(connect(), Run(), Shelf.of_user(), Progress(_stderr), subnet)
