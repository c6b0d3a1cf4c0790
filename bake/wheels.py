"""Wheels for another machine, fetched on this one and kept by the hash of their lock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bake.errors import LockError, tail
from bake.lock import Lock, Target, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

# Newest first; pip takes the first that a project offers.
_GLIBC = ("manylinux_2_38", "manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}


class Run(Protocol):
    """Starts a program and gives back how it ended."""

    def __call__(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run to the end; a non-zero exit code is a result."""
        ...


def run_captured(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with both streams captured."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def wheelhouse(lock: Lock, target: Target, cache: Path | None = None, run: Run = run_captured) -> Path:
    """A folder with exactly the wheels of `lock` that fit `target`; fetched at most once.

    `cache` is `$XDG_CACHE_HOME/amibake/wheels` by default. Raises LockError if pip cannot fetch them.
    """
    kept = (cache or default_cache()) / digest(lock, target)
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=kept.parent))
    try:
        _fetch(lock, target, draft, run)
        _settle(draft, kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return kept


def default_cache() -> Path:
    """Where wheels are kept unless a caller says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amibake" / "wheels"


def download_argv(lock_file: Path, target: Target, into: Path) -> list[str]:
    """The pip command that fetches a lock's wheels for `target`, whatever Python runs it."""
    machine = _MACHINE[target.architecture]
    platforms = [word for glibc in _GLIBC for word in ("--platform", f"{glibc}_{machine}")]
    abi = f"cp{target.python.replace('.', '')}"
    return [
        sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--require-hashes", "--only-binary=:all:",
        "--implementation", "cp", "--python-version", target.python,
        "--abi", abi, "--abi", "abi3", "--abi", "none", *platforms,
        "--dest", str(into), "-r", str(lock_file),
    ]  # fmt: skip


def _fetch(lock: Lock, target: Target, draft: Path, run: Run) -> None:
    lock_file = draft / "lock.txt"
    lock_file.write_text(lock.text)
    ended = run(download_argv(lock_file, target, draft))
    lock_file.unlink()
    if ended.returncode:
        raise LockError(
            f"{lock.name}: no wheels for Python {target.python}, {target.architecture}\n{tail(ended.stderr)}",
            hint="pin a version that has a wheel for that platform; if only the index is down, try again",
        )


def _settle(draft: Path, kept: Path) -> None:
    try:
        draft.replace(kept)
    except OSError:
        # Another bake was faster; its folder has the same content by name.
        if not kept.is_dir():
            raise
