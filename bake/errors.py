"""Everything that can go wrong while baking: a sentence, and in `hint` the next step to take.

BakeError
├── SpecError            a spec file says something it cannot mean
├── RenderError          a template asks for what nobody defined
├── LockError            a lock file is unsafe, or its wheels cannot be had
├── PlanError            the spec is well-formed, but no plan follows from it
├── StepFailed           a step's act ended badly on the machine
├── NotConverged         a step's act ended well, yet its probe still says no
├── CleanupIncomplete    traces of the build would have gone into the image
├── CloudInitFailed      the builder's own first boot went wrong
├── BaseNotFound         the base image a spec names is not to be had
├── ImageNotFound        no such image of ours
├── ImageFailed          AWS could not make the image
├── NotVerified          a fresh boot of the image did not pass its tests
└── MachineError
    ├── SshUnreachable   no login within the budget
    ├── HostKeyMismatch  somebody else answered
    ├── MachineLost      the connection dropped under a running script
    └── TookTooLong      a script outlived its time limit
"""

from __future__ import annotations

TAIL_LINES = 12


class BakeError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class SpecError(BakeError):
    """A spec file says something it cannot mean."""


class RenderError(BakeError):
    """A template asks for what nobody defined, or cannot be read."""


class LockError(BakeError):
    """A lock file is unsafe, or its wheels cannot be had."""


class PlanError(BakeError):
    """The spec is well-formed, but no plan follows from it."""


class StepFailed(BakeError):
    """A step's act ended badly on the machine."""

    def __init__(self, step: str, exit_code: int, output: str, hint: str = "") -> None:
        super().__init__(f"{step}: exit code {exit_code}\n{tail(output)}".rstrip(), hint)
        self.step = step
        self.exit_code = exit_code


class NotConverged(BakeError):
    """A step's act ended well, yet its probe still says no."""


class CleanupIncomplete(BakeError):
    """Traces of the build would have gone into the image."""


class CloudInitFailed(BakeError):
    """The builder's own first boot went wrong."""


class BaseNotFound(BakeError):
    """The base image a spec names is not to be had."""


class ImageNotFound(BakeError):
    """No such image of ours."""


class ImageFailed(BakeError):
    """AWS could not make the image."""


class NotVerified(BakeError):
    """A fresh boot of the image did not pass its tests."""


class MachineError(BakeError):
    """The machine cannot be reached or no longer answers."""


class SshUnreachable(MachineError):
    """No login within the budget."""


class HostKeyMismatch(MachineError):
    """The machine that answered does not hold the expected host key."""


class MachineLost(MachineError):
    """The connection dropped under a running script."""


class TookTooLong(MachineError):
    """A script outlived its time limit."""


def tail(output: str, lines: int = TAIL_LINES) -> str:
    """The last `lines` lines of `output`, indented for an error message."""
    return "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-lines:])
