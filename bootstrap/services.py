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
    """A systemd service."""

    unit: str
    run: Run

    def due(self, configured: datetime | None) -> tuple[str, list[str]]:
        """Return what is to be done, in words and as a command; empty words when nothing.

        It is started when it is not active, reloaded when it last changed before `configured`.
        Raises ServiceError when there is no such unit.
        """
        state, changed = self._state()
        if state not in ("active", "reloading"):
            return f"started {self.unit}", ["systemctl", "start", self.unit]
        if configured and changed < configured:
            return f"reloaded {self.unit}", ["systemctl", "reload-or-restart", self.unit]
        return "", []

    def active(self) -> bool:
        """Whether it runs. Raises ServiceError when there is no such unit."""
        return self._state()[0] in ("active", "reloading", "activating")

    def _state(self) -> tuple[str, datetime]:
        # A reload passes through `reloading`: the last change of state is the last reading of files.
        shown = self.run(
            [
                "systemctl", "show", "--timestamp=us+utc",
                "--property=LoadState,ActiveState,StateChangeTimestamp", self.unit,
            ]
        )  # fmt: skip
        facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if facts["LoadState"] != "loaded":
            raise ServiceError(
                f"{self.unit} is {facts['LoadState']}",
                hint="is its package in the image's spec, and the name in bootstrap.toml right?",
            )
        return facts["ActiveState"], _moment(facts["StateChangeTimestamp"])


def _moment(shown: str) -> datetime:
    """Read `Sun 2025-11-23 12:40:01.123456 UTC`; a unit that never changed shows nothing."""
    if not shown:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.strptime(shown, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
