"""From the call to the login: one machine, with and without cloud-init, and twenty at once."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from aws.instance import stop
from bake import image as images
from bench.cloud import USER
from bench.errors import BenchError
from bench.figures import Figure, median

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.cloud import Ground

_RUNS = 5
_CROWD = 20
_LOOK_SECONDS = 0.02
_CROWD_SECONDS = 180


def measure(ground: Ground) -> tuple[Figure, ...]:
    """Boot figures, and what the daemon holds once all machines are gone."""
    debian = ground.debian.id
    _spawned(ground, debian)
    with_cloud_init = [_spawned(ground, debian) for _ in range(_RUNS)]
    ground.say(f"with cloud-init: {', '.join(f'{one:.2f}' for one in with_cloud_init)} s")
    plain = _without_cloud_init(ground, debian)
    without = [_spawned(ground, plain) for _ in range(_RUNS)]
    ground.say(f"without: {', '.join(f'{one:.2f}' for one in without)} s")
    crowd = _crowd(ground, debian)
    return (
        median("spawn_to_ssh_seconds", with_cloud_init, 4),
        median("spawn_to_ssh_without_cloud_init_seconds", without, 1.5),
        *crowd,
        Figure("daemon_idle_rss_bytes", resident(ground), 250e6),
    )


def resident(ground: Ground) -> int:
    """The memory of the local cloud's daemon."""
    status = Path("/proc", ground.site.pid_file.read_text().strip(), "status").read_text()
    return _kilobytes(status, "VmRSS:")


def _spawned(ground: Ground, image_id: str) -> float:
    started = time.perf_counter()
    with ground.machines(image_id) as (address,), ground.reached(address) as machine:
        machine.run("true")
        return time.perf_counter() - started


def _without_cloud_init(ground: Ground, debian: str) -> str:
    """An image that lets the key in by itself and keeps its host keys, as nothing makes new ones at boot."""
    script = (
        "cloud-init status --wait\n"
        "touch /etc/cloud/cloud-init.disabled\n"
        f"echo {quote(ground.key.public)} > /home/{USER}/.ssh/authorized_keys\n"
    )
    with ground.machines(debian) as (address,):
        with ground.reached(address) as machine:
            machine.run(script, timeout_seconds=120)
        (instance_id,) = _ids(ground, address)
        stop(ground.cloud, instance_id)
        tags = {images.NAME: "bench-plain", images.FINGERPRINT: "0" * 64}
        image_id = images.create(ground.cloud, instance_id, "bench-plain", tags)
        return images.wait_available(ground.cloud, image_id).id


def _ids(ground: Ground, address: str) -> tuple[str, ...]:
    filters = [{"Name": "private-ip-address", "Values": [address]}]
    found = ground.cloud.ec2.describe_instances(Filters=filters)["Reservations"]  # type: ignore[arg-type]
    return tuple(one["InstanceId"] for group in found for one in group["Instances"])


def _crowd(ground: Ground, image_id: str) -> tuple[Figure, ...]:
    before, started = _available(), time.perf_counter()
    with ground.machines(image_id, _CROWD) as addresses:
        _all_greet(addresses)
        seconds = time.perf_counter() - started
        for address in addresses:
            with ground.reached(address) as machine:
                machine.run("cloud-init status --wait", timeout_seconds=120)
        used = before - _available()
    ground.say(f"{_CROWD} machines: {seconds:.1f} s, {used / 1e6:.0f} MB")
    return (
        Figure("twenty_machines_answer_seconds", seconds),
        Figure("twenty_machines_memory_bytes", used),
    )


def _all_greet(addresses: Iterable[str]) -> None:
    waiting, deadline = set(addresses), time.monotonic() + _CROWD_SECONDS
    while waiting:
        waiting -= {address for address in waiting if _greets(address)}
        if time.monotonic() > deadline:
            raise BenchError(f"{', '.join(sorted(waiting))} did not answer on port 22", "read their consoles")
        time.sleep(_LOOK_SECONDS)


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=0.5) as line:
            return line.recv(4) == b"SSH-"
    except OSError:
        return False


def _available() -> int:
    """Memory that this computer has to give: what everyone on it uses counts, so let nobody else work."""
    return _kilobytes(Path("/proc/meminfo").read_text(), "MemAvailable:")


def _kilobytes(text: str, name: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(name))
