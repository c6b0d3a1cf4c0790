"""What a desk spends on a thousand nodes: calls, CPU and memory of its commands, on records alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.figures import Figure

if TYPE_CHECKING:
    from bench.cloud import Records

SIZES = (100, 1000)
COMMANDS = ("up", "plan", "status", "roll")
_CPU_SECONDS, _BYTES = 10.0, 300_000_000
_BUDGET_SECONDS = 900


def measure(records: Records) -> tuple[tuple[Figure, ...], dict[str, Any]]:
    """Figures of each command and size, and the calls of each by name."""
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for size in SIZES:
        for command in (*COMMANDS, "down"):
            told = _run(records, command, size)
            records.say(f"{size} nodes, {command}: {json.dumps(told)}")
            if command in COMMANDS:
                details[f"{command}_of_{size}"] = told["calls"]
                figures += _figures(f"{command}_of_{size}", told, size)
    return (*figures, *(_growth(figures, command) for command in COMMANDS)), details


def _figures(name: str, told: Any, size: int) -> list[Figure]:
    largest = size == max(SIZES)
    return [
        Figure(f"{name}_calls", sum(told["calls"].values())),
        Figure(f"{name}_cpu_seconds", told["cpu_seconds"], _CPU_SECONDS if largest else None),
        Figure(f"{name}_bytes", told["bytes"], _BYTES if largest else None),
        Figure(f"{name}_seconds", told["seconds"]),
    ]


def _growth(figures: list[Figure], command: str) -> Figure:
    """Ten times the nodes are not ten times the calls, but for those that are pages of nodes."""
    few, many = (
        next(one.value for one in figures if one.name == f"{command}_of_{size}_calls") for size in SIZES
    )
    return Figure(f"{command}_calls_ratio_1000_to_100", many / few, 4.0)


def _run(records: Records, command: str, size: int) -> Any:
    """One command in a process of its own, whose CPU and memory are its alone."""
    argv = [sys.executable, "-m", "bench.desk", command, str(size), *records.images]
    ended = subprocess.run(
        argv,
        cwd=records.root / "tests",
        env={**os.environ, "PYTHONPATH": f"{records.root}:{records.root / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUDGET_SECONDS,
    )
    if ended.returncode:
        raise BenchError(f"{command} of {size} nodes: {ended.stderr[-800:]}")
    return json.loads(ended.stdout)
