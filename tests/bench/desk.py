"""One fleet command on a deployment of records: a process whose calls, CPU and memory are counted.

python -m bench.desk COMMAND SIZE OLD NEW; prints JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from aws.session import connect
from bake.progress import Progress
from fleet import launch_templates, operations, roll_commands
from fleet.command import Desk
from fleet.deployment import Deployment, parse
from fleet.naming import STATE
from fleet.roll_record import Order
from fleet.status import status

_SERVICES = ("ec2", "iam", "s3", "ssm", "elb", "elbv2", "autoscaling", "cloudwatch", "route53")
_born = launch_templates.data


def file(size: int, image: str) -> Deployment:
    """The deployment file."""
    return parse(
        Path("thousand.toml"),
        {
            "name": "thousand",
            "template": {"web": {"count": size, "image": image}},
            "load_balancer": {"web": {"interval_seconds": 5, "timeout_seconds": 2, "draining_seconds": 1}},
        },
    )


def operational(*args: Any, **more: Any) -> Any:
    """A launch template whose nodes are operational when they are born, since no machine says so."""
    made = _born(*args, **more)
    for one in made["TagSpecifications"]:
        one["Tags"] = [*one["Tags"], {"Key": STATE, "Value": "operational"}]
    return made


def main(command: str, size: int, old: str, new: str) -> dict[str, Any]:
    """Do it, and tell what it took."""
    launch_templates.data = operational
    cloud, calls = connect(), Counter[str]()

    def count(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    for service in _SERVICES:
        getattr(cloud, service).meta.events.register("before-call", count)
    desk = Desk(cloud, file(size, old), f"bench {command}")
    desk.site = replace(desk.site, progress=Progress(Console(file=StringIO())))
    began = time.monotonic()
    match command:
        case "up":
            operations.up(desk)
        case "down":
            operations.down(desk)
        case "plan":
            operations.show_plan(desk)
        case "status":
            status(cloud, desk.resolved().need).document()
        case _:
            roll_commands.roll(desk, Order(image=new, watch_seconds=0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "calls": dict(calls.most_common()),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "bytes": _peak_bytes(),
        "seconds": round(time.monotonic() - began, 1),
    }


def _peak_bytes() -> int:
    """The most memory of this process; what `getrusage` tells begins with that of who started it."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    json.dump(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]), sys.stdout)
