"""`invoke fleet.roll` and `invoke fleet.size`: new images under load, and how many nodes a load needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from aws.session import connect
from fleet import roll_commands
from fleet.command import Desk
from fleet.deployment import DEFAULT_FILE, load
from fleet.errors import BadSize, FleetError
from fleet.roll_record import Order
from fleet.rollout import Pace
from fleet.size import Load, Nodes, costs, size

if TYPE_CHECKING:
    from fleet.outcome import Done
    from fleet.plan import Plan
    from fleet.size import Sizing


@task(
    name="roll",
    help={
        "file": "the deployment file",
        "image": "to this image: id, name or fingerprint (default: the one that the file wants)",
        "template": "only nodes of this server template",
        "batch": "so many nodes at a time, after a first one alone (default: a fifth, one at least)",
        "in-place": "let old nodes go before new ones come: never more than wanted, but fewer meanwhile",
        "watch": "seconds to look at errors, latency and alarms before old nodes go",
        "no-rollback": "where new nodes do worse, stop and leave all as it is",
        "resume": "go on with a roll-out that was paused or cut short",
        "pause": "ask the roll-out that is under way to rest after its next step",
        "abort": "take the roll-out that is under way back",
        "dry-run": "say what would be changed, and change nothing",
    },
)
def roll_out(
    _: Context,
    file: str = DEFAULT_FILE,
    image: str = "",
    template: str = "",
    batch: int = 0,
    in_place: bool = False,
    watch: int = 60,
    no_rollback: bool = False,
    resume: bool = False,
    pause: bool = False,
    abort: bool = False,
    dry_run: bool = False,
) -> Done | Plan:
    """Replace nodes of an older image: a canary, then batches, each watched before as many old ones go.

    New nodes come into service first; old ones are drained before they end. Where new ones fail or do worse
    than before (errors, 99th percentile, alarms), all goes back to the old image.
    """
    if sum((resume, pause, abort)) > 1:
        raise FleetError("--resume, --pause and --abort exclude each other", "give one of them")
    if dry_run and (resume or pause or abort):
        raise FleetError("--dry-run shows a new roll-out", "give it without --resume, --pause and --abort")
    if batch < 0 or watch < 0:
        raise FleetError(f"--batch {batch} with --watch {watch} cannot be", "neither is below zero")
    desk = Desk(connect(), load(Path(file)), "invoke fleet.roll", dry_run)
    if pause:
        return roll_commands.pause(desk)
    if resume or abort:
        return roll_commands.abort(desk) if abort else roll_commands.resume(desk)
    return roll_commands.roll(desk, Order(image, template, Pace(batch, in_place), watch, not no_rollback))


@task(
    name="size",
    help={
        "rps": "requests a second at the peak",
        "hit-ratio": "share of requests that a node has on its disk, such as 0.96",
        "s3-ratio": "share that it fetches from S3; the rest is rendered",
        "type": "instance type, for its cores",
        "utilisation": "how busy a node's cores may be",
        "zones": "over how many zones nodes are spread",
        "lost-zones": "how many of them may be lost",
    },
)
def sizing(
    _: Context,
    rps: float = 100.0,
    hit_ratio: float = 0.96,
    s3_ratio: float = 0.0,
    type: str = "t3.small",  # noqa: A002 - the flag's name
    utilisation: float = 0.6,
    zones: int = 2,
    lost_zones: int = 1,
) -> Sizing:
    """Tell how many nodes a load needs, with the sum behind it, from measured CPU time per request."""
    cores = _cores(type)
    load_at_peak = Load(float(rps), float(hit_ratio), float(s3_ratio))
    return size(load_at_peak, costs(), Nodes(cores, float(utilisation), zones, lost_zones))


def _cores(kind: str) -> int:
    cloud = connect()
    try:
        found = cloud.ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]  # type: ignore[list-item]
    except cloud.ec2.exceptions.ClientError as why:
        raise BadSize(
            f"{cloud.region} has no instance type {kind!r}: {why}", "give one such as c7i.large"
        ) from why
    if not found:
        raise BadSize(f"{cloud.region} has no instance type {kind!r}", "give one such as c7i.large")
    return found[0]["VCpuInfo"]["DefaultVCpus"]


TASKS = (roll_out, sizing)
