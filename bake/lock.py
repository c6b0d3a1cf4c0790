"""Lock files: every requirement pinned, every wheel known by its hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bake.errors import LockError

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_HINT = "make the lock with `uv pip compile --generate-hashes --only-binary :all: --no-emit-index-url`"


@dataclass(frozen=True)
class Requirement:
    """One pinned package; `name` is in the normal form of PyPI."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Lock:
    """A whole lock file; `name` is only for people."""

    name: str
    text: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Target:
    """The Python that shall import the wheels: its version, such as 3.13, and x86_64 or arm64."""

    python: str
    architecture: str


def parse(text: str, name: str = "lock") -> Lock:
    """Read a lock file. Raises LockError naming the requirement that has no hash or no exact version."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.partition("#")[0].strip() for line in joined.splitlines()]
    requirements = tuple(_requirement(line, name) for line in lines if line)
    if not requirements:
        raise LockError(f"{name}: it locks nothing", hint=_HINT)
    return Lock(name, text, requirements)


def digest(lock: Lock, target: Target) -> str:
    """The name of the lock's wheels for one target: SHA-256 over the lock's text and the target."""
    return hashlib.sha256(f"{target.python} {target.architecture}\n{lock.text}".encode()).hexdigest()


def _requirement(line: str, name: str) -> Requirement:
    pinned = _PINNED.match(line)
    if line.startswith("-") or not pinned:
        raise LockError(
            f"{name}: `{line.split(maxsplit=1)[0]}` is not a requirement pinned with ==", hint=_HINT
        )
    hashes = tuple(_HASH.findall(line))
    if not hashes:
        raise LockError(f"{name}: {pinned[1]} {pinned[2]} has no --hash", hint=_HINT)
    return Requirement(re.sub(r"[-_.]+", "-", pinned[1]).lower(), pinned[2], hashes)
