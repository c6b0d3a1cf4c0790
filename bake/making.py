"""A builder brought to what its plan says: pausing where a person wants to look, surviving one reboot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bake.converge import Outcome, Report, converge
from bake.errors import MachineLost
from bake.manifest import packages

if TYPE_CHECKING:
    from bake.builder import Builder
    from bake.kitchen import Kitchen
    from bake.machine import Machine
    from bake.steps import Step


@contextmanager
def made(
    kitchen: Kitchen, site: Builder, steps: Sequence[Step], title: str, pause: int | None = None
) -> Iterator[tuple[Machine, Report, dict[str, str]]]:
    """The converged machine, what converging it took, and the packages it has now.

    A machine that is lost on the way, by a reboot for one, is reached again once, and converged from where
    it stands: steps that are so already cost nothing. Raises MachineLost for the second loss.
    """
    with ExitStack() as line:
        machine = line.enter_context(site.reached())
        with kitchen.progress.phase(f"converge {len(steps)} steps of {title}"):
            try:
                report = _converged(kitchen, site, machine, steps, pause)
            except MachineLost as why:
                line.close()
                kitchen.progress.note(f"{why}: reaching it again, once")
                machine = line.enter_context(site.reached())
                report = _converged(kitchen, site, machine, steps, None)
            installed = packages(machine)
        yield machine, report, installed


def _converged(
    kitchen: Kitchen, site: Builder, machine: Machine, steps: Sequence[Step], pause: int | None
) -> Report:
    ended = 0

    def tell(outcome: Outcome) -> None:
        nonlocal ended
        ended += 1
        if outcome.changed:
            kitchen.progress.note(f"{outcome.step}  {outcome.seconds:.1f} s")
        if ended == pause:
            _pause(kitchen, site, steps[ended])

    if pause == 0:
        _pause(kitchen, site, steps[0])
    return converge(machine, steps, on_step=tell)


def _pause(kitchen: Kitchen, site: Builder, before: Step) -> None:
    kitchen.progress.note(f"paused before: {before.describe()}")
    kitchen.progress.note(site.access.write(site.login, site.key))
    kitchen.progress.ask("Press Enter to go on")
