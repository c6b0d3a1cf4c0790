"""Waiting until the node's health URL answers 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootstrap.errors import NotHealthyError

if TYPE_CHECKING:
    from bootstrap.clock import Clock
    from bootstrap.web import Ask

PAUSE_SECONDS = 0.2
LONGEST_ANSWER_SECONDS = 5.0


def wait_until_healthy(url: str, budget_seconds: float, ask: Ask, clock: Clock) -> None:
    """Return once `url` answers 200. Raises NotHealthyError with the last answer when the budget is spent."""
    end = clock.monotonic() + budget_seconds
    while (last := fault(url, ask)) is not None:
        if clock.monotonic() + PAUSE_SECONDS >= end:
            raise NotHealthyError(
                f"{url} did not answer 200 within {budget_seconds:g} s; last: {last}",
                hint="journalctl -b -u apache2, /var/log/apache2/error.log; then node-bootstrap boot",
            )
        clock.sleep(PAUSE_SECONDS)


def fault(url: str, ask: Ask) -> str | None:
    """Return why `url` does not answer 200, None when it does."""
    try:
        status = ask("GET", url, LONGEST_ANSWER_SECONDS).status
    except OSError as why:
        return str(why)
    return None if status == 200 else f"status {status}"
