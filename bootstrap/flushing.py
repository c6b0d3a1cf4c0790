"""The last words of a node that leaves: its journal on the disk, its last lines and figures sent."""

from __future__ import annotations

from bootstrap.act import Act
from bootstrap.errors import BootstrapError
from bootstrap.metrics import beat


def flush(act: Act) -> None:
    """Write the journal to the disk, ship the logs and send the last figures. Raises ServiceError."""
    if act.dry_run:
        return
    act.run(["journalctl", "--sync"])
    try:
        beat(act)
    except BootstrapError as why:
        act.say(f"the last figures were not sent: {why}")
