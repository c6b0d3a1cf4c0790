"""The machine's name, its time zone and its clock."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootstrap.act import Act
from bootstrap.api import wrong_by
from bootstrap.errors import BootstrapError, InputsError
from bootstrap.managed_file import ManagedFile

_WRONG_SECONDS = 60
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_TIME_UNITS = ("chrony.service", "systemd-timesyncd.service")


@dataclass(frozen=True)
class Etc:
    """The files this is about, and the kernel's name of the machine."""

    hostname: Path = Path("/etc/hostname")
    localtime: Path = Path("/etc/localtime")
    zones: Path = Path("/usr/share/zoneinfo")
    get_name: Callable[[], str] = socket.gethostname
    set_name: Callable[[str], None] = socket.sethostname


def name_and_time(act: Act, etc: Etc = Etc()) -> None:
    """Have the name and the zone that the inputs give, and a clock that is kept right.

    Raises InputsError for a name or a zone that is none, FileError, ServiceError.
    """
    if name := act.text("HOSTNAME"):
        _name(act, etc, name)
    _zone(act, etc, act.text("TIME_ZONE", "UTC"))
    _keep_time(act)
    _compare_clock(act)


def _name(act: Act, etc: Etc, name: str) -> None:
    if len(name) > 64 or not _NAME.fullmatch(name):
        raise InputsError("HOSTNAME is no host name", "use lower-case letters, digits, dashes and dots")
    if etc.get_name() != name:
        act.change(f"named the host {name}", lambda: etc.set_name(name))
    act.file(ManagedFile(etc.hostname, f"{name}\n", 0o644, "root", "root"))


def _zone(act: Act, etc: Etc, zone: str) -> None:
    source = etc.zones / zone
    if ".." in zone.split("/") or not source.is_file():
        raise InputsError(
            f"TIME_ZONE: there is no zone {zone}", "see timedatectl list-timezones; UTC is safe"
        )
    if (
        etc.localtime.is_symlink()
        and (etc.localtime.parent / etc.localtime.readlink()).resolve() == source.resolve()
    ):
        return
    act.change(f"set the time zone to {zone}", lambda: _link(etc.localtime, source))


def _link(path: Path, to: Path) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(to)
    os.replace(draft, path)  # noqa: PTH105 - Path.replace does the same; the pair reads as one act


def _keep_time(act: Act) -> None:
    """Start what keeps the clock; in a container, whose clock is its host's, systemd itself lets it be."""
    shown = act.run(
        [
            "systemctl",
            "show",
            "--property=Id,LoadState,UnitFileState,ActiveState,ConditionResult",
            *_TIME_UNITS,
        ]
    )
    for block in shown.strip().split("\n\n"):
        facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        wanted = facts.get("LoadState") == "loaded" and facts.get("UnitFileState") == "enabled"
        if wanted and facts.get("ActiveState") == "inactive" and facts.get("ConditionResult") == "yes":
            unit = facts["Id"]
            act.change(f"started {unit}", lambda unit=unit: act.run(["systemctl", "start", unit]))  # type: ignore[misc]


def _compare_clock(act: Act) -> None:
    if not act.instance_id:
        return
    try:
        right = act.metadata.time()
    except BootstrapError as why:
        act.say(f"clock: not compared: {why}")
        return
    if right and abs((right - act.clock.now()).total_seconds()) > _WRONG_SECONDS:
        act.say(
            f"clock: {wrong_by(right - act.clock.now())}; is 169.254.169.123 (NTP) let out? chronyc tracking"
        )
