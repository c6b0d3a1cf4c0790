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
    holds = probe_all(machine, steps)
    outcomes = []
    for number, step in enumerate(steps):
        started = clock()
        changed = not holds[number]
        if changed:
            on_apply(step)
            step.apply(machine)
            # Later steps are asked anew: this one may have made them so, or undone them.
            holds[number:] = probe_all(machine, steps[number:])
            _insist(step, holds=holds[number])
        outcomes.append(Outcome(step.describe(), changed, clock() - started))
        on_step(outcomes[-1])
    if any(outcome.changed for outcome in outcomes):
        _still(machine, steps)
    return Report(tuple(outcomes))


def probe_all(machine: Machine, steps: Sequence[Step]) -> list[bool]:
    """Whether each step is so already, asked in one round trip; changes nothing."""
    if not steps:
        return []
    result = machine.run(probe_script(steps), timeout_seconds=PROBE_SECONDS)
    answers = dict(line.split()[1:3] for line in result.stdout.splitlines() if line.startswith("probe "))
    if len(answers) != len(steps):
        raise MachineError(
            f"{len(steps)} probes gave {len(answers)} answers\n{tail(result.output)}",
            hint="can the login user run `sudo -n sh`?",
        )
    return [answers[str(number)] == "0" for number in range(len(steps))]


def probe_script(steps: Sequence[Step]) -> str:
    """One script that runs every probe in a shell of its own, so that none can break another."""
    return "".join(
        f"sh -c {quote(step.probe())} >/dev/null 2>&1 </dev/null; echo probe {number} $?\n"
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
    undone = [step for step, holds in zip(steps, probe_all(machine, steps), strict=True) if not holds]
    if undone:
        raise NotConverged(
            f"{undone[0].describe()}: it was so, and a later step undid it",
            hint="put the two in an order that lasts, or make them agree",
        )
