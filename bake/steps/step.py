"""What a step is: it knows its name, its test and its act."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from bake.errors import StepFailed

if TYPE_CHECKING:
    from bake.machine import Machine, Result

# The longest single act is an apt-get run over a slow mirror.
STEP_SECONDS = 1800.0


class Step(Protocol):
    """One thing that shall be so on the machine; frozen, comparable, and without effects until applied."""

    def describe(self) -> str:
        """A stable line for people: what shall be so, with no path of this computer in it."""
        ...

    def probe(self) -> str:
        """A read-only sh script that exits 0 exactly if it is already so."""
        ...

    def apply(self, machine: Machine) -> None:
        """Make the probe true. Raises StepFailed."""
        ...


def check(step: Step, machine: Machine) -> bool:
    """Whether what `step` wants is already so on `machine`; changes nothing."""
    return machine.run(step.probe()).ok


def must(step: Step, machine: Machine, script: str, hint: str = "") -> Result:
    """Run `script` for `step`. Raises StepFailed if it ends badly."""
    result = machine.run(script, timeout_seconds=STEP_SECONDS)
    if not result.ok:
        raise StepFailed(step.describe(), result.exit_code, result.output, hint)
    return result


def upload(machine: Machine, content: bytes) -> str:
    """Put `content` on the machine under a name made from it, and say where it is."""
    path = f"/tmp/amibake-{sha256(content)[:16]}"  # noqa: S108 - on a builder that is ours alone
    machine.put(content, path)
    return path


def sha256(content: bytes) -> str:
    """The SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
