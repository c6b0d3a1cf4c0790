"""The main job: every layer of a spec, bottom first, reused when it exists and proven when it is new."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws.instance import stop
from aws.ownership import RUN
from bake import image as images
from bake.builder import builder
from bake.care import pauses
from bake.claim import claims, insist, verdict_of_another, wait_for_claim
from bake.cleanup import clean
from bake.contents import contents
from bake.errors import NothingToResume, NotVerified, Outrun
from bake.fingerprint import Fingerprint, fingerprint
from bake.image import CANDIDATE, FAILED, VERIFIED, Image
from bake.making import made
from bake.manifest import manifest
from bake.plan import plan
from bake.spec import Spec, layers
from bake.verify import verify

if TYPE_CHECKING:
    from bake.kitchen import Kitchen


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


@dataclass(frozen=True)
class Order:
    """One layer to be had: its spec, what it stands on, and how."""

    spec: Spec
    base: Image
    made_of: Fingerprint
    fresh: bool
    resume: bool
    pause: int | None


def bake(kitchen: Kitchen, path: Path, *, force: bool = False, resume: bool = False) -> tuple[Layer, ...]:
    """Bake a spec and the specs below it, and return what became of each, bottom first.

    With `force` the top layer is baked anew, never those below. With `resume` the first layer that is not
    verified must be under way already. Raises NothingToResume when it is not, and whatever goes wrong.
    """
    specs = layers(path)
    stops = pauses([plan(spec) for spec in specs], kitchen.care.pause_before)
    done: list[Layer] = []
    for spec, pause in zip(specs, stops, strict=True):
        base = done[-1].image if done else images.public(kitchen.cloud, str(spec.base), spec.architecture)
        if done and base.state != VERIFIED:
            raise NotVerified(
                f"{spec.path.name} stands on {base.id}, which is {base.state or 'of no known state'}",
                f"`invoke verify {base.id} --spec {specs[len(done) - 1].path}` proves it",
            )
        fresh = force and spec is specs[-1]
        resuming = resume and all(layer.reused for layer in done)
        order = Order(spec, base, fingerprint(spec, base.id), fresh, resuming, pause)
        done.append(_layer(kitchen, order))
    return tuple(done)


def _layer(kitchen: Kitchen, order: Order) -> Layer:
    started = len(kitchen.progress.timings)
    image, new = _had(kitchen, order)
    name, digest = order.spec.path.name, order.made_of.digest
    if not new and len(kitchen.progress.timings) == started:
        kitchen.progress.note(f"{order.spec.name}: nothing has changed, {image.id} is reused")
        return Layer(name, image, digest, reused=True, seconds=0)
    if image.state != VERIFIED:
        _proven(kitchen, order.spec, image)
    seconds = sum(timing.seconds for timing in kitchen.progress.timings[started:])
    return Layer(name, replace(image, state=VERIFIED), digest, reused=False, seconds=seconds)


def _had(kitchen: Kitchen, order: Order) -> tuple[Image, bool]:
    """The layer's image, and whether it is this run that made it; verified unless it is up to us."""
    cloud, digest = kitchen.cloud, order.made_of.digest
    while not order.fresh:
        known = [one for one in images.same(cloud, digest) if one.state != FAILED]
        verified = [one for one in known if one.state == VERIFIED and one.aws_state == "available"]
        if verified:
            return verified[-1], False
        if known:
            return _joined(kitchen, known[0]), False
        claim, *_ = (*claims(cloud, digest), None)
        if claim is not None:
            wait_for_claim(kitchen, digest, claim)
            continue
        if order.resume:
            raise NothingToResume(
                f"{order.spec.name}: no image or builder of fingerprint {digest[:12]} is under way",
                "leave out --resume to bake it; `invoke bake --dry-run` tells what has changed",
            )
        try:
            return _baked(kitchen, order), True
        except Outrun as why:
            kitchen.progress.note(f"{why}: joining it")
    return _baked(kitchen, order), True


def _joined(kitchen: Kitchen, image: Image) -> Image:
    """An image of the same fingerprint that another run began: wait for it instead of making a second one."""
    with kitchen.progress.phase(f"join {image.id} ({image.name}), which is {image.aws_state}"):
        arrived = images.wait_available(kitchen.cloud, image.id, kitchen.patience)
    return verdict_of_another(kitchen, arrived) or arrived


def _baked(kitchen: Kitchen, order: Order) -> Image:
    spec, digest = order.spec, order.made_of.digest
    steps = plan(spec)
    begun = len(kitchen.progress.timings)
    with builder(kitchen, order.base, spec, digest) as site:
        if not order.fresh:
            insist(kitchen.cloud, digest, site.instance_id)
        with made(kitchen, site, steps, spec.path.name, order.pause) as (machine, report, installed):
            if not order.fresh:
                insist(kitchen.cloud, digest, site.instance_id)
            with kitchen.progress.phase(f"clean up {spec.path.name}"):
                clean(machine)
        with kitchen.progress.phase(f"bundle {spec.path.name}"):
            stop(kitchen.cloud, site.instance_id)
            image_id = _bundled(kitchen, order, site.instance_id)
            beneath = kitchen.shelf.read_manifest(order.base.id).get("files", {})
            files = {**beneath, **contents(steps)}
            story = manifest(spec, order.base, image_id, order.made_of, report, installed, files)
            # Before the wait: whoever resumes finds the manifest.
            kitchen.shelf.write_manifest(image_id, story)
            image = images.wait_available(kitchen.cloud, image_id, kitchen.patience)
    seconds = {timing.phase: round(timing.seconds, 2) for timing in kitchen.progress.timings[begun:]}
    kitchen.shelf.write_manifest(image_id, {**story, "seconds": seconds})
    return image


def _bundled(kitchen: Kitchen, order: Order, instance_id: str) -> str:
    """Ask for the image, and return its id."""
    spec, digest = order.spec, order.made_of.digest
    name = f"{spec.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{digest[:8]}"
    tags = {
        images.NAME: spec.name,
        images.FINGERPRINT: digest,
        images.BASE: order.base.id,
        images.GIT: _git_commit(spec.path.parent),
        images.STATE: CANDIDATE,
        images.LOGIN: order.base.login,
        RUN: kitchen.run.id,
    }
    return images.create(kitchen.cloud, instance_id, name, tags)


def _proven(kitchen: Kitchen, spec: Spec, image: Image) -> None:
    if not spec.verify.tests:
        raise NotVerified(
            f"{spec.path}: [verify] names no tests, so nothing proves {image.id}, which stays a candidate",
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
