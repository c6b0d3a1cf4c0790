"""A control group for each machine, so that it can be ended whole, also by a daemon started later."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import NotPossibleHere
from localcloud.site import Site


def unified_mount(mounts: str | None = None) -> Path:
    """Where the unified hierarchy is mounted, alone or beside the old one."""
    for line in (mounts if mounts is not None else Path("/proc/mounts").read_text()).splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise NotPossibleHere(
        "no unified control group hierarchy (cgroup2) is mounted here",
        "mount it: mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


@dataclass(frozen=True)
class ControlGroup:
    """A node in the unified hierarchy."""

    path: Path

    @classmethod
    def of(cls, site: Site) -> ControlGroup:
        """The group that holds all of a site's machines."""
        return cls(unified_mount() / site.name)

    def child(self, name: str) -> ControlGroup:
        """A group below this one, made when missing."""
        below = ControlGroup(self.path / name)
        below.path.mkdir(parents=True, exist_ok=True)
        return below

    def kill(self, *, patience_seconds: float = 10) -> None:
        """End every process in the group and below, then remove the groups."""
        try:
            (self.path / "cgroup.kill").write_text("1")
        except FileNotFoundError:
            return
        deadline = time.monotonic() + patience_seconds
        while self._populated() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._remove()

    def _populated(self) -> bool:
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text()
        except OSError:
            return False

    def _remove(self) -> None:
        # From the bottom up; os.walk does not mind groups that vanish meanwhile, as those of a guest do.
        for group, _, _ in os.walk(self.path, topdown=False):
            with suppress(OSError):
                Path(group).rmdir()
