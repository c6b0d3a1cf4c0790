"""HAProxy as a process: started in a load balancer's namespace, asked and told through its socket."""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from localcloud.cgroups import ControlGroup
from localcloud.errors import LocalCloudError

_START_SECONDS = 10
# A master that is just beginning loses what it is told: it becomes another program once its worker is there.
_HEARD_SECONDS = 0.5
_ENTER = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
_LOG_PIPE_BYTES = 1 << 20  # what a busy second writes, so that nothing is lost while the daemon is busy too
_F_SETPIPE_SZ = 1031

Row = dict[str, str]


class BalancerTrouble(LocalCloudError):
    """A load balancer's HAProxy did not start, did not take its configuration, or does not answer."""


class HAProxy:
    """One HAProxy with its folder of configuration, sockets and certificates."""

    def __init__(self, folder: Path, namespace: str, cgroup: ControlGroup) -> None:
        self.folder = folder
        self._namespace = namespace
        self._cgroup = cgroup
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, config: str, files: Mapping[str, str]) -> int:
        """Start it; return a descriptor to read its log from. Raises BalancerTrouble."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o755)
        (self.folder / "servers").write_text("")
        self._write(config, files)
        ours, its = os.pipe()
        with suppress(OSError):
            import fcntl

            fcntl.fcntl(ours, _F_SETPIPE_SZ, _LOG_PIPE_BYTES)
        with (self.folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                self._argv(), stdin=subprocess.DEVNULL, stdout=its, stderr=errors, start_new_session=True
            )
        os.close(its)
        self._await_worker(not_this="")
        return ours

    def reload(self, config: str, files: Mapping[str, str]) -> None:
        """Have a new worker take over all listening sockets; the old one ends with its connections."""
        state = self.ask("show servers state")
        before = self._worker()
        (self.folder / "servers").write_text(state)
        self._write(config, files)
        self._await_worker(not_this=before)

    def stop(self) -> None:
        """End it at once, with all of its connections, and remove its folder."""
        self._cgroup.kill()
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *commands: str, patience_seconds: float = 5) -> str:
        """Give it commands, and return what it says. Raises BalancerTrouble when it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(patience_seconds)
                connection.connect(str(self.folder / "stats"))
                connection.sendall(f"{';'.join(commands)}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as why:
            raise BalancerTrouble(f"HAProxy in {self._namespace} does not answer: {why}") from why
        return answer.decode()

    def servers(self) -> dict[tuple[str, str], Row]:
        """What it says of each server, by backend and name."""
        table = csv.DictReader(io.StringIO(self.ask("show stat -1 4 -1").removeprefix("# ")))
        return {(row["pxname"], row["svname"]): row for row in table if row.get("svname")}

    def errors(self) -> str:
        """The last that it complained about, or else how it stands."""
        lines = []
        with suppress(OSError):
            lines = (self.folder / "errors").read_text(errors="replace").splitlines()
        alerts = [line for line in lines if "[ALERT]" in line] or lines[-3:]
        if self.running or self._process is None:
            alerts.append(f"it says nothing after {_START_SECONDS} s")
        else:
            alerts.append(f"it ended with {self._process.returncode}")
        return " ".join(alerts)[-500:]

    def _argv(self) -> list[str]:
        return [
            "sh", "-c", _ENTER, "sh", str(self._cgroup.path),
            "ip", "netns", "exec", self._namespace, "haproxy", "-W", "-f", str(self.folder / "haproxy.cfg"),
        ]  # fmt: skip

    def _write(self, config: str, files: Mapping[str, str]) -> None:
        for name, content in {**files, "haproxy.cfg": config}.items():
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_text(content)

    def _worker(self) -> str:
        # A connection that came in as one worker took over from another may never be answered: ask anew soon.
        for line in self.ask("show info", patience_seconds=0.5).splitlines():
            name, _, value = line.partition(": ")
            if name == "Pid":
                return value
        return ""

    def _await_worker(self, *, not_this: str) -> None:
        """Wait for a worker, a new one where there was one already: then the master is told so, and again."""
        begun, told = time.monotonic(), float("-inf")
        while (now := time.monotonic()) < begun + _START_SECONDS and self._process and self.running:
            if not_this and now > told + _HEARD_SECONDS:
                self._process.send_signal(signal.SIGUSR2)
                told = now
            with suppress(BalancerTrouble):
                if self._worker() not in ("", not_this):
                    return
            time.sleep(0.02)
        raise BalancerTrouble(f"HAProxy in {self._namespace} did not take its configuration: {self.errors()}")
