"""What a bake would do: each layer's steps, and whether its image would be reused or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from bake import image as images
from bake.errors import ImageNotFound
from bake.fingerprint import Fingerprint, difference, fingerprint
from bake.image import FAILED, VERIFIED, Image
from bake.plan import plan
from bake.spec import Spec, layers

if TYPE_CHECKING:
    from aws.session import Cloud
    from bake.shelf import Shelf

_UNMADE = "to be baked"


@dataclass(frozen=True)
class Foreseen:
    """One layer's future. `reuse` is None when no cloud could be asked."""

    spec: Spec
    steps: tuple[str, ...]
    reuse: bool | None
    image_id: str
    why: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "spec": self.spec.path.name,
            "steps": list(self.steps),
            "reuse": self.reuse,
            "image_id": self.image_id or None,
            "why": list(self.why),
        }

    def lines(self) -> list[str]:
        """As people read it."""
        base = self.spec.base.name if isinstance(self.spec.base, Path) else self.spec.base
        numbered = [
            f"  {number:>3}  would ensure {escape(step)}" for number, step in enumerate(self.steps, 1)
        ]
        known = {None: "it is not known whether an image can be reused", False: "would be baked"}
        said = known.get(self.reuse, f"nothing has changed, {self.image_id} is reused")
        head = f"[bold]{self.spec.path.name}[/] on {base}: {said}; {len(self.steps)} steps"
        return [head, *(f"       {escape(reason)}" for reason in self.why), *numbered]


def foresee(path: Path, cloud: Cloud | None, shelf: Shelf, *, force: bool = False) -> tuple[Foreseen, ...]:
    """What a bake of a spec would do, bottom layer first. Asks a cloud only when one is given."""
    specs = layers(path)
    if cloud is None:
        why = ("no cloud answers: start the local one with `invoke local.up`, or give --cloud aws",)
        return tuple(Foreseen(spec, _steps(spec), None, "", why) for spec in specs)
    found: list[Foreseen] = []
    for spec in specs:
        base = found[-1].image_id if found else _public(cloud, spec)
        found.append(_layer(cloud, shelf, spec, base, fresh=force and spec is specs[-1]))
    return tuple(found)


def _layer(cloud: Cloud, shelf: Shelf, spec: Spec, base_id: str, *, fresh: bool) -> Foreseen:
    made_of = fingerprint(spec, base_id or _UNMADE)
    known = [one for one in images.same(cloud, made_of.digest) if one.state != FAILED] if base_id else []
    reusable = [one for one in known if one.state == VERIFIED and one.aws_state == "available"]
    if reusable and not fresh:
        return Foreseen(spec, _steps(spec), True, reusable[-1].id, ())  # noqa: FBT003 (a field)
    if fresh:
        why: Sequence[str] = ("--force bakes it anew",)
    elif known:
        why = (f"{known[0].id} of the same content is {known[0].aws_state} and not verified: it is joined",)
    else:
        why = _reasons(cloud, shelf, spec, made_of)
    return Foreseen(spec, _steps(spec), False, "", tuple(why))  # noqa: FBT003 (a field)


def _reasons(cloud: Cloud, shelf: Shelf, spec: Spec, made_of: Fingerprint) -> Sequence[str]:
    try:
        last = images.newest(cloud, spec.name)
    except ImageNotFound:
        return (f"there is no image of {spec.name!r} yet",)
    if last.fingerprint == made_of.digest:
        return (f"{last.id} has the same content, but is {last.state or 'of no known state'}",)
    return compared(last, shelf.read_manifest(last.id).get("inputs"), made_of)


def compared(last: Image, inputs: Mapping[str, str] | None, made_of: Fingerprint) -> Sequence[str]:
    """Why the newest image of a name does not do: the inputs that differ from its manifest's."""
    if not inputs:
        return (f"it differs from {last.id}, whose manifest is not on this desk",)
    return tuple(f"since {last.id}: {line}" for line in difference(inputs, made_of.inputs))


def _steps(spec: Spec) -> tuple[str, ...]:
    return tuple(step.describe() for step in plan(spec))


def _public(cloud: Cloud, spec: Spec) -> str:
    return images.public(cloud, str(spec.base), spec.architecture).id
