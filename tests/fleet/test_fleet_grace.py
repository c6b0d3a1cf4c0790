"""The grace of an auto scaling group: measured, told, and kept while it is about right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, counted, desk, in_no_time, register_image, writes
from fleet_wanted import BORN, deployment, node, settled, wanted
from hypothesis import given
from hypothesis import strategies as st

from aws.ownership import tag_list
from fleet import operations, scaling_groups
from fleet.grace import grace
from fleet.node import Node
from fleet.node_actions import PutScaling
from fleet.outcome import Done
from fleet.plan import plan
from fleet.scaling_rules import Scaling

if TYPE_CHECKING:
    from aws.session import Cloud

SCALING: dict[str, Any] = {"min": 2, "max": 6, "target_cpu_percent": 60}
RULES = Scaling(("web",), 2, 6, target_cpu_percent=60)
ADMITTED = 60


def booted(seconds: float, **more: Any) -> Node:
    since = (BORN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return node(1, **{"launched": BORN, "since": since, **more})


@pytest.mark.parametrize(
    ("one", "seconds"),
    [
        (booted(7.5), 7.5),
        (booted(7.5, bootstrap_state="booting"), None),
        (booted(7.5, bootstrap_state="stranded"), None),
        (booted(3600), None),
        (booted(-1), None),
        (booted(1, since=""), None),
        (booted(1, since="yesterday"), None),
        (booted(1, since="2026-11-23T12:00:05"), None),
    ],
    ids=["told", "booting", "stranded", "rebooted since", "before", "silent", "no time", "no zone"],
)
def test_a_boot_is_from_the_launch_to_the_node_s_own_word(one: Node, seconds: float | None) -> None:
    assert one.boot_seconds == seconds


@pytest.mark.parametrize(
    ("there", "boots", "seconds", "why"),
    [
        (None, [], 120, "no boot has been measured yet"),
        (300, [], 300, "no boot has been measured yet"),
        (None, [5, 20, 10], 150, "the slowest boot took 20 s"),
        (120, [50], 270, "the slowest boot took 50 s"),
        (120, [2], 90, "the slowest boot took 2 s"),
        (270, [60], 270, "the slowest boot took 60 s"),
        (270, [30], 270, "the slowest boot took 30 s"),
        (270, [110], 510, "the slowest boot took 110 s"),
    ],
)
def test_a_grace_is_four_boots_and_what_admitting_takes_unless_what_there_is_will_do(
    there: int | None, boots: list[int], seconds: int, why: str
) -> None:
    found = grace(RULES, ADMITTED, [booted(one) for one in boots], there)
    assert (found.seconds, found.why) == (seconds, why)


def test_what_the_file_says_wins() -> None:
    said = Scaling(("web",), 2, 6, target_cpu_percent=60, grace_seconds=77)
    assert str(grace(said, ADMITTED, [booted(50)], 120)) == "grace of 77 s"


@given(st.floats(15, 600), st.floats(0.7, 1.4), st.integers(44, 2000), st.sampled_from([None, 120]))
def test_boots_that_differ_a_little_do_not_make_it_flap(
    slowest: float, times: float, admitted: int, there: int | None
) -> None:
    one, other = [booted(slowest)], [booted(slowest * times)]
    first = grace(RULES, admitted, one, there).seconds
    assert grace(RULES, admitted, one, first).seconds == first
    raised = grace(RULES, admitted, other, first).seconds
    assert grace(RULES, admitted, one, raised).seconds == raised
    assert grace(RULES, admitted, other, raised).seconds == raised


def test_the_plan_shows_it_and_where_it_comes_from() -> None:
    shall = wanted(scaling=SCALING)
    (put,) = [one for one in plan(shall, settled(shall)).actions if isinstance(one, PutScaling)]
    assert put.details == ("2 to 6 nodes", "grace of 120 s: no boot has been measured yet")


# --- in an account ---


@pytest.fixture(autouse=True)
def account(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    in_no_time(monkeypatch)
    register_image()
    with booting(mock_cloud), group_boots_in(mock_cloud, 50):
        yield


@contextmanager
def group_boots_in(cloud: Cloud, seconds: float) -> Iterator[None]:
    """The nodes of a new group say that they took so long."""

    def tell(**_: Any) -> None:
        for reservation in cloud.ec2.describe_instances()["Reservations"]:
            for one in reservation["Instances"]:
                since: datetime = one["LaunchTime"] + timedelta(seconds=seconds)
                told = {"bootstrap:state": "operational", "bootstrap:since": since.isoformat()}
                cloud.ec2.create_tags(Resources=[one["InstanceId"]], Tags=tag_list(told))

    cloud.autoscaling.meta.events.register("after-call.auto-scaling.CreateAutoScalingGroup", tell)
    try:
        yield
    finally:
        cloud.autoscaling.meta.events.unregister("after-call.auto-scaling.CreateAutoScalingGroup", tell)


def up(cloud: Cloud, **scaling: Any) -> Done:
    file = deployment(scaling={**SCALING, **scaling}, bucket=None, inputs=None, dns=None)
    done = operations.up(desk(cloud, file))
    assert isinstance(done, Done)
    return done


def grace_there(cloud: Cloud) -> int:
    return scaling_groups.described(cloud, "shop")["web"].grace_seconds


def test_up_sets_the_grace_by_the_first_boots_and_a_second_up_changes_nothing(mock_cloud: Cloud) -> None:
    made, measured = [one for one in up(mock_cloud).changed if "auto scaling group" in one]
    assert made.endswith("(2 to 6 nodes; grace of 120 s: no boot has been measured yet)")
    # The shop's check admits a node within 44 s.
    assert measured.endswith("(2 to 6 nodes; grace of 270 s: the slowest boot took 50 s)")
    assert grace_there(mock_cloud) == 270
    with counted(mock_cloud) as calls:
        assert up(mock_cloud).changed == ()
    assert writes(calls) == []


def test_a_grace_that_the_file_names_is_set_at_once_and_kept(mock_cloud: Cloud) -> None:
    assert len([one for one in up(mock_cloud, grace_seconds=77).changed if "auto scaling" in one]) == 1
    assert grace_there(mock_cloud) == 77
    assert up(mock_cloud, grace_seconds=77).changed == ()


def test_other_limits_leave_a_measured_grace_as_it_is(mock_cloud: Cloud) -> None:
    up(mock_cloud)
    assert any("2 to 9 nodes" in one for one in up(mock_cloud, max=9).changed)
    assert grace_there(mock_cloud) == 270
