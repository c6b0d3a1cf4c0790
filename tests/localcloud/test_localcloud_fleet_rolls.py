"""Roll-outs of auto scaling groups as the fleet's desk carries them out, against this endpoint's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from moto_fixture import LATER_CLIENTS, FakeClock
from rich.console import Console
from scaling_cloud import ScalingCloud

from aws.session import Cloud, connect
from bake.progress import Progress
from fleet import launch_templates, operations, refreshing, roll_commands, roll_record, watching
from fleet.command import Desk
from fleet.deployment import Deployment, parse
from fleet.errors import RolledBack
from fleet.naming import STATE, Names
from fleet.node import described
from fleet.outcome import Done
from fleet.roll_record import Order
from fleet.rollout import Pace
from fleet.scaling_groups import LAUNCHING
from fleet.verdict import Traffic
from localcloud import own_accord
from localcloud.site import ACCOUNT

NAMES = Names("shop")
GROUP = NAMES.of("web")
SIZE = 3
BUSY = Traffic(requests=1000, errors=0, p99_seconds=0.1)


class Shop(FakeClock):
    """The deployment, and its nodes' part: whenever the desk sleeps time goes by, and they boot."""

    def __init__(self, records: ScalingCloud, cloud: Cloud) -> None:
        super().__init__()
        self.records, self.cloud = records, cloud
        self.old, self.new = self._image("old"), self._image("new")
        self.meanwhile: Callable[[], object] = lambda: None
        self.stranding = ""
        self.fewest = SIZE

    def _image(self, name: str) -> str:
        from moto.ec2.models import ec2_backends

        made: Any = ec2_backends[ACCOUNT]["us-east-1"].register_image(name)
        made.architecture, made.root_device_name = "x86_64", "/dev/xvda"
        return str(made.id)

    def sleep(self, seconds: float, /) -> None:
        """Let time go by, in the cloud too."""
        super().sleep(seconds)
        self.records.pass_time(max(1, seconds))
        for node in described(self.cloud, "shop"):
            if node.ec2_state == "running" and not node.bootstrap_state:
                state = "stranded" if node.image_id == self.stranding else "operational"
                tag: Any = {"Key": STATE, "Value": state}
                self.cloud.ec2.create_tags(Resources=[node.id], Tags=[tag])
                if not node.group:
                    continue
                self.cloud.autoscaling.complete_lifecycle_action(
                    AutoScalingGroupName=GROUP,
                    LifecycleHookName=LAUNCHING,
                    LifecycleActionResult="CONTINUE",
                    InstanceId=node.id,
                )
        self.records.pass_time(1)
        self.fewest = min(self.fewest, self.members.count("InService"))
        self.meanwhile()

    def file(self, image: str = "") -> Deployment:
        """The deployment file."""
        return parse(
            Path("shop.toml"),
            {
                "name": "shop",
                "template": {"web": {"image": image or self.old, "count": SIZE}},
                "scaling": {"min": 1, "max": 8, "target_cpu_percent": 60, "warm_up_seconds": 2},
            },
        )

    def desk(self) -> Desk:
        """A command that tells nobody of its progress."""
        made = Desk(self.cloud, self.file(), "invoke fleet.roll")
        made.site = replace(made.site, progress=Progress(Console(file=StringIO())))
        return made

    def up(self) -> None:
        """Bring the deployment up."""
        operations.up(self.desk())
        self.fewest = SIZE

    def roll(self, **order: Any) -> Any:
        """Roll out the new image."""
        asked = Order(**{"image": self.new, "watch_seconds": 4.0, **order})
        return roll_commands.roll(self.desk(), asked, self)

    def pause_at_the_first_new_node(self) -> None:
        """Somebody asks for a rest as soon as an old node is gone."""

        def ask() -> None:
            if self.images["new"] and self.images["old"] < SIZE:
                roll_record.wish(self.cloud, NAMES, "pause")

        self.meanwhile = ask

    @property
    def members(self) -> list[str]:
        """The group's instances by their state."""
        found = self.cloud.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
        return [one["LifecycleState"] for one in found]

    @property
    def images(self) -> Counter[str]:
        """How many nodes there are of which image."""
        named = {self.old: "old", self.new: "new"}
        return Counter(named[one.image_id] for one in described(self.cloud, "shop"))

    @property
    def refreshes(self) -> list[str]:
        """How the group's refreshes ended, the latest first."""
        found = self.cloud.autoscaling.describe_instance_refreshes(AutoScalingGroupName=GROUP)
        return [one["Status"] for one in found["InstanceRefreshes"]]

    @property
    def launches_from(self) -> str:
        """The image of what the group itself would launch."""
        (group,) = self.cloud.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        there = launch_templates.described(self.cloud, "shop")["web"]
        found = self.cloud.ec2.describe_launch_template_versions(
            LaunchTemplateId=there.id, Versions=[group["LaunchTemplate"]["Version"]]
        )["LaunchTemplateVersions"]
        return {self.old: "old", self.new: "new"}[found[0]["LaunchTemplateData"]["ImageId"]]


@pytest.fixture(scope="module")
def clients() -> Cloud:
    """Clients that are made once, as that takes longer than a roll-out."""
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        cloud = connect()
        for name in LATER_CLIENTS:
            getattr(cloud, name)
    return cloud


@pytest.fixture
def shop(unhooked: None, clients: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A group of three nodes of an old image in service."""
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("aws.place._address_towards", lambda _: "192.0.2.7")
    with mock_aws():
        made = Shop(ScalingCloud(own_accord.hook), clients)
        monkeypatch.setattr("aws.patience.wait_for.__defaults__", (made,))
        monkeypatch.setattr("fleet.service.until_up.__defaults__", (None, made))
        monkeypatch.setattr("fleet.resting.terminate.__defaults__", (made,))
        made.up()
        yield made


def test_a_group_is_refreshed_to_the_new_image_and_never_smaller_than_wanted(shop: Shop) -> None:
    outcome = shop.roll()
    assert isinstance(outcome, Done)
    assert shop.images == {"new": SIZE}
    assert shop.refreshes == ["Successful", "Cancelled", "Cancelled"]
    assert shop.fewest == SIZE
    assert shop.launches_from == "new"


def test_a_canary_beside_the_group_is_watched_before_any_of_its_nodes_goes_and_then_each_batch(
    shop: Shop,
) -> None:
    seen = Counter[tuple[int, int]]()
    shop.meanwhile = lambda: seen.update([(shop.images["old"], shop.images["new"])])
    shop.roll(watch_seconds=40.0)
    assert seen[SIZE, 1] >= 20
    assert seen[SIZE - 1, 1] > 20
    assert shop.images == {"new": SIZE}
    assert all(one.group for one in described(shop.cloud, "shop"))


def test_a_group_whose_canary_does_not_come_into_service_keeps_its_nodes(shop: Shop) -> None:
    old = {one.id for one in described(shop.cloud, "shop")}
    shop.stranding = shop.new
    with pytest.raises(RolledBack, match="stranded"):
        shop.roll()
    assert {one.id for one in described(shop.cloud, "shop")} == old
    assert shop.launches_from == "old"
    assert "InProgress" not in shop.refreshes


def test_a_canary_of_a_desk_that_died_is_gone_on_with(shop: Shop) -> None:
    def die_once_it_is_there() -> None:
        if shop.images["new"]:
            raise KeyboardInterrupt

    shop.meanwhile = die_once_it_is_there
    with pytest.raises(KeyboardInterrupt):
        shop.roll()
    assert shop.images == {"old": SIZE, "new": 1}
    most = Counter[str]()

    def count() -> None:
        most["beside"] = max(most["beside"], sum(not one.group for one in described(shop.cloud, "shop")))

    shop.meanwhile = count
    roll_commands.resume(shop.desk(), shop)
    assert most["beside"] == 1
    assert shop.images == {"new": SIZE}


def test_a_batch_that_was_judged_is_not_waited_for_any_longer(shop: Shop) -> None:
    shop.roll(watch_seconds=20.0)
    assert 4 * 20 <= shop.now < 200


def test_the_canary_of_a_group_is_shown_before_its_refresh(shop: Shop) -> None:
    desk = shop.desk()
    desk.dry_run = True
    shown = roll_commands.roll(desk, Order(image=shop.new), shop)
    assert [one.sign for one in shown.actions] == ["~", "+", "…", "-", "~"]
    assert shop.images == {"old": SIZE}


def test_in_place_a_group_has_no_canary_beside_it(shop: Shop) -> None:
    most = Counter[str]()
    shop.meanwhile = lambda: most.update(all=max(0, shop.images.total() - most["all"]))
    shop.roll(pace=Pace(in_place=True))
    assert most["all"] == SIZE
    assert shop.images == {"new": SIZE}


def test_a_group_that_does_worse_after_its_canary_goes_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Traffic(requests=1000, errors=400, p99_seconds=0.1)

    def by_minute(*_: object) -> dict[datetime, Traffic]:
        return {datetime.now(UTC): failing if shop.images["new"] > 1 else BUSY}

    monkeypatch.setattr(watching, "by_minute", by_minute)
    monkeypatch.setattr(roll_commands, "traffic", lambda *_: BUSY)
    with pytest.raises(RolledBack, match="requests failed"):
        shop.roll()
    assert shop.images == {"old": SIZE}


def test_a_group_goes_by_the_alarms_that_did_not_ring_before(shop: Shop) -> None:
    order = Order(pace=Pace(batch=1), watch_seconds=5)
    (kind,) = shop.desk().resolved().need.kinds
    asked = refreshing.preferences(kind, order, 20, ["a", "b"])
    assert asked["AlarmSpecification"] == {"Alarms": ["a", "b"]}
    assert asked["CheckpointPercentages"] == [*range(5, 101, 5)]
    assert refreshing.checkpoints(Order(pace=Pace(batch=2)), 3) == [66, 100]
    assert refreshing.checkpoints(Order(pace=Pace(batch=2, in_place=True)), 3) == [33, 100]


def test_a_pause_cancels_the_refresh_and_a_resume_replaces_what_is_left(shop: Shop) -> None:
    shop.pause_at_the_first_new_node()
    shop.roll()
    assert shop.refreshes == ["Cancelled"]
    assert shop.images == {"new": 1, "old": SIZE - 1}
    shop.meanwhile = lambda: None
    new = {one.id for one in described(shop.cloud, "shop") if one.image_id == shop.new}
    roll_commands.resume(shop.desk(), shop)
    assert shop.images == {"new": SIZE}
    assert shop.refreshes == ["Successful", "Cancelled", "Cancelled"]
    assert new <= {one.id for one in described(shop.cloud, "shop")}
    assert roll_record.load(shop.cloud, NAMES) is None


def test_an_abort_from_another_desk_cancels_it_and_goes_back(shop: Shop) -> None:
    def abort_once_one_is_new() -> None:
        if shop.images["new"] and "InProgress" in shop.refreshes[:1]:
            roll_record.wish(shop.cloud, NAMES, "abort")

    shop.meanwhile = abort_once_one_is_new
    with pytest.raises(RolledBack, match="it was asked for"):
        shop.roll()
    assert shop.images == {"old": SIZE}
    assert shop.refreshes == ["Successful", "Cancelled"]
    assert shop.launches_from == "old"
    assert shop.fewest == SIZE


def test_an_abort_of_what_rests_goes_back_to_the_old_image(shop: Shop) -> None:
    shop.pause_at_the_first_new_node()
    shop.roll()
    shop.meanwhile = lambda: None
    assert roll_commands.abort(shop.desk(), shop).changed
    assert shop.images == {"old": SIZE}
    assert shop.launches_from == "old"
    assert roll_record.load(shop.cloud, NAMES) is None
