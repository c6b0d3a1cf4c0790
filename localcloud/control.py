"""The daemon from the desk: start it when needed, ask it, end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localcloud.errors import DaemonTrouble
from localcloud.remains import clean_up
from localcloud.site import Site

_START_SECONDS = 60
_END_SECONDS = 60


def status(site: Site) -> dict[str, Any]:
    """What the daemon says of itself; `running` is false when it does not answer."""
    try:
        with urllib.request.urlopen(f"{site.endpoint_url}/local-cloud/status", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return {
            "running": False,
            "endpoint_url": site.endpoint_url,
            "region": site.region,
            "machines": [],
            "load_balancers": [],
            "dns": None,
        }


def fault(site: Site, wanted: dict[str, Any]) -> dict[str, Any]:
    """Ask the daemon for faults, and return all that are still to come. Raises DaemonTrouble."""
    return _ask(site, "faults", wanted, "the local cloud did not take the fault")


def interrupt(site: Site, instance_id: str, seconds: float, action: str) -> None:
    """Have an instance told that it is taken away, and ended so many seconds later. Raises DaemonTrouble."""
    wanted = {"instance_id": instance_id, "seconds": seconds, "action": action}
    _ask(site, "interrupt", wanted, f"{instance_id} cannot be interrupted")


def calls(site: Site, since: float) -> list[dict[str, Any]]:
    """The calls after a Unix time, each with `time`, `caller`, `service`, `action`. Raises DaemonTrouble."""
    found: list[dict[str, Any]] = _ask(site, "calls", {"since": since}, "the calls cannot be had")["calls"]
    return found


def _ask(site: Site, page: str, wanted: dict[str, Any], trouble: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{site.endpoint_url}/local-cloud/{page}", json.dumps(wanted).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as why:
        raise DaemonTrouble(f"{trouble}: {why.read().decode()}", "see `invoke local.status`") from why
    except (urllib.error.URLError, OSError, ValueError) as why:
        raise DaemonTrouble(f"{trouble}: {why}", "run `invoke local.up`") from why


def up(site: Site, say: Callable[[str], None] = lambda _: None) -> bool:
    """Have the daemon running. Returns whether it had to be started; what it notices at that is passed on."""
    found = status(site)
    if found["running"]:
        if found["name"] != site.name:
            raise DaemonTrouble(
                f"port {site.port} belongs to another local cloud, {found['name']}",
                "choose another: export LOCALCLOUD_PORT=8118",
            )
        return False
    site.home.mkdir(parents=True, exist_ok=True)
    log = site.home / "daemon.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "localcloud.daemon"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **_site_environment(site)},
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if status(site)["running"]:
            for line in site.notices.read_text().splitlines():
                say(line)
            return True
        if daemon.poll() is not None:
            raise DaemonTrouble(
                f"the local cloud did not start: {_tail(log.read_text())}", f"all of it: {log}"
            )
        time.sleep(0.05)
    raise DaemonTrouble("the local cloud did not answer in time", f"see what it says in {log}")


def down(site: Site) -> list[str]:
    """End the daemon and its machines; all that AWS would keep stays. Returns the machines there are."""
    machines = [machine["instance_id"] for machine in status(site)["machines"]]
    pid = _pid(site)
    if pid:
        os.kill(pid, 15)
        _await_end(pid)
    clean_up(site)
    return machines


@contextmanager
def notices(site: Site, say: Callable[[str], None]) -> Iterator[None]:
    """Pass on what the daemon says it is doing, while something is being waited for."""
    stop = threading.Event()
    position = site.notices.stat().st_size if site.notices.exists() else 0

    def follow() -> None:
        with site.notices.open() as log:
            log.seek(position)
            while not stop.is_set():
                line = log.readline()
                if line.endswith("\n"):
                    say(line.strip())
                else:
                    stop.wait(0.2)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join(2)


def _site_environment(site: Site) -> dict[str, str]:
    return {
        "LOCALCLOUD_NAME": site.name,
        "LOCALCLOUD_HOME": str(site.home),
        "LOCALCLOUD_CACHE": str(site.cache),
        "LOCALCLOUD_NETWORK": str(site.network),
        "LOCALCLOUD_PORT": str(site.port),
        "LOCALCLOUD_BODIES": "machines" if site.bodies else "none",
    }


def _pid(site: Site) -> int:
    """The daemon's process id, 0 when it is not running or the number is now somebody else's."""
    try:
        pid = int(site.pid_file.read_text())
        with open(f"/proc/{pid}/cmdline", "rb") as command:  # noqa: PTH123 (not a file of ours)
            return pid if b"localcloud.daemon" in command.read() else 0
    except (OSError, ValueError):
        return 0


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if _is_zombie(pid):
            return
        time.sleep(0.05)
    os.kill(pid, 9)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 (not a file of ours)
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _tail(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-4:])
