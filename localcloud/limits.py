"""What an instance type gives a machine, held to by control groups where this computer's can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.cgroups import ControlGroup

_CONTROLLERS = ("cpu", "memory")
_PERIOD_MICROSECONDS = 100_000


@dataclass(frozen=True)
class Size:
    """What an instance type has."""

    vcpus: int
    memory_mib: int

    @property
    def settings(self) -> dict[str, str]:
        """File of a control group -> what it takes."""
        return {
            "cpu.max": f"{self.vcpus * _PERIOD_MICROSECONDS} {_PERIOD_MICROSECONDS}",
            "memory.max": str(self.memory_mib * 1024 * 1024),
        }


class Limits:
    """Sets the limits of machines' groups, which are children of `site`. Where it cannot, says so once."""

    def __init__(self, site: ControlGroup, notice: Callable[[str], None]) -> None:
        self._site = site
        self._notice = notice
        self._lock = threading.Lock()
        self._possible: bool | None = None

    def apply(self, group: ControlGroup, size: Size | None) -> bool:
        """Limit a group that exists, when its type is known. Returns whether it is limited now."""
        with self._lock:
            if self._possible is None:
                self._possible = self._enable()
        if not self._possible or size is None:
            return False
        for name, value in size.settings.items():
            (group.path / name).write_text(value)
        return True

    def _enable(self) -> bool:
        root = self._site.path.parent
        offered = (root / "cgroup.controllers").read_text().split()
        lacking = [name for name in _CONTROLLERS if name not in offered]
        if lacking:
            self._notice(
                f"machines are not limited to their instance type's {' and '.join(lacking)}:"
                " this computer's unified control groups lack these controllers"
            )
            return False
        for path in (root, self._site.path):
            (path / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
        return True
