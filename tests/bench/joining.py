"""From RunInstances to InService: of the baked image, and of a bare one that is set up at its boot.

The load balancer that all of them join checks every 2 s and wants two checks in a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from bench import at_boot
from bench.baking import fetch_wheels
from bench.errors import BenchError
from bench.figures import Figure, median

if TYPE_CHECKING:
    from bench.yard import Node, Yard

_RUNS = 3
_PARTS = ("machine", "systemd", "cloud_init", "scripts", "registration", "health")
_TIMES = (
    "systemctl show --timestamp=us+utc --value -p UserspaceTimestamp;"
    " systemctl show --timestamp=us+utc --value -p InactiveExitTimestamp cloud-init-main.service;"
    " systemctl show --timestamp=us+utc --value -p ExecMainStartTimestamp node-bootstrap.service;"
    " cat /run/amibake/state.json"
)


def measure(yard: Yard) -> tuple[Figure, ...]:
    """All three, ours part by part."""
    with yard.nodes() as (node,):
        yard.in_service(node)  # the first one warms this computer's caches
    runs = [_ours(yard) for _ in range(_RUNS)]
    whole = [sum(run.values()) for run in runs]
    figures = [
        median("run_to_in_service_seconds", whole, 8),
        *(median(f"run_to_in_service_{part}_seconds", [run[part] for run in runs]) for part in _PARTS),
    ]
    ours = figures[0].value
    for name, seconds in _at_boot(yard).items():
        figures += [
            Figure(f"{name}_run_to_in_service_seconds", seconds),
            Figure(f"run_to_in_service_ratio_to_{name}", ours / seconds),
        ]
    return tuple(figures)


def _ours(yard: Yard) -> dict[str, float]:
    with yard.nodes() as (node,):
        parts = _parts(yard, node, yard.in_service(node))
    yard.ground.say(", ".join(f"{name} {seconds:.2f} s" for name, seconds in parts.items()))
    return parts


def _parts(yard: Yard, node: Node, served: float) -> dict[str, float]:
    """How long each part took; together they are the whole."""
    with yard.ground.reached(node.address) as machine:
        machine.run("systemctl is-system-running --wait", timeout_seconds=120)
        *times, document = machine.run(_TIMES).stdout.split("\n", 3)
    userspace, cloud_init, bootstrap = map(_moment, times)
    scripts = sum(one["seconds"] for one in json.loads(document)["scripts"] if one["name"] != "register")
    joined = [one["time"] for one in yard.calls(node) if one["action"] == "RegisterInstancesWithLoadBalancer"]
    if len(joined) != 1:
        raise BenchError(f"{node.id} registered {len(joined)} times")
    ends = (userspace, cloud_init, bootstrap, bootstrap + scripts, joined[0], served)
    begins = (node.asked, *ends[:-1])
    return {name: end - begin for name, begin, end in zip(_PARTS, begins, ends, strict=True)}


def _at_boot(yard: Yard) -> dict[str, float]:
    """A node of the bare image by either way, which fetches what it needs from this computer."""
    folder = yard.ground.folder / "at-boot"
    fetch_wheels(yard.spec)
    told = at_boot.lay_out(yard.spec, folder)
    with _served(folder, str(yard.ground.site.desk_address)) as url:
        ways = {
            "cloud_init_at_boot": at_boot.by_shell(told, url, yard.inputs()),
            "ansible_at_boot": at_boot.by_ansible(url, yard.inputs()),
        }
        return {name: _bare(yard, name, user_data) for name, user_data in ways.items()}


def _bare(yard: Yard, name: str, user_data: str) -> float:
    with yard.nodes(1, yard.ground.debian.id, user_data) as (node,):
        seconds = yard.in_service(node) - node.asked
    yard.ground.say(f"{name}: {seconds:.1f} s")
    return seconds


@contextmanager
def _served(folder: Path, address: str) -> Iterator[str]:
    """A folder on an address of this computer that machines reach."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """A line for each request would only disturb."""

    with ThreadingHTTPServer((address, 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()


def _moment(shown: str) -> float:
    """Read `Sun 2025-11-23 12:40:01.123456 UTC`."""
    return datetime.fromisoformat(" ".join(shown.split()[1:3])).replace(tzinfo=UTC).timestamp()
