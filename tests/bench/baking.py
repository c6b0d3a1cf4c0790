"""`invoke bake` as a user runs it: cold, after a change of the application, and with nothing changed."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.plan import plan
from bake.spec import layers
from bake.steps.venv import Venv
from bench.cloud import ROOT
from bench.errors import BenchError
from bench.figures import Figure, median
from bench.process import timed

if TYPE_CHECKING:
    from bench.cloud import Ground

_SHIPPED = ("bake", "bootstrap", "resizer", "tests/image")
_READING = ("Describe", "Get", "List", "Head")
_UNCHANGED_RUNS = 3


@dataclass(frozen=True)
class Called:
    """One `invoke` process: what it took, what it asked AWS for, and what it said."""

    seconds: float
    seconds_after_start: float
    calls: Mapping[str, int]
    document: dict[str, Any]

    @property
    def mutating(self) -> int:
        """How many calls changed something, or could have."""
        return sum(times for name, times in self.calls.items() if not name.split(":")[1].startswith(_READING))

    @property
    def verification_seconds(self) -> float:
        """The part that proving took."""
        phases: dict[str, float] = self.document["seconds"]
        return sum(seconds for phase, seconds in phases.items() if phase.startswith(("boot ", "test ")))


def measure(ground: Ground) -> tuple[tuple[Figure, ...], dict[str, Any]]:
    """The bake's figures, and the phases behind them. The public image and the wheels are there already."""
    spec = project(ground.folder / "project")
    fetch_wheels(spec)
    ground.say("cold: all layers from the public image")
    cold = invoke(ground, "bake", f"--spec={spec}")
    ground.say(f"{cold.seconds:.1f} s; now the application changes")
    with (spec.parent.parent / "resizer" / "app.py").open("a") as code:
        code.write("\n# another line\n")
    changed = invoke(ground, "bake", f"--spec={spec}")
    reused = [layer["reused"] for layer in changed.document["layers"]]
    if reused != [True, True, False]:
        raise BenchError(f"not the top layer alone was baked: {reused}")
    ground.say(f"{changed.seconds:.1f} s; now nothing changes")
    unchanged = [invoke(ground, "bake", f"--spec={spec}") for _ in range(_UNCHANGED_RUNS)]
    ground.say("the demonstration, that `invoke bake` ends with: a new node, then the same again")
    image = f"--image={changed.document['image_id']}"
    demo, demo_again = invoke(ground, "demo", image), invoke(ground, "demo", image)
    figures = (
        *_of_one("bake_cold", cold, 120),
        *_of_one("bake_application_changed", changed, 25),
        median("bake_unchanged_seconds", [one.seconds for one in unchanged]),
        median("bake_unchanged_after_start_seconds", [one.seconds_after_start for one in unchanged], 1),
        Figure("bake_unchanged_mutating_calls", max(one.mutating for one in unchanged), 0),
        Figure("demo_cold_seconds", demo.seconds),
        Figure("demo_unchanged_seconds", demo_again.seconds),
        Figure("demo_unchanged_mutating_calls", demo_again.mutating),
    )
    details = {"cold": cold, "application_changed": changed, "unchanged": unchanged[0], "demo": demo_again}
    return figures, {name: _told(called) for name, called in details.items()}


def project(folder: Path) -> Path:
    """A copy of what a bake reads, under a name that no image has yet. Returns the spec."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in _SHIPPED:
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    label = secrets.token_hex(3)
    for spec in layers(folder / "bake" / "resizer.toml"):
        text = spec.path.read_text()
        spec.path.write_text(text.replace(f'name = "{spec.name}"', f'name = "{spec.name}-{label}"', 1))
    return folder / "bake" / "resizer.toml"


def fetch_wheels(spec: Path) -> None:
    """Have the wheels of all layers on this computer: an index's speed is nobody's figure."""
    for layer in layers(spec):
        for step in plan(layer):
            if isinstance(step, Venv):
                step.wheels(step.lock, step.target)


def invoke(ground: Ground, *words: str) -> Called:
    """Run `invoke … --json` in a process of its own, and learn what it did."""
    counts = ground.folder / "counts.json"
    argv = [sys.executable, "-P", str(Path(__file__).with_name("counted.py")), *words, "--json"]
    ended = timed(argv, {**ground.environment, "BENCH_COUNTS": str(counts)}, ROOT)
    told = json.loads(counts.read_text())
    return Called(ended.seconds, told["seconds_after_start"], told["calls"], json.loads(ended.stdout))


def _of_one(name: str, called: Called, at_most: float) -> tuple[Figure, ...]:
    return (
        Figure(f"{name}_seconds", called.seconds, at_most),
        Figure(f"{name}_verification_seconds", called.verification_seconds),
        Figure(f"{name}_mutating_calls", called.mutating),
    )


def _told(called: Called) -> dict[str, Any]:
    return {
        "seconds": called.document.get("seconds", {}),
        "calls": dict(sorted(called.calls.items())),
    }
