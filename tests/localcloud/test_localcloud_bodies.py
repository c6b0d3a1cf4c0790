"""Instances without machines, a thousand of them, and how they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from scaling_cloud import ScalingCloud

from localcloud import own_accord
from localcloud.bodies import Bodiless, Later
from localcloud.cpu import CpuMetrics, Usage, used_seconds, utilization
from localcloud.errors import LocalCloudError
from localcloud.listing import Described, fingerprint
from localcloud.loop import Loop
from localcloud.site import site_from_environment


@pytest.fixture
def cloud(unhooked: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScalingCloud]:
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield ScalingCloud(own_accord.hook)


def run(cloud: ScalingCloud, count: int = 1, **more: Any) -> list[str]:
    image = cloud.ec2.register_image(Name=f"image-{cloud.now}", RootDeviceName="/dev/xvda")["ImageId"]
    cloud.now += 1
    made = cloud.ec2.run_instances(
        ImageId=image, InstanceType="t3.small", MinCount=count, MaxCount=count, **more
    )
    return [one["InstanceId"] for one in made["Instances"]]


def described(cloud: ScalingCloud, **more: Any) -> list[Any]:
    pages = cloud.ec2.get_paginator("describe_instances").paginate(**more)
    return [one for page in pages for group in page["Reservations"] for one in group["Instances"]]


def test_an_instance_without_a_machine_goes_through_all_states(cloud: ScalingCloud) -> None:
    (one,) = run(cloud)
    assert cloud.ec2_state(one) == "pending"
    cloud.pass_time(2)
    assert cloud.ec2_state(one) == "running"
    assert cloud.ec2.describe_instance_status()["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "ok"
    for call, states in (
        ("stop_instances", ("stopping", "stopped")),
        ("start_instances", ("pending", "running")),
        ("terminate_instances", ("shutting-down", "terminated")),
    ):
        getattr(cloud.ec2, call)(InstanceIds=[one])
        assert cloud.ec2_state(one) == states[0]
        cloud.pass_time(2)
        assert cloud.ec2_state(one) == states[1]


def test_what_was_under_way_when_the_cloud_ended_goes_on(cloud: ScalingCloud) -> None:
    (one,) = run(cloud)
    record = cloud.roster.record(one)
    later = Later(cloud.time)
    again = Bodiless(later)
    again.restore([record])
    cloud.now += 2
    later.run_due()
    assert record is not None
    assert record.state == "running"


def test_there_is_no_disk_to_make_an_image_of(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="machines are off"):
        Bodiless(Later()).capture(type("Record", (), {"id": "i-1"}), tmp_path, reboot=False)


def test_a_zone_is_chosen_by_who_launches_or_by_where_there_is_room(cloud: ScalingCloud) -> None:
    assert zone_of(cloud, run(cloud, Placement={"AvailabilityZone": "us-east-1c"})[0]) == "us-east-1c"
    assert zone_of(cloud, run(cloud)[0]) == "us-east-1a"
    cloud.faults.fill_zone("us-east-1a")
    assert zone_of(cloud, run(cloud)[0]) == "us-east-1b"
    with pytest.raises(ClientError, match=r"InsufficientInstanceCapacity.*\(us-east-1a\)"):
        run(cloud, Placement={"AvailabilityZone": "us-east-1a"})


def zone_of(cloud: ScalingCloud, instance_id: str) -> str:
    (found,) = described(cloud, InstanceIds=[instance_id])
    return str(found["Placement"]["AvailabilityZone"])


def test_instances_come_in_pages_that_may_part_a_reservation(cloud: ScalingCloud) -> None:
    ids = run(cloud, 7) + run(cloud, 6)
    pages = list(cloud.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    counts = [sum(len(group["Instances"]) for group in page["Reservations"]) for page in pages]
    assert counts == [5, 5, 3]
    assert [one["InstanceId"] for one in described(cloud, PaginationConfig={"PageSize": 5})] == ids
    assert len(pages[1]["Reservations"]) == 2


def test_ids_and_pages_exclude_each_other(cloud: ScalingCloud) -> None:
    (one,) = run(cloud)
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        cloud.ec2.describe_instances(InstanceIds=[one], MaxResults=5)


def test_what_changes_is_shown(cloud: ScalingCloud) -> None:
    (one,) = run(cloud)
    cloud.pass_time(2)
    group = cloud.ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
    seen = [shown(cloud)]
    cloud.ec2.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": "first"}])
    seen.append(shown(cloud))
    cloud.ec2.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": "second"}])
    seen.append(shown(cloud))
    cloud.ec2.modify_instance_attribute(InstanceId=one, Groups=[group])
    seen.append(shown(cloud))
    cloud.ec2.modify_instance_metadata_options(InstanceId=one, HttpTokens="required")
    seen.append(shown(cloud))
    cloud.ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "t3.large"})
    seen.append(shown(cloud))
    cloud.ec2.stop_instances(InstanceIds=[one])
    seen.append(shown(cloud))
    assert len({str(one) for one in seen}) == len(seen)
    assert seen[2]["Tags"] == [{"Key": "Name", "Value": "second"}]
    assert seen[3]["SecurityGroups"][0]["GroupId"] == group
    assert seen[4]["MetadataOptions"]["HttpTokens"] == "required"
    assert seen[5]["InstanceType"] == "t3.large"


def shown(cloud: ScalingCloud) -> Any:
    (found,) = described(cloud)
    return found


def test_a_description_is_made_once_while_nothing_changes(cloud: ScalingCloud) -> None:
    (one,) = run(cloud)
    record = cloud.roster.record(one)
    descriptions = Described()
    assert descriptions.item(record, lambda _: "first") == "first"
    assert descriptions.item(record, lambda _: "second") == "first"
    before = fingerprint(record)
    cloud.ec2.create_tags(Resources=[one], Tags=[{"Key": "a", "Value": "b"}])
    assert fingerprint(record) != before
    assert descriptions.item(record, lambda _: "new") == "new"


def test_bodies_are_machines_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALCLOUD_BODIES", "none")
    assert not site_from_environment().bodies
    monkeypatch.setenv("LOCALCLOUD_BODIES", "some")
    with pytest.raises(LocalCloudError, match="LOCALCLOUD_BODIES=some is not known"):
        site_from_environment()


@pytest.mark.parametrize(
    ("used", "passed", "vcpus", "percent"),
    [
        (5.0, 10.0, 1, 50.0),
        (5.0, 10.0, 2, 25.0),
        (30.0, 10.0, 2, 100.0),
        (-1.0, 10.0, 1, None),
        (1.0, 0.0, 1, None),
    ],
)
def test_cpu_is_of_all_processors(used: float, passed: float, vcpus: int, percent: float | None) -> None:
    assert utilization(Usage(0, 10), Usage(passed, 10 + used), vcpus) == percent


def test_cpu_of_running_machines_is_put_into_cloudwatch(cloud: ScalingCloud, tmp_path: Path) -> None:
    cloud.make(DesiredCapacity=1)
    (one,) = cloud.ids()
    (tmp_path / one).mkdir()
    stat = tmp_path / one / "cpu.stat"
    metrics = CpuMetrics(tmp_path, cloud.roster, cloud.alarms, lambda _: 2)
    stat.write_text("usage_usec 1000000\nuser_usec 5\n")
    metrics.tick(1000)
    stat.write_text("usage_usec 6000000\nuser_usec 5\n")
    metrics.tick(1005)  # too early
    metrics.tick(1010)
    found = cloud.cloudwatch.list_metrics(Namespace="AWS/EC2")["Metrics"]
    assert sorted(one["Dimensions"][0]["Name"] for one in found) == ["AutoScalingGroupName", "InstanceId"]
    assert used_seconds(stat.read_text()) == 6.0


def test_a_work_that_fails_is_told_once_and_stops_no_other() -> None:
    told: list[str] = []
    done: list[float] = []
    changed: list[int] = []

    def fails(_: float) -> bool:
        raise ValueError("broken")

    def works(now: float) -> bool:
        done.append(now)
        return True

    from contextlib import nullcontext

    loop = Loop([fails, works], nullcontext, lambda: changed.append(1), told.append, lambda: 5.0)
    loop.turn()
    loop.turn()
    assert (len(told), done, len(changed)) == (1, [5.0, 5.0], 2)
    assert "broken" in told[0]
