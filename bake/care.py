"""How a builder is treated when something goes wrong, or when a person wants a look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bake.errors import BakeError, NoSuchStep, NoTerminal

if TYPE_CHECKING:
    from bake.progress import Progress
    from bake.steps import Step

CLEANUP, KEEP, ASK = "cleanup", "keep", "ask"


@dataclass(frozen=True)
class Care:
    """What the person at the desk asked for."""

    on_error: str = CLEANUP
    keep_builder: bool = False
    pause_before: str = ""
    """A step's number, or a part of its description."""

    @classmethod
    def wanted(cls, on_error: str, pause_before: str, *, keep_builder: bool, terminal: bool) -> Care:
        """The care asked for. Raises BakeError for an unknown word, NoTerminal where nobody can answer."""
        if on_error not in (CLEANUP, KEEP, ASK):
            raise BakeError(f"--on-error cannot be {on_error!r}", f"choose one of: {CLEANUP}, {KEEP}, {ASK}")
        asking = "--on-error ask" if on_error == ASK else "--pause-before" if pause_before else ""
        if asking and not terminal:
            raise NoTerminal(
                f"{asking} asks a question, but standard input is no terminal",
                "run it in a terminal, or use --on-error keep and log in afterwards",
            )
        return cls(on_error, keep_builder, pause_before)

    def keeps(self, progress: Progress, why: BaseException | None) -> bool:
        """Whether the builder stays, after an error or, with none, at a good end."""
        if self.keep_builder or why is None:
            return self.keep_builder
        if self.on_error == ASK:
            progress.note(f"{type(why).__name__}: {why}")
            return progress.ask("Keep the builder to look at it? [y/N]").lower() in ("y", "yes")
        return self.on_error == KEEP


def pause_at(steps: Sequence[Step], wanted: str) -> int | None:
    """Which step to pause before, counted from 0; None when it is none of these or none is wanted."""
    if wanted.isdigit():
        return int(wanted) - 1 if 0 < int(wanted) <= len(steps) else None
    matching = (at for at, step in enumerate(steps) if wanted.lower() in step.describe().lower())
    return next(matching, None) if wanted else None


def pauses(plans: Sequence[Sequence[Step]], wanted: str) -> tuple[int | None, ...]:
    """Where to pause in each layer's plan; a number counts in the top layer's. Raises NoSuchStep."""
    lower = [None if wanted.isdigit() else pause_at(steps, wanted) for steps in plans[:-1]]
    found = (*lower, pause_at(plans[-1], wanted))
    if wanted and found == (None,) * len(found):
        raise NoSuchStep(
            f"no step is {wanted!r}: --pause-before takes a number from 1 to {len(plans[-1])}"
            " or a part of a step's description",
            "`invoke bake --dry-run` lists them",
        )
    return found
