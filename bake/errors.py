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
├── ImageAmbiguous       a name that means two images at once
├── ImageNameTaken       the account has another image of that name
├── ImageInUse           an image that somebody still needs was to go
├── NoManifest           this desk does not have an image's manifest
├── NothingToResume      no image of this content is under way
├── Outrun               another run makes the same image, and was first
├── NoTerminal           a question would have to be asked, and nobody can answer
├── NoSuchStep           no step of the plan is the one to pause before
└── MachineError
    ├── SshUnreachable   no login within the budget
    ├── HostKeyMismatch  somebody else answered
    ├── MachineLost      the connection dropped under a running script
    └── TookTooLong      a script outlived its time limit
"""

from __future__ import annotations

import re

TAIL_LINES = 12
_NO_SPACE = re.compile(r"no space left on device|ENOSPC|not enough free space", re.IGNORECASE)
_DISK_FULL = "the builder's disk is full: raise `root_volume_gib` in the spec, or install less"


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
        full = _NO_SPACE.search(output) is not None
        super().__init__(
            f"{step}: exit code {exit_code}\n{tail(output)}".rstrip(), _DISK_FULL if full else hint
        )
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


class ImageAmbiguous(BakeError):
    """A name that means two images at once."""


class ImageNameTaken(BakeError):
    """The account has another image of that name."""


class ImageInUse(BakeError):
    """An image that somebody still needs was to go."""


class NoManifest(BakeError):
    """This desk does not have an image's manifest."""


class NothingToResume(BakeError):
    """No image of this content is under way."""


class Outrun(BakeError):
    """Another run makes the same image, and was first."""


class NoTerminal(BakeError):
    """A question would have to be asked, and nobody can answer."""


class NoSuchStep(BakeError):
    """No step of the plan is the one to pause before."""


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
