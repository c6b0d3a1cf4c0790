"""The VPC's name server at its network's address plus two: BIND, with zones from the records here.

dnsmasq would be smaller, but learns of a changed record by a restart only, does not follow a CNAME to a name
that it does not hold itself, and has no wildcards with a time to live of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from localcloud.cgroups import ControlGroup
from localcloud.dns_zones import Zone, server_config, zone_file
from localcloud.errors import LocalCloudError
from localcloud.needs import program
from localcloud.network import Network
from localcloud.site import Site

_START_SECONDS = 10
# What every reload leaves behind goes back to this computer at once: jemalloc(3).
_FRUGAL = "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0"
_ENTER = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"'


class NameServer:
    """The name server of one site. `zones` gives what it shall answer for."""

    def __init__(
        self,
        site: Site,
        network: Network,
        forwarders: Iterable[str],
        zones: Callable[[], tuple[Zone, ...]],
        notice: Callable[[str], None],
    ) -> None:
        self._site = site
        self._network = network
        self._forwarders = tuple(forwarders)
        self._zones = zones
        self._notice = notice
        self._served: tuple[Zone, ...] | None = None
        self._serial = int(time.time())
        self._lock = threading.Lock()
        self._ended = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._process is not None and self._process.poll() is None

    def refresh(self) -> bool:
        """Serve what there is now, starting when it does not run. Returns whether that was new."""
        with self._lock:
            try:
                zones = self._zones()
            except RuntimeError:  # the records changed while they were read; another call follows
                return False
            if self._ended or (zones == self._served and self.running):
                return False
            try:
                self._serve(zones)
            except (LocalCloudError, OSError) as why:
                self._notice(f"name server: {why}")
                return False
            return True

    def stop(self) -> None:
        """End it and remove its files."""
        with self._lock:
            self._ended = True
            self._group().kill()
            if self._process is not None:
                self._process.wait()
            self._process = None
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return self._site.home / "dns"

    def _serve(self, zones: tuple[Zone, ...]) -> None:
        if not self.running:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            self._served = None
        self._write(zones)
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGHUP)
        else:
            self._start()
        self._served = zones

    def _write(self, zones: tuple[Zone, ...]) -> None:
        self._serial += 1
        before = set(self._served or ())
        for zone in zones:
            if zone not in before:
                draft = self._folder / f"{zone.file}.draft"
                draft.write_text(zone_file(zone, self._serial))
                draft.replace(self._folder / zone.file)
        config = server_config(self._site.dns_address, self._forwarders, zones, self._folder)
        (self._folder / "named.conf").write_text(config)

    def _start(self) -> None:
        # As root it gives up all capabilities but those of a server. A copy of the program, because Debian's
        # AppArmor profile of the original lets it read its own places only.
        server = Path(shutil.copy(program("named"), self._folder / "named"))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._argv(server),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "MALLOC_CONF": _FRUGAL},
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.running:
            if b" running" in (self._folder / "log").read_bytes():
                return
            time.sleep(0.02)
        said = (self._folder / "log").read_text(errors="replace")[-400:]
        raise LocalCloudError(f"it did not start: {said}", f"all of it: {self._folder / 'log'}")

    def _argv(self, server: Path) -> list[str]:
        return [
            "sh", "-c", _ENTER, "sh", str(self._group().path),
            "ip", "netns", "exec", self._network.vpc,
            str(server), "-g", "-n", "1", "-U", "1", "-c", str(self._folder / "named.conf"),
        ]  # fmt: skip

    def _group(self) -> ControlGroup:
        return ControlGroup.of(self._site).child("dns")
