"""An auto scaling group on real machines: its alarm, its roll-outs, a node that dies; plain nodes instead."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet_shop import SERVED_SECONDS, THRESHOLD_SECONDS, Shop, shop_in_service

from fleet import alarms, lb, roll_record, scaling_groups
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


def test_an_image_that_its_health_check_refuses_costs_a_group_neither_a_node_nor_a_request(
    group: Shop,
) -> None:
    refused, old = group.bake("refused.toml"), {one.id for one in group.nodes}
    before = refreshes(group)
    with group.load() as load:
        taken_back = group.invoke("fleet.roll", f"--image={refused}", WATCH, code=1)
    assert "was taken back: new nodes do not come into service" in taken_back.stderr
    assert "health check" in taken_back.stderr
    assert {one.id for one in group.nodes} == old
    assert all(one.group for one in group.nodes)
    # Of all that were begun, none replaced a node: the way back finds nothing to do.
    assert refreshes(group)[: -len(before)] == ["Successful"]
    assert load.all().failed == 0


def test_a_node_that_dies_costs_requests_until_the_threshold_only_and_the_group_replaces_it(
    group: Shop,
) -> None:
    dead, stays = group.nodes
    with group.load() as load:
        time.sleep(3)
        died = time.monotonic()
        group.kill_machine(dead)
        group.wait("the replacement", lambda: serving(group) - {dead.id, stays.id})
        time.sleep(max(0.0, died + THRESHOLD_SECONDS - time.monotonic()) + SERVED_SECONDS)
    lost = load.all(since=died, until=died + THRESHOLD_SECONDS).failed
    after = load.all(since=died + THRESHOLD_SECONDS)
    print(f"{lost} requests failed before the threshold, {after.failed} after it")  # noqa: T201 - a figure
    assert serving(group) == {one.id for one in group.nodes}
    assert dead.id not in serving(group)
    assert len(serving(group)) == 2
    assert load.all(until=died - 1).failed == 0
    assert after.failed == 0
    assert sum(after.statuses.values()) > 100


def test_a_group_becomes_plain_nodes_and_they_a_group_without_a_failed_request(
    group: Shop, tmp_path: Path
) -> None:
    text = group.file.read_text()
    plain = replace(group, file=tmp_path / "group.toml")
    plain.file.write_text(text[: text.index("[scaling]")])
    with group.load() as load:
        theirs = {one.id for one in group.nodes}
        plain.invoke("fleet.up")
        own = {one.id for one in group.nodes}
        assert not own & theirs
        assert [one.group for one in group.nodes] == ["", ""]
        assert scaling_groups.described(group.desk.cloud, group.name) == {}
        assert changed(plain) == []

        group.invoke("fleet.up")
        assert not own & {one.id for one in group.nodes}
        assert [bool(one.group) for one in group.nodes] == [True, True]
        assert changed(group) == []
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
    """A roll-out that watches the new node that came instead of one of the group's both."""
    roll = group.begin("fleet.roll", f"--image={image}", "--watch=10")
    group.wait("the group's own", lambda: images(group)[image] == 1 and images(group).total() == 2)
    return roll


def ended(roll: subprocess.Popen[str], code: int) -> str:
    """What it said, once it has ended."""
    told, progress = roll.communicate(timeout=120)
    assert roll.returncode == code, told + progress
    return told + progress


def images(group: Shop) -> Counter[str]:
    """How many of the group's own nodes are of which image."""
    return Counter(one.image_id for one in group.nodes if one.up and one.group)


def serving(group: Shop) -> set[str]:
    """The nodes that the load balancer sends requests to."""
    seen = lb.health(group.desk.cloud, group.balancer)
    return {one for one, its in seen.items() if its.state == "healthy"}


def changed(shop: Shop) -> list[str]:
    """What another `fleet.up` changes."""
    told: list[str] = json.loads(shop.invoke("fleet.up", "--json").stdout)["changed"]
    return told


def refreshes(group: Shop) -> list[str]:
    """How the group's refreshes ended, the latest first."""
    found = group.desk.cloud.autoscaling.describe_instance_refreshes(AutoScalingGroupName=NAMES.of("web"))
    return [one["Status"] for one in found["InstanceRefreshes"]]


def releases(group: Shop) -> set[str]:
    """Who answers those that ask the load balancer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = [opener.open(f"http://{group.address}/", timeout=10) for _ in range(20)]
    return {one.read().decode().strip() for one in answers}
