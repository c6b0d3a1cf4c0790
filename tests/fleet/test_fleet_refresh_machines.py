"""An auto scaling group on real machines: its alarm; its roll-outs rested, gone on with, and taken back."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet_shop import Shop, shop_in_service

from fleet import alarms, roll_record
from fleet.naming import Names

if TYPE_CHECKING:
    from cloud_fixture import Desk

pytestmark = pytest.mark.machines

NAMES = Names("group")
WATCH = "--watch=2"
ALARM = """
[alarm.busy]
watch = "load1"
above = {above:.2f}
minutes = 1
"""
LOAD = 20
BUSY = (
    f"for each in $(seq {LOAD}); do"
    " timeout 40 nice -n 19 sh -c 'while :; do :; done' < /dev/null > /dev/null 2>&1 & done"
)


@pytest.fixture(scope="module")
def group(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two nodes of the site's first release, kept by an auto scaling group."""
    with shop_in_service(desk, tmp_path_factory.mktemp("state"), "group") as made:
        yield made


def test_an_alarm_on_the_load_rings_once_a_node_is_busy(group: Shop, tmp_path: Path) -> None:
    # A machine's load is that of the computer that it runs on, on which others may be at work.
    above = max(os.getloadavg()[0], *loads(group)) + 2
    watched = replace(group, file=tmp_path / "group.toml")
    watched.file.write_text(group.file.read_text() + ALARM.format(above=above))
    watched.invoke("fleet.up")
    assert alarms.ringing(group.desk.cloud, NAMES) == []
    group.invoke("fleet.ssh", f"--node={group.nodes[0].id}", f"--command={BUSY}")
    group.wait("the alarm", lambda: alarms.ringing(group.desk.cloud, NAMES) == [NAMES.of("alarm", "busy")])
    assert max(loads(group)) > above
    group.invoke("fleet.up")
    assert alarms.described(group.desk.cloud, NAMES) == {}


def test_a_roll_out_of_a_group_rests_goes_on_and_is_taken_back_without_a_failed_request(group: Shop) -> None:
    first, second = group.nodes[0].image_id, group.bake("second.toml")
    old = {one.id for one in group.nodes}
    with group.load() as load:
        roll = begun(group, second)
        group.invoke("fleet.roll", "--pause")
        said = ended(roll, code=0)
        assert "the roll-out rests" in said
        assert images(group) == {first: 1, second: 1}
        assert refreshes(group) == ["Cancelled"]
        assert releases(group) == {"first", "second"}

        group.invoke("fleet.roll", "--resume")
        assert images(group) == {second: 2}
        assert refreshes(group) == ["Successful", "Cancelled"]
        assert releases(group) == {"second"}

        roll = begun(group, first)
        group.invoke("fleet.roll", "--abort")
        said = ended(roll, code=1)
        assert "was taken back: it was asked for" in said
        assert images(group) == {second: 2}
        assert releases(group) == {"second"}
    assert not old & {one.id for one in group.nodes}
    assert roll_record.load(group.desk.cloud, NAMES) is None
    assert load.all().failed == 0
    assert sum(load.all().statuses.values()) > 100


def loads(group: Shop) -> list[float]:
    """The load of the most loaded node in each of the last minutes, as the nodes themselves publish it."""
    now = datetime.now(UTC)
    found = group.desk.cloud.cloudwatch.get_metric_statistics(
        Namespace="amibake",
        MetricName="LoadAverage1",
        Dimensions=[{"Name": "Deployment", "Value": group.name}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    return [one["Maximum"] for one in found["Datapoints"]]


def begun(group: Shop, image: str) -> subprocess.Popen[str]:
    """A roll-out whose canary has come instead of one of both nodes."""
    roll = group.begin("fleet.roll", f"--image={image}", WATCH)
    group.wait("the canary", lambda: images(group)[image] == 1 and images(group).total() == 2)
    return roll


def ended(roll: subprocess.Popen[str], code: int) -> str:
    """What it said, once it has ended."""
    told, progress = roll.communicate(timeout=120)
    assert roll.returncode == code, told + progress
    return told + progress


def images(group: Shop) -> Counter[str]:
    """How many of the group's nodes are of which image."""
    return Counter(one.image_id for one in group.nodes if one.up)


def refreshes(group: Shop) -> list[str]:
    """How the group's refreshes ended, the latest first."""
    found = group.desk.cloud.autoscaling.describe_instance_refreshes(AutoScalingGroupName=NAMES.of("web"))
    return [one["Status"] for one in found["InstanceRefreshes"]]


def releases(group: Shop) -> set[str]:
    """Who answers those that ask the load balancer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = [opener.open(f"http://{group.address}/", timeout=10) for _ in range(20)]
    return {one.read().decode().strip() for one in answers}
