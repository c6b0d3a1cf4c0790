"""Why systemd stops things now: a reboot, a shutdown, or somebody stopping one service."""

from __future__ import annotations

from typing import Literal

from bootstrap.services import Run

Going = Literal["reboot", "shutdown", ""]
_REBOOTS = ("reboot.target", "kexec.target", "soft-reboot.target")
_SHUTDOWNS = ("poweroff.target", "halt.target", "exit.target", "final.target", "shutdown.target")


def going_down(run: Run) -> Going:
    """Return whether the machine reboots or shuts down; nothing while it stays up. Raises ServiceError."""
    started = {
        fields[1]
        for line in run(["systemctl", "list-jobs", "--plain", "--no-legend"]).splitlines()
        if len(fields := line.split()) >= 3 and fields[2] == "start"
    }
    # shutdown.target is part of both, so what is said of reboots comes first.
    if started.intersection(_REBOOTS):
        return "reboot"
    return "shutdown" if started.intersection(_SHUTDOWNS) else ""
