"""What decides an image's content, as one number."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bake import cleanup
from bake.plan import plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bake.spec import Spec
    from bake.steps import Step

# Raise it when the same inputs would give another image because this toolkit changed.
SCHEMA = 1


@dataclass(frozen=True)
class Fingerprint:
    """`digest` over `inputs`: each input's name with its own digest or value."""

    digest: str
    inputs: Mapping[str, str]


def fingerprint(spec: Spec, base_image_id: str) -> Fingerprint:
    """The fingerprint of one layer on a resolved base image.

    The instance type does not count: the same image comes out of any builder. Raises what `plan` raises.
    """
    steps = plan(spec)
    inputs = {
        "toolkit": str(SCHEMA),
        "base image": base_image_id,
        "name": spec.name,
        "architecture": spec.architecture,
        "root volume": f"{spec.root_volume_gib} GiB",
        "clean-up": _digest(cleanup.SCRIPT),
        "order of steps": _digest([label(step) for step in steps]),
        **_named(steps),
    }
    return Fingerprint(_digest(inputs), inputs)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """One line for each input that came, went or changed between two fingerprints."""
    lines = [f"{name} is gone" for name in old if name not in new]
    lines += [f"{name} is new" for name in new if name not in old]
    lines += [
        f"{name} changed: {old[name][:12]} -> {new[name][:12]}"
        for name in old
        if old[name] != new.get(name, old[name])
    ]
    return sorted(lines)


def _named(steps: Iterable[Step]) -> dict[str, str]:
    seen: Counter[str] = Counter()
    inputs = {}
    for step in steps:
        name = label(step)
        seen[name] += 1
        inputs[f"{name} ({seen[name]})" if seen[name] > 1 else name] = _digest(_plain(step))
    return inputs


def label(step: Step) -> str:
    """A step's name that stays the same when its content changes, so that a difference is a change."""
    values = [getattr(step, field.name) for field in dataclasses.fields(step)]  # type: ignore[arg-type]
    first = values[0] if values and isinstance(values[0], str) else ""
    return f"step {type(step).__name__.lower()} {' '.join(first.split())}".rstrip()


def _plain(value: object) -> object:
    """`value` as JSON can hold it; fields that do not count in a comparison do not count here."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.compare
        }
        return {type(value).__name__: kept}
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
