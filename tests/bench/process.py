"""Whole processes, timed from their start to their end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

_LONGEST_SECONDS = 900


@dataclass(frozen=True)
class Ended:
    """A process that has ended well."""

    seconds: float
    stdout: str
    stderr: str


def timed(argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
    """Run a program to its end. Raises BenchError with its last lines when it ends badly."""
    started = time.perf_counter()
    ended = subprocess.run(
        argv, env=environment, cwd=folder, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=_LONGEST_SECONDS,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if ended.returncode:
        raise BenchError(
            f"`{' '.join(argv)}` ended with {ended.returncode}\n{(ended.stdout + ended.stderr)[-3000:]}",
            "run it by hand; a benchmark of something broken says nothing",
        )
    return Ended(seconds, ended.stdout, ended.stderr)
