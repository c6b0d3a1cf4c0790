"""Settings of this computer that machines need: raised while a local cloud runs, put back after the last."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.site import Site


@dataclass(frozen=True)
class HostSetting:
    """A kernel setting and the least that is needed of it.

    `ledger` holds what the setting was before, and a file for each site that needs it: beside the sites, as
    several may run at once, and in memory, as a computer that starts again has its own settings again.
    """

    name: str
    least: int
    root: Path = Path("/proc/sys")
    ledger: Path = Path("/run/amibake")

    @property
    def path(self) -> Path:
        """Where the kernel shows it."""
        return self.root / self.name.replace(".", "/")

    def enforce(self, site: Site) -> None:
        """Raise the setting when it is less than needed."""
        with self._locked() as folder:
            now = self.path.read_text().strip()
            if int(now) < self.least:
                _write_once(folder / "before", now)
                self.path.write_text(str(self.least))
            (folder / f"site-{site.name}").touch()

    def restore(self, site: Site) -> None:
        """Put back what it was, if it was raised and no other site needs it."""
        with self._locked() as folder:
            (folder / f"site-{site.name}").unlink(missing_ok=True)
            before = folder / "before"
            if before.exists() and not list(folder.glob("site-*")):
                self.path.write_text(before.read_text())
                before.unlink()

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        folder = self.ledger / self.name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)


SETTINGS = (
    HostSetting("net.ipv4.ip_forward", 1),
    # A Debian machine's systemd and friends use seven; Debian's default of 128 ends at eighteen machines.
    HostSetting("fs.inotify.max_user_instances", 1024),
)
