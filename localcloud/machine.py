"""One machine: systemd as its first process, over the layers of its image."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from localcloud.cgroups import ControlGroup
from localcloud.checks import Health
from localcloud.errors import BootFailed
from localcloud.firstprocess import answers
from localcloud.network import Network, Port
from localcloud.process import run

_LAUNCHER = Path(__file__).with_name("boot-machine.sh")
_REBOOT_REQUESTED = 133  # systemd-nspawn(1): the exit status that asks its caller to start it again
_LONGEST_START_SECONDS = 300
_SIGRTMIN = 34
_POWER_OFF_SIGNAL = _SIGRTMIN + 3  # what systemd-nspawn sends on SIGTERM, which must not be sent twice
_REBOOT_SIGNAL = _SIGRTMIN + 5  # systemd(1): what Ctrl-Alt-Del on EC2's side amounts to


class Ending(Enum):
    """Why a machine's process ended."""

    POWERED_OFF = "powered off from inside"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Plot:
    """A machine's folder: what it wrote, what only this boot sees, and what its console said."""

    path: Path

    @property
    def upper(self) -> Path:
        """Everything the machine wrote; an image of it is this folder, kept."""
        return self.path / "upper"

    @property
    def runtime(self) -> Path:
        """Files laid over the image while a machine runs; an image never holds them."""
        return self.path / "runtime"

    @property
    def console(self) -> Path:
        """All that the machine's console said, over all its boots."""
        return self.path / "console.log"

    def keep_layers(self, layers: tuple[Path, ...]) -> None:
        """Keep what the machine stands on, for a daemon started later."""
        (self.path / "layers").write_text("".join(f"{layer}\n" for layer in layers))

    def layers(self) -> tuple[Path, ...]:
        """What the machine stands on, nothing when it never was made."""
        kept = self.path / "layers"
        return tuple(map(Path, kept.read_text().splitlines())) if kept.exists() else ()

    def prepare(self) -> None:
        """Make what is missing of the folder."""
        for name in ("upper", "work", "root", "runtime"):
            (self.path / name).mkdir(parents=True, exist_ok=True)


class Machine:
    """A machine that can be booted, shut down, captured and destroyed, one call at a time.

    `on_end` is called, from a thread of the machine's, when it ends without having been asked to here.
    """

    def __init__(
        self,
        plot: Plot,
        layers: tuple[Path, ...],
        port: Port,
        network: Network,
        cgroup: ControlGroup,
        on_end: Callable[[Ending], None],
    ) -> None:
        self.plot = plot
        self.layers = layers
        self.port = port
        self._network = network
        self._cgroup = cgroup
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_end = False
        self._booted = threading.Event()
        self._leader = 0
        self._started = 0.0

    @property
    def running(self) -> bool:
        """Whether the machine's process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def booted(self) -> bool:
        """Whether the machine's systemd has reported that it is up."""
        return self._booted.is_set()

    def health(self) -> Health:
        """Initializing until the machine's systemd has reported, but not forever; then what it answers."""
        if not self.booted:
            young = time.monotonic() - self._started < _LONGEST_START_SECONDS
            return Health.INITIALIZING if self.running and young else Health.IMPAIRED
        return Health.OK if self.running and answers(self._leader) else Health.IMPAIRED

    def boot(self, *, patience_seconds: float = 60) -> None:
        """Start the machine; return once its first process runs. Raises BootFailed with the console's end."""
        self.plot.prepare()
        self._network.plug(self.port)
        self._asked_to_end = False
        self._booted.clear()
        self._spawn(patience_seconds)

    def shut_down(self, *, patience_seconds: float = 120) -> None:
        """Ask the machine's systemd to power off, and end it by force when that takes too long."""
        self._asked_to_end = True
        process = self._process
        if process is not None and not self._powered_off(process, patience_seconds):
            self._cgroup.kill()
            process.wait()
        self._cgroup.kill()
        self._network.unplug(self.port)

    def _powered_off(self, process: subprocess.Popen[bytes], patience_seconds: float) -> bool:
        """Ask systemd to power off, again each second until it is up: what it is asked before may be lost."""
        deadline = time.monotonic() + patience_seconds
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            heard = self.booted
            if self._leader:
                with suppress(ProcessLookupError):
                    os.kill(self._leader, _POWER_OFF_SIGNAL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(left if heard else min(left, 1))
        return True

    def reboot(self) -> None:
        """Ask the machine's systemd to reboot; it comes back by itself."""
        if self.running and self._leader:
            os.kill(self._leader, _REBOOT_SIGNAL)

    def pull_the_plug(self) -> None:
        """End the machine at once, as a lost power supply would."""
        self.shut_down(patience_seconds=0)

    def copy_layer(self, to: Path) -> None:
        """Copy what the machine wrote so far into a new layer, while it may be running."""
        os.sync()
        draft = to.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        run(["cp", "--archive", "--reflink=auto", str(self.plot.upper), str(draft)])
        draft.rename(to)

    def move_layer(self, to: Path) -> None:
        """Make what a stopped machine wrote into a new layer at once; the machine goes on above it."""
        self.plot.upper.rename(to)
        shutil.rmtree(self.plot.path / "work", ignore_errors=True)
        self.plot.prepare()
        self.layers = (to, *self.layers)
        self.plot.keep_layers(self.layers)

    def destroy(self) -> None:
        """Remove the machine's files, but not its console's."""
        (self.plot.path / "layers").unlink(missing_ok=True)
        for name in ("upper", "work", "root", "runtime"):
            shutil.rmtree(self.plot.path / name, ignore_errors=True)

    def _spawn(self, patience_seconds: float) -> None:
        self._started = time.monotonic()
        address = self.plot.path / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(str(address))
            with self.plot.console.open("ab") as console:
                self._process = subprocess.Popen(
                    self._argv(),
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    start_new_session=True,
                    env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(address)},
                )
            self._await_first_process(self._process, notices, patience_seconds)
            listening = notices.dup()
        threading.Thread(target=self._watch, args=(self._process, listening), daemon=True).start()

    def _argv(self) -> list[str]:
        lower = ":".join(str(layer) for layer in (self.plot.runtime, *self.layers))
        plot, machine = self.plot.path, self.port.machine
        uuid = f"ec2{machine[-5:]}-0000-0000-0000-{machine[-12:]:0>12}"
        return [
            "unshare", "--mount", "--propagation", "private", "sh", str(_LAUNCHER),
            str(plot / "root"), lower, str(plot / "upper"), str(plot / "work"), str(self._cgroup.path),
            self._network.namespace(machine), machine, uuid,
        ]  # fmt: skip

    def _await_first_process(
        self, process: subprocess.Popen[bytes], notices: socket.socket, patience_seconds: float
    ) -> None:
        deadline = time.monotonic() + patience_seconds
        notices.settimeout(0.1)
        self._leader = 0
        while not self._leader:
            if process.poll() is not None or time.monotonic() > deadline:
                self._cgroup.kill()
                raise BootFailed(f"{self.port.machine} did not boot: {self.console_tail(600)}")
            self._hear(notices)

    def _hear(self, notices: socket.socket) -> None:
        try:
            said = notices.recv(4096).decode().splitlines()
        except TimeoutError:
            return
        for line in said:
            key, _, value = line.partition("=")
            if key == "X_NSPAWN_LEADER_PID":
                self._leader = int(value)
            if key == "READY":
                self._booted.set()

    def _watch(self, process: subprocess.Popen[bytes], notices: socket.socket) -> None:
        """Follow one run of the machine's process to its end, and start the next one after a reboot.

        What the machine reports is read to the last: unread, it would fill the socket, then block nspawn,
        and then the machine's systemd, which reports every reload of its units.
        """
        ended = os.pidfd_open(process.pid)
        watched: list[Any] = [notices, ended]
        try:
            with notices:
                while ended not in select.select(watched, [], [])[0]:
                    self._hear(notices)
        finally:
            os.close(ended)
        process.wait()
        if self._asked_to_end:
            return
        if process.returncode == _REBOOT_REQUESTED:
            self._booted.clear()
            self._restart()
        else:
            self._on_end(Ending.CRASHED if process.returncode else Ending.POWERED_OFF)

    def _restart(self) -> None:
        try:
            self._spawn(60)
        except BootFailed:
            self._on_end(Ending.CRASHED)

    def console_tail(self, size_bytes: int) -> str:
        """The last that the console said."""
        try:
            return self.plot.console.read_bytes()[-size_bytes:].decode(errors="replace").strip()
        except FileNotFoundError:
            return "(nothing on the console)"
