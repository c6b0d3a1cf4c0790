"""What people see while something long runs: phases with their seconds, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.status import Status


@dataclass(frozen=True)
class Timing:
    """One phase and what it took."""

    phase: str
    seconds: float


class Progress:
    """Announces phases as they start and end, and keeps their timings."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._timings: list[Timing] = []
        self._spinner: Status | None = None

    @property
    def timings(self) -> tuple[Timing, ...]:
        """The phases that have ended, in order."""
        return tuple(self._timings)

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Time a block; a spinner where there is a terminal, one line when it is over."""
        plain, title = title, escape(title)
        started = self._clock()
        status = self._console.status(title)
        if self._console.is_terminal:
            status.start()
        outer, self._spinner = self._spinner, status
        try:
            yield
        except BaseException:
            self._spinner = outer
            status.stop()
            self._console.print(
                f"[red]✗[/] {title}  [dim]{self._clock() - started:.1f} s[/]", highlight=False, soft_wrap=True
            )
            raise
        self._spinner = outer
        status.stop()
        seconds = self._clock() - started
        self._timings.append(Timing(plain, seconds))
        self._console.print(f"[green]✓[/] {title}  [dim]{seconds:.1f} s[/]", highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something beside the phases."""
        self._console.print(f"  [dim]{escape(text)}[/]", highlight=False, soft_wrap=True, markup=True)

    def ask(self, question: str) -> str:
        """Ask the person at the terminal, the spinner resting; an answer that never comes is empty."""
        if self._spinner:
            self._spinner.stop()
        try:
            return self._console.input(f"[bold]{escape(question)}[/] ").strip()
        except EOFError:
            return ""
        finally:
            if self._spinner and self._console.is_terminal:
                self._spinner.start()
