"""The main job: every layer of a spec, bottom first, reused when it exists and proven when it is new."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws.instance import stop
from bake import image as images
from bake.builder import builder
from bake.cleanup import clean
from bake.converge import Outcome, Report, converge
from bake.errors import NotVerified
from bake.fingerprint import Fingerprint, fingerprint
from bake.image import CANDIDATE, FAILED, VERIFIED, Image
from bake.manifest import manifest, packages
from bake.plan import plan
from bake.spec import Spec, layers
from bake.verify import verify

if TYPE_CHECKING:
    from bake.kitchen import Kitchen
    from bake.machine import Machine
    from bake.steps import Step


@dataclass(frozen=True)
class Layer:
    """What became of one spec."""

    spec: str
    image: Image
    fingerprint: str
    reused: bool
    seconds: float

    def document(self) -> dict[str, Any]:
        """The layer as `bake --json` shows it."""
        return {
            "spec": self.spec,
            "image_id": self.image.id,
            "reused": self.reused,
            "seconds": round(self.seconds, 1),
        }


def bake(kitchen: Kitchen, path: Path, *, force: bool = False) -> tuple[Layer, ...]:
    """Bake a spec and the specs below it, and return what became of each, bottom first.

    With `force` the top layer is baked anew, never those below.
    """
    specs = layers(path)
    done: list[Layer] = []
    for spec in specs:
        base = done[-1].image if done else images.public(kitchen.cloud, str(spec.base), spec.architecture)
        done.append(_layer(kitchen, spec, base, fresh=force and spec is specs[-1]))
    return tuple(done)


def _layer(kitchen: Kitchen, spec: Spec, base: Image, *, fresh: bool) -> Layer:
    started = len(kitchen.progress.timings)
    made_of = fingerprint(spec, base.id)
    known = (
        ()
        if fresh
        else tuple(one for one in images.same(kitchen.cloud, made_of.digest) if one.state != FAILED)
    )
    verified = [one for one in known if one.state == VERIFIED and one.aws_state == "available"]
    if verified:
        kitchen.progress.note(f"{spec.name}: nothing has changed, {verified[-1].id} is reused")
        return Layer(spec.path.name, verified[-1], made_of.digest, reused=True, seconds=0)
    image = _joined(kitchen, known[-1]) if known else _baked(kitchen, spec, base, made_of)
    _proven(kitchen, spec, image)
    seconds = sum(timing.seconds for timing in kitchen.progress.timings[started:])
    return Layer(spec.path.name, image, made_of.digest, reused=False, seconds=seconds)


def _joined(kitchen: Kitchen, image: Image) -> Image:
    """An image of the same fingerprint that another run began: wait for it instead of making a second one."""
    with kitchen.progress.phase(f"join {image.id} ({image.name}), which is {image.aws_state}"):
        return images.wait_available(kitchen.cloud, image.id)


def _baked(kitchen: Kitchen, spec: Spec, base: Image, made_of: Fingerprint) -> Image:
    steps = plan(spec)
    begun = len(kitchen.progress.timings)
    with builder(kitchen, base, spec.instance_type) as site:
        with kitchen.progress.phase(f"converge {len(steps)} steps of {spec.path.name}"):
            report = _converged(kitchen, site.machine, steps)
        with kitchen.progress.phase("clean up"):
            installed = packages(site.machine)
            clean(site.machine)
        with kitchen.progress.phase("bundle"):
            image = _bundled(kitchen, spec, base, made_of, site.instance_id)
    timings = kitchen.progress.timings[begun:]
    kitchen.shelf.write_manifest(image.id, manifest(spec, base, image, made_of, report, installed, timings))
    return image


def _converged(kitchen: Kitchen, machine: Machine, steps: tuple[Step, ...]) -> Report:
    def tell(outcome: Outcome) -> None:
        if outcome.changed:
            kitchen.progress.note(f"{outcome.step}  {outcome.seconds:.1f} s")

    return converge(machine, steps, on_step=tell)


def _bundled(kitchen: Kitchen, spec: Spec, base: Image, made_of: Fingerprint, instance_id: str) -> Image:
    stop(kitchen.cloud, instance_id)
    name = f"{spec.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{made_of.digest[:8]}"
    tags = {
        images.NAME: spec.name,
        images.FINGERPRINT: made_of.digest,
        images.BASE: base.id,
        images.GIT: _git_commit(spec.path.parent),
        images.STATE: CANDIDATE,
        images.LOGIN: base.login,
        "amibake:run": kitchen.run.id,
    }
    image_id = images.create(kitchen.cloud, instance_id, name, tags)
    return images.wait_available(kitchen.cloud, image_id)


def _proven(kitchen: Kitchen, spec: Spec, image: Image) -> None:
    if not spec.verify.tests:
        kitchen.progress.note(
            f"{spec.name} names no tests: {image.id} stays a candidate until `invoke verify`"
        )
        raise NotVerified(
            f"{spec.path}: [verify] names no tests, so nothing proves {image.id}",
            'add `tests = ["../tests/image"]` to [verify]',
        )
    report = verify(kitchen, image, spec.instance_type, spec.verify)
    found = kitchen.shelf.read_manifest(image.id)
    verdict = {
        "passed": report.count("passed"),
        "failed": report.count("failed"),
        "skipped": report.count("skipped"),
        "boot_seconds": report.boot_seconds,
        "report": str(kitchen.shelf.folder(image.id) / "report.json"),
    }
    kitchen.shelf.write_manifest(image.id, {**found, "state": VERIFIED, "verification": verdict})


def _git_commit(folder: Path) -> str:
    """The commit the spec was baked from, with `+` when the tree had changes; `none` outside of git."""
    try:
        argv = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+"]
        found = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return found.stdout.strip() or "none"
