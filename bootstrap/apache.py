"""The services of a node, running on the configuration that is on disk, and answering; and their end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bootstrap import settings as settings_file
from bootstrap.act import Act
from bootstrap.health import fault, wait_until_healthy
from bootstrap.rendering import SETTINGS, newest
from bootstrap.services import look


def serve(act: Act) -> None:
    """Have the services run and the health URL answer 200. Raises ServiceError or NotHealthyError."""
    settings = settings_file.load(Path(act.text("BOOTSTRAP_SETTINGS", SETTINGS)))
    written = newest(settings)
    configured = datetime.fromtimestamp(written, UTC) if written else None
    acted = False
    waiting = look(act.texts("SERVICES"), act.run)
    while waiting:
        first, *waiting = waiting
        what, argv = first.due(configured)
        if what:
            act.change(what, lambda argv=argv: act.run(argv))  # type: ignore[misc]
            acted = True
            # One may have taken others along.
            waiting = look([one.unit for one in waiting], act.run)
    if not (act.dry_run and acted):
        healthy(act)


def healthy(act: Act) -> None:
    """Wait until the health URL answers 200. Raises NotHealthyError."""
    url = act.text("HEALTH_URL")
    if not url:
        return
    if act.dry_run:
        if why := fault(url, act.ask):
            act.say(f"{url} does not answer 200 now: {why}")
        return
    wait_until_healthy(url, act.number("HEALTH_BUDGET_SECONDS", 30), act.ask, act.clock)


def stop(act: Act) -> None:
    """Stop the services that run. Raises ServiceError."""
    if act.text("DECOM_REASON") in ("reboot", "shutdown"):
        # systemd stops them after this script's own unit, so that who waits for it here waits for himself.
        act.say("systemd stops them, right after this")
        return
    for one in reversed(look(act.texts("SERVICES"), act.run)):
        if one.active:
            act.change(f"stopped {one.unit}", lambda unit=one.unit: act.run(["systemctl", "stop", unit]))  # type: ignore[misc]
