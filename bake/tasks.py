"""`invoke bake` and `invoke verify`: images made and proven, from the desk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from aws.duration import duration
from aws.errors import NoAccess
from aws.ownership import Run
from aws.patience import Patience
from aws.session import connect
from bake import image as images_of
from bake.care import Care
from bake.errors import BakeError
from bake.foresight import Foreseen, foresee
from bake.kitchen import Kitchen
from bake.progress import Progress, Timing
from bake.shelf import Shelf

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.bakery import Layer
    from bake.image import Image
    from bake.report import TestReport

DEFAULT_SPEC = "bake/resizer.toml"

_stderr = Console(stderr=True)


@dataclass(frozen=True)
class BakeDone:
    """What a bake ends with."""

    layers: tuple[Layer, ...]
    timings: tuple[Timing, ...]
    manifest: Path
    cloud: Cloud = field(repr=False)
    """Where it was baked, for who goes on with it."""
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

    layers: tuple[Foreseen, ...]
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"layers": [layer.document() for layer in self.layers]}

    def __rich__(self) -> Group:
        """As people read it."""
        return Group(*(line for layer in self.layers for line in layer.lines()))


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
        "resume": "join the image that an earlier run left on its way; an error when there is none",
        "dry-run": "print the plan and what would be reused, changing nothing",
        "subnet": "where temporary machines go (default: the default VPC's first subnet)",
        "wait-budget": "how long to wait for an image to become available, such as 30m or 6h (default 2h)",
        "wait-delay": "how long to wait between two looks at it, such as 15s (default 1s)",
        "on-error": "what becomes of the builder then: cleanup, keep or ask (default cleanup)",
        "keep-builder": "keep the builder however the bake ends, and print the line that logs in",
        "pause-before": "wait for Enter before a step: its number in the plan, or a part of its description",
    }
)
def bake(
    context: Context,
    spec: str = DEFAULT_SPEC,
    force: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    subnet: str = "",
    wait_budget: str = "2h",
    wait_delay: str = "1s",
    on_error: str = "cleanup",
    keep_builder: bool = False,
    pause_before: str = "",
) -> Any:
    """Bake a machine image from a spec: launch a builder, converge it, clean it, bundle it, prove it.

    Layers that exist with the same fingerprint and are verified are reused. An image of the same
    fingerprint that another run is making is joined.
    """
    if force and resume:
        raise BakeError("--force and --resume contradict each other", "give one of them")
    if dry_run:
        return planned(Path(spec), force=force, answers=bool(context.config.get("cloud_answers", True)))
    from bake import bakery

    patience = Patience(duration(wait_delay).total_seconds(), duration(wait_budget).total_seconds())
    care = Care.wanted(on_error, pause_before, keep_builder=keep_builder, terminal=sys.stdin.isatty())
    kitchen = replace(_kitchen(subnet), patience=patience, care=care)
    layers = bakery.bake(kitchen, Path(spec), force=force, resume=resume)
    top = layers[-1].image
    return BakeDone(layers, kitchen.progress.timings, kitchen.shelf.manifest(top.id), kitchen.cloud)


def planned(path: Path, *, force: bool, answers: bool) -> Planned:
    """What a bake of a spec would do; asks the cloud only when it answers already."""
    cloud = None
    if answers:
        with suppress(NoAccess):
            cloud = connect()
    return Planned(foresee(path, cloud, Shelf.of_user(), force=force))


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


def _kitchen(subnet: str) -> Kitchen:
    return Kitchen(connect(), Run(), Shelf.of_user(), Progress(_stderr), subnet)
