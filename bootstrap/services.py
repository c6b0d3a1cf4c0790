"""systemd services that must run, and run on the configuration that is on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bootstrap.errors import ServiceError

Run = Callable[[Sequence[str]], str]
LONGEST_COMMAND_SECONDS = 90


def run(argv: Sequence[str]) -> str:
    """Run a command and return its output. Raises ServiceError with what it complained of."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=True, timeout=LONGEST_COMMAND_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        raise ServiceError(f"{' '.join(argv)}: {why}") from why
    except subprocess.CalledProcessError as why:
        raise ServiceError(
            f"{' '.join(argv)}: exit {why.returncode}: {' '.join(why.stderr.split())}",
            hint=f"journalctl -b -u {argv[-1]}",
        ) from why
    return done.stdout


@dataclass(frozen=True)
class Service:
    """A systemd service as it was found; `changed` is when it last began to be so."""

    unit: str
    state: str
    changed: datetime

    @property
    def active(self) -> bool:
        """Whether it runs, or begins to."""
        return self.state in ("active", "reloading", "activating")

    def due(self, configured: datetime | None) -> tuple[str, list[str]]:
        """Return what is to be done, in words and as a command; empty words when nothing.

        It is started when it is not active, reloaded when it last changed before `configured`.
        """
        if self.state not in ("active", "reloading"):
            return f"started {self.unit}", ["systemctl", "start", self.unit]
        if configured and self.changed < configured:
            return f"reloaded {self.unit}", ["systemctl", "reload-or-restart", self.unit]
        return "", []


def look(units: Sequence[str], run: Run) -> list[Service]:
    """Return how these services are, in their order. Raises ServiceError when there is no such unit."""
    if not units:
        return []
    # A reload passes through `reloading`: the last change of state is the last reading of files.
    shown = run(
        [
            "systemctl", "show", "--timestamp=us+utc",
            "--property=LoadState,ActiveState,StateChangeTimestamp", *units,
        ]
    )  # fmt: skip
    return [_found(unit, block) for unit, block in zip(units, shown.strip().split("\n\n"), strict=True)]


def _found(unit: str, block: str) -> Service:
    facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    if facts["LoadState"] != "loaded":
        raise ServiceError(
            f"{unit} is {facts['LoadState']}",
            hint="is its package in the image's spec, and the name in bootstrap.toml right?",
        )
    return Service(unit, facts["ActiveState"], _moment(facts["StateChangeTimestamp"]))


def _moment(shown: str) -> datetime:
    """Read `Sun 2025-11-23 12:40:01.123456 UTC`; a unit that never changed shows nothing."""
    if not shown:
        return datetime.min.replace(tzinfo=UTC)
    # Not strptime, whose first call takes longer than all else that is done here.
    return datetime.fromisoformat(" ".join(shown.split()[1:3])).replace(tzinfo=UTC)
