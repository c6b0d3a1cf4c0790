"""Settings of this computer that machines need: raised while the local cloud runs, put back when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcloud.site import Site


@dataclass(frozen=True)
class HostSetting:
    """A kernel setting and the least that is needed of it."""

    name: str
    least: int
    root: Path = Path("/proc/sys")

    @property
    def path(self) -> Path:
        """Where the kernel shows it."""
        return self.root / self.name.replace(".", "/")

    def note(self, site: Site) -> Path:
        """Where what it was before is kept, so that also a later daemon can put it back."""
        return site.home / f"{self.name}.before"

    def enforce(self, site: Site) -> None:
        """Raise the setting when it is less than needed."""
        before = self.path.read_text().strip()
        if int(before) < self.least:
            self.note(site).write_text(before)
            self.path.write_text(str(self.least))

    def restore(self, site: Site) -> None:
        """Put back what `enforce` changed, if it did."""
        note = self.note(site)
        if note.exists():
            self.path.write_text(note.read_text())
            note.unlink()


SETTINGS = (
    HostSetting("net.ipv4.ip_forward", 1),
    # A Debian machine's systemd and friends use seven; Debian's default of 128 ends at eighteen machines.
    HostSetting("fs.inotify.max_user_instances", 1024),
)
