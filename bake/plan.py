"""From a spec to the steps that make it true; reading files, touching nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bake.errors import BakeError, PlanError
from bake.steps import KINDS
from bake.steps.file import File
from bake.steps.option import Desk

if TYPE_CHECKING:
    from bake.spec import Spec, StepTable
    from bake.steps import Step

# Debian's maintainer scripts ask this file before they start a service; 101 means "not allowed".
# A service that ran on the builder would leave caches, keys and logs in the image. The clean-up ends this.
HOLD_SERVICES = File("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n", mode=0o755)


def plan(spec: Spec) -> tuple[Step, ...]:
    """The steps of this layer alone, in order; printing their descriptions is the dry run.

    Raises RenderError, LockError, SpecError or PlanError, each naming the spec and the step.
    """
    desk = Desk(
        (("architecture", spec.architecture), ("name", spec.name), *spec.variables), spec.architecture
    )
    steps = [_build(spec, number, table, desk) for number, table in enumerate(spec.steps, 1)]
    return (HOLD_SERVICES, *steps)


def _build(spec: Spec, number: int, table: StepTable, desk: Desk) -> Step:
    try:
        return KINDS[table.kind].build(table.options, desk)
    except BakeError as why:
        raise type(why)(f"{spec.path}: step {number}: {why}", why.hint) from why
    except OSError as why:
        raise PlanError(
            f"{spec.path}: step {number}: {why}", hint="make the file readable, then plan again"
        ) from why
