"""A deployment in moto whose nodes boot while the desk sleeps: roll-outs without a machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleet_wanted import deployment
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto_fixture import FakeClock

from aws.ownership import Run, tag_list, tags_of
from aws.place import Place
from fleet import launch_templates, operations, roll_commands, roll_record
from fleet.command import Desk
from fleet.naming import DEPLOYMENT, STATE, Names
from fleet.node import Node, described
from fleet.roll_record import Order
from fleet.rollout import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from aws.session import Cloud
    from fleet.deployment import Deployment
    from fleet.outcome import Done
    from fleet.plan import Plan
    from fleet.verdict import Traffic

NAMES = Names("shop")
REGION = "eu-central-1"


@dataclass
class Stage:
    """The cloud, the deployment, and the nodes' part: `clock` lets them boot whenever the desk sleeps."""

    cloud: Cloud
    old: str
    new: str
    clock: NodesClock = field(init=False)
    fewest_serving: int = 99

    def __post_init__(self) -> None:
        self.clock = NodesClock(self)

    def file(self, image: str = "", count: int = 3, **changes: Any) -> Deployment:
        """The deployment file."""
        web = {"count": count, "image": image or self.old}
        return deployment(**{"template": {"web": web}, "bucket": None, "dns": None, "inputs": {}, **changes})

    def up(self, file: Deployment | None = None) -> None:
        """Bring the deployment up."""
        operations.up(self.desk(file or self.file()))

    def desk(self, file: Deployment | None = None, *, dry_run: bool = False) -> Desk:
        """A command of a run of its own."""
        desk = Desk(self.cloud, file or self.file(), "invoke fleet.roll", dry_run)
        desk.site = replace(desk.site, run=Run())
        return desk

    def roll(self, *, dry_run: bool = False, file: Deployment | None = None, **order: Any) -> Done | Plan:
        """Roll out the new image."""
        asked = Order(**{"image": self.new, "watch_seconds": 10.0, **order})
        return roll_commands.roll(self.desk(file, dry_run=dry_run), asked, self.clock)

    def resume(self, file: Deployment | None = None) -> Done:
        """Go on with what was cut short."""
        return roll_commands.resume(self.desk(file), self.clock)

    def abort(self) -> Done:
        """Take it back."""
        return roll_commands.abort(self.desk(), self.clock)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes there are."""
        return described(self.cloud, "shop")

    @property
    def images(self) -> Counter[str]:
        """How many nodes there are of which image."""
        return Counter({self.old: "old", self.new: "new"}[one.image_id] for one in self.nodes)

    @property
    def launches_from(self) -> str:
        """The image that the launch template says by default."""
        there = launch_templates.described(self.cloud, "shop")["web"]
        found = self.cloud.ec2.describe_launch_template_versions(
            LaunchTemplateId=there.id, Versions=[str(there.version)]
        )["LaunchTemplateVersions"]
        return {self.old: "old", self.new: "new"}[found[0]["LaunchTemplateData"]["ImageId"]]

    @property
    def under_way(self) -> bool:
        """Whether a roll-out has not ended."""
        return roll_record.load(self.cloud, NAMES) is not None

    def ids(self, image: str) -> list[str]:
        """The nodes of an image."""
        return [one.id for one in self.nodes if one.image_id == image]


class NodesClock(FakeClock):
    """Time that passes only by sleeping, and in which nodes boot; `meanwhile` may be anything else."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.stranding = ""
        self.meanwhile: Callable[[], object] = lambda: None

    def sleep(self, seconds: float, /) -> None:
        super().sleep(seconds)
        filters: Any = [
            {"Name": f"tag:{DEPLOYMENT}", "Values": ["shop"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        for group in self.stage.cloud.ec2.describe_instances(Filters=filters)["Reservations"]:
            for one in group["Instances"]:
                if STATE not in tags_of(one):
                    state = "stranded" if one["ImageId"] == self.stranding else "operational"
                    self.stage.cloud.ec2.create_tags(
                        Resources=[one["InstanceId"]], Tags=tag_list({STATE: state})
                    )
        self.meanwhile()


def stage_of(count: int, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """So many nodes of an old image in service."""
    vpc = cloud.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    monkeypatch.setattr("fleet.ground.find_place", lambda _, subnet: Place(subnet, vpc, "192.0.2.7/32"))
    monkeypatch.setattr(LaunchTemplateBackend, "describe_launch_templates", _with_tags_of_now)
    stage = Stage(cloud, image("old"), image("new"))
    monkeypatch.setattr("fleet.service.until_up.__defaults__", (None, stage.clock))
    stage.up(stage.file(count=count))
    return stage


_described = LaunchTemplateBackend.describe_launch_templates


def _with_tags_of_now(self: LaunchTemplateBackend, *args: Any, **more: Any) -> Any:
    """moto tells of the tags with which a launch template was born."""
    found = _described(self, *args, **more)
    for one in found:
        one.tags = one.get_tags()
    return found


def told_of(traffic: Traffic) -> Callable[..., dict[datetime, Traffic]]:
    """CloudWatch, as far as it tells of this minute."""
    return lambda *_: {datetime.now(UTC): traffic}


def image(name: str) -> str:
    """An image in moto."""
    made = ec2_backends[DEFAULT_ACCOUNT_ID][REGION].register_image(name)
    made.architecture = "x86_64"
    return str(made.id)


PACE = {"in place": Pace(in_place=True), "one by one": Pace(), "two by two": Pace(batch=2)}
