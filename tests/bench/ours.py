"""The steps of a spec and of those beneath it, on a machine that is there already: our converge loop alone.

    python ours.py SPEC ADDRESS USER KEY_FILE

Prints how many steps had to act.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.converge import converge
from bake.plan import plan
from bake.spec import layers
from bake.ssh import Login, connect

if TYPE_CHECKING:
    from bake.steps import Step


def steps_of(spec: Path) -> tuple[Step, ...]:
    """All layers' steps as one plan: of what several layers say of one thing, the uppermost counts."""
    told = (step for layer in layers(spec) for step in plan(layer))
    return tuple({_thing(step): step for step in told}.values())


def _thing(step: Step) -> object:
    path = getattr(step, "path", None)
    return (type(step), path) if path else step


def main(argv: Sequence[str]) -> None:
    """Converge."""
    spec, address, user, key_file = argv
    with connect(Login(address, user, key_file=Path(key_file))) as machine:
        report = converge(machine, steps_of(Path(spec)))
    print(f"changed={len(report.changed)}")  # noqa: T201 - what the benchmark reads


if __name__ == "__main__":
    main(sys.argv[1:])
