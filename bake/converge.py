"""The loop that changes the world, and checks its own work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from bake.errors import MachineError, NotConverged, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bake.machine import Machine
    from bake.steps import Step

# A simulated upgrade is the slowest probe; on a small builder with a cold disk it takes several seconds.
PROBE_SECONDS = 300.0


@dataclass(frozen=True)
class Outcome:
    """One step's part: whether it had to act, and for how long."""

    step: str
    changed: bool
    seconds: float


@dataclass(frozen=True)
class Report:
    """All outcomes, in the order of the steps."""

    outcomes: tuple[Outcome, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """The steps that had to act; empty when everything was so already."""
        return tuple(outcome.step for outcome in self.outcomes if outcome.changed)


def converge(
    machine: Machine,
    steps: Sequence[Step],
    on_step: Callable[[Outcome], None] = lambda _: None,
    on_apply: Callable[[Step], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Make every step so; in one round trip if all are so already.

    `on_apply` hears of a step before it acts, `on_step` of each outcome in order.
    Raises StepFailed, NotConverged or MachineError; what was done until then stays done.
    """
    outcomes: list[Outcome] = []

    def ended(step: Step, *, changed: bool, seconds: float) -> None:
        outcomes.append(Outcome(step.describe(), changed, seconds))
        on_step(outcomes[-1])

    held = holding(machine, steps)
    while True:
        for step in steps[len(outcomes) : len(outcomes) + held]:
            ended(step, changed=False, seconds=0.0)
        if len(outcomes) == len(steps):
            break
        step, started = steps[len(outcomes)], clock()
        on_apply(step)
        step.apply(machine)
        # Later steps are asked anew: this one may have made them so, or undone them.
        held = holding(machine, steps[len(outcomes) :]) - 1
        _insist(step, holds=held >= 0)
        ended(step, changed=True, seconds=clock() - started)
    report = Report(tuple(outcomes))
    if report.changed:
        _still(machine, steps)
    return report


def holding(machine: Machine, steps: Sequence[Step]) -> int:
    """How many steps, from the first on, are so already: asked in one round trip, which changes nothing."""
    if not steps:
        return 0
    result = machine.run(probe_script(steps), timeout_seconds=PROBE_SECONDS)
    answers = [line.split()[1:3] for line in result.stdout.splitlines() if line.startswith("probe ")]
    held = sum(code == "0" for _, code in answers)
    if held < len(steps) and (not answers or answers[-1] == [str(len(answers) - 1), "0"]):
        raise MachineError(
            f"{len(steps)} probes gave {len(answers)} answers\n{tail(result.output)}",
            hint="can the login user run `sudo -n sh`?",
        )
    return held


def probe_script(steps: Sequence[Step]) -> str:
    """One script that runs each probe in a shell of its own, so that none can break another.

    It ends at the first that fails: that step is to be applied next, and those after it asked again then.
    """
    return "".join(
        f"sh -c {quote(step.probe())} >/dev/null 2>&1 </dev/null\n"
        f"code=$?; echo probe {number} $code; test $code = 0 || exit 0\n"
        for number, step in enumerate(steps)
    )


def _insist(step: Step, *, holds: bool) -> None:
    if not holds:
        raise NotConverged(
            f"{step.describe()}: it was applied without an error, but is still not so",
            hint=f"run its probe on the machine by hand: {step.probe()[:300]}",
        )


def _still(machine: Machine, steps: Sequence[Step]) -> None:
    """One last look at all of it: a later step may have undone an earlier one."""
    held = holding(machine, steps)
    if held < len(steps):
        raise NotConverged(
            f"{steps[held].describe()}: it was so, and a later step undid it",
            hint="put the two in an order that lasts, or make them agree",
        )
