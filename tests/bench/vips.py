"""libvips without a server: what decoding, scaling and encoding alone cost, from file to file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import cpu
from bench.errors import BenchError
from bench.programs import programs

_SCRIPT = Path(__file__).with_name("thumbnails.py")


@dataclass(frozen=True)
class Vips:
    """A process that makes thumbnails of a folder's originals, into another folder."""

    process: subprocess.Popen[str]
    originals: Path
    results: Path

    def result(self, width: int, key: str) -> bytes:
        """One thumbnail."""
        result = self.results / f"{width}-{key}"
        line, answers = self.process.stdin, self.process.stdout
        if line is None or answers is None:
            raise BenchError("there is no way to the process with libvips")
        line.write(f"{width}\t{self.originals / key}\t{result}\n")
        line.flush()
        answer = answers.readline().strip()
        if answer != "done":
            raise BenchError(f"libvips made nothing of {key}: {answer or 'it has ended'}")
        return result.read_bytes()

    def cost(self, width: int, keys: Sequence[str]) -> float:
        """CPU milliseconds of one result."""
        before = cpu.cpu_seconds([self.process.pid])
        for key in keys:
            self.result(width, key)
        return (cpu.cpu_seconds([self.process.pid]) - before) / len(keys) * 1000


@contextmanager
def vips(folder: Path, originals: Path) -> Iterator[Vips]:
    """libvips for a block, on one thread, as a server with a process for each core would have it."""
    results = folder / "vips"
    results.mkdir()
    python = programs("pyvips==3.2.0", "pyvips-binary==8.18.7") / "python"
    environment = os.environ | {"VIPS_CONCURRENCY": "1"}
    with subprocess.Popen(
        [str(python), str(_SCRIPT)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        try:
            yield Vips(process, originals, results)
        finally:
            process.kill()
