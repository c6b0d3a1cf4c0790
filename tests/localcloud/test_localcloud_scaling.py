"""Auto Scaling through its API: groups, lifecycle hooks, health, standby, activities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from scaling_cloud import ZONES, ScalingCloud

from localcloud import own_accord


@pytest.fixture
def cloud(unhooked: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScalingCloud]:
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield ScalingCloud(own_accord.hook)


def test_a_group_spreads_its_instances_over_its_zones(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=5)
    zones = sorted(one["AvailabilityZone"] for one in cloud.members())
    assert zones == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b", "us-east-1c"]
    assert set(cloud.states()) == {"InService"}


def test_a_launch_hook_holds_instances_until_completed(cloud: ScalingCloud) -> None:
    first = {
        "LifecycleHookName": "up",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "HeartbeatTimeout": 60,
    }
    cloud.make(LifecycleHookSpecificationList=[first])
    cloud.pass_time(10)
    assert cloud.states() == ["Pending:Wait"] * 2
    one, other = cloud.ids()
    cloud.complete("up", "CONTINUE", InstanceId=one)
    cloud.pass_time()
    assert cloud.states() == ["InService", "Pending:Wait"]
    cloud.complete("up", "ABANDON", InstanceId=other)
    cloud.pass_time()
    assert other not in cloud.ids()
    cancelled = next(one for one in cloud.activities() if one["StatusCode"] == "Cancelled")
    assert "was abandoned: Lifecycle Action Completed with ABANDON Result" in cancelled["StatusMessage"]


def test_an_instance_waits_for_its_token_too_and_not_for_a_wrong_one(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=0)
    cloud.hook("up", "LAUNCHING")
    cloud.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    cloud.pass_time()
    with pytest.raises(ClientError, match="No active Lifecycle Action found with token"):
        cloud.complete("up", "CONTINUE", LifecycleActionToken="0" * 36)
    (member,) = cloud.groups().autoscaling_groups["web"].instance_states
    cloud.complete("up", "CONTINUE", LifecycleActionToken=member.waits[0].token)
    cloud.pass_time()
    assert cloud.states() == ["InService"]
    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
        cloud.complete("up", "CONTINUE", InstanceId=cloud.ids()[0])


def test_a_hook_runs_out_unless_its_heart_beats(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=1)
    cloud.hook("down", "TERMINATING", DefaultResult="CONTINUE")
    (gone,) = cloud.ids()
    cloud.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    cloud.pass_time(25)
    assert cloud.states() == ["Terminating:Wait"]
    cloud.scaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName="web", LifecycleHookName="down", InstanceId=gone
    )
    cloud.pass_time(25)
    assert cloud.states() == ["Terminating:Wait"]
    cloud.pass_time(10)
    assert cloud.states() == []
    assert cloud.ec2_state(gone) == "terminated"


def test_what_ec2_ended_is_replaced(cloud: ScalingCloud) -> None:
    cloud.make()
    gone, kept = cloud.ids()
    cloud.ec2.terminate_instances(InstanceIds=[gone])
    cloud.pass_time(5)
    assert kept in cloud.ids()
    assert gone not in cloud.ids()
    assert cloud.states() == ["InService"] * 2
    launched, ended, *_ = cloud.activities()
    assert "EC2 health check indicating it has been terminated or stopped" in ended["Cause"]
    assert "an unhealthy instance needing to be replaced" in launched["Cause"]


def test_an_instance_called_unhealthy_is_replaced_after_its_grace(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=1, HealthCheckGracePeriod=60)
    (sick,) = cloud.ids()
    cloud.scaling.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    cloud.pass_time()
    assert cloud.ids() == [sick]
    cloud.scaling.set_instance_health(
        InstanceId=sick, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
    cloud.pass_time(5)
    assert sick not in cloud.ids()
    assert cloud.states() == ["InService"]


def test_a_load_balancers_opinion_counts_after_the_grace_period(
    cloud: ScalingCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.client("elb").create_load_balancer(
        LoadBalancerName="front",
        AvailabilityZones=ZONES,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}],
    )
    cloud.make(LoadBalancerNames=["front"], HealthCheckType="ELB", HealthCheckGracePeriod=20)
    sick, well = cloud.ids()
    registered = cloud.groups().elb_backend.get_load_balancer("front").instance_ids
    assert sorted(registered) == sorted([sick, well])

    def health(self: Any, lb_name: str, instances: list[dict[str, str]]) -> list[dict[str, str]]:
        return [
            {**one, "State": "OutOfService" if one["InstanceId"] == sick else "InService"}
            for one in instances
        ]

    monkeypatch.setattr("moto.elb.models.ELBBackend.describe_instance_health", health)
    cloud.pass_time(10)
    assert sick in cloud.ids()
    cloud.pass_time(20)
    assert sick not in cloud.ids()
    assert well in cloud.ids()
    assert sick not in cloud.groups().elb_backend.get_load_balancer("front").instance_ids


def test_an_instance_leaves_its_load_balancer_before_its_hook_holds_it(
    cloud: ScalingCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.client("elb").create_load_balancer(
        LoadBalancerName="front",
        AvailabilityZones=ZONES,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}],
    )
    cloud.make(LoadBalancerNames=["front"], DesiredCapacity=1)
    cloud.hook("down", "TERMINATING")
    busy = [True]

    def health(self: Any, lb_name: str, instances: list[dict[str, str]]) -> list[dict[str, str]]:
        text = "Instance deregistration currently in progress." if busy[0] else "N/A"
        return [{**one, "State": "InService", "Description": text} for one in instances]

    monkeypatch.setattr("moto.elb.models.ELBBackend.describe_instance_health", health)
    cloud.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    cloud.pass_time(10)
    assert cloud.states() == ["Terminating"]
    assert cloud.activities()[0]["StatusCode"] == "WaitingForELBConnectionDraining"
    assert cloud.groups().elb_backend.get_load_balancer("front").instance_ids == []
    busy[0] = False
    cloud.pass_time(2)
    assert cloud.states() == ["Terminating:Wait"]


def test_a_zone_without_room_is_left_to_the_others_and_balanced_later(cloud: ScalingCloud) -> None:
    cloud.faults.fill_zone("us-east-1a")
    cloud.make(DesiredCapacity=3)
    zones = sorted(one["AvailabilityZone"] for one in cloud.members())
    assert zones == ["us-east-1b", "us-east-1b", "us-east-1c"]
    failed = [one for one in cloud.activities() if one["StatusCode"] == "Failed"]
    assert "InsufficientInstanceCapacity" in failed[0]["StatusMessage"]
    assert "choosing us-east-1b, us-east-1c" in failed[0]["StatusMessage"]
    cloud.faults.clear()
    cloud.pass_time(20)
    assert sorted(one["AvailabilityZone"] for one in cloud.members()) == ZONES


def test_machines_that_do_not_boot_are_not_launched_again_and_again(cloud: ScalingCloud) -> None:
    cloud.faults.lose_machines(100)
    cloud.make(DesiredCapacity=1, AvailabilityZones=["us-east-1a"])
    cloud.pass_time(60)
    assert 2 < len(cloud.activities()) < 8
    cloud.faults.clear()
    cloud.pass_time(120)
    assert cloud.states() == ["InService"]


def test_suspended_processes_rest(cloud: ScalingCloud) -> None:
    cloud.make()
    cloud.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    cloud.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)
    cloud.pass_time()
    assert len(cloud.ids()) == 2
    cloud.scaling.resume_processes(AutoScalingGroupName="web")
    cloud.pass_time()
    assert len(cloud.ids()) == 3


def test_standby_counts_out_and_in(cloud: ScalingCloud) -> None:
    cloud.make()
    one, _ = cloud.ids()
    told = cloud.scaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True
    )["Activities"]
    assert "shrinking the capacity from 2 to 1" in told[0]["Cause"]
    cloud.pass_time(5)
    assert sorted(cloud.states()) == ["InService", "Standby"]
    cloud.scaling.exit_standby(AutoScalingGroupName="web", InstanceIds=[one])
    cloud.pass_time(5)
    assert cloud.states() == ["InService"] * 2


def test_standby_without_shrinking_brings_another(cloud: ScalingCloud) -> None:
    cloud.make(MinSize=2)
    one, _ = cloud.ids()
    with pytest.raises(ClientError, match="please update the AutoScalingGroup sizes"):
        cloud.scaling.enter_standby(
            AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True
        )
    cloud.scaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=False
    )
    cloud.pass_time(5)
    assert sorted(cloud.states()) == ["InService", "InService", "Standby"]


def test_an_instance_is_detached_and_attached_alive(cloud: ScalingCloud) -> None:
    cloud.make()
    one, _ = cloud.ids()
    cloud.scaling.detach_instances(
        AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True
    )
    cloud.pass_time(5)
    assert one not in cloud.ids()
    assert cloud.ec2_state(one) == "running"
    cloud.scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[one])
    cloud.pass_time(5)
    assert one in cloud.ids()
    assert len(cloud.ids()) == 2


def test_one_instance_is_ended_with_or_without_the_group_shrinking(cloud: ScalingCloud) -> None:
    cloud.make(MinSize=1)
    one, other = cloud.ids()
    cloud.scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=one, ShouldDecrementDesiredCapacity=True
    )
    cloud.pass_time(5)
    assert cloud.ids() == [other]
    with pytest.raises(ClientError, match="desiredSize equals minSize"):
        cloud.scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=other, ShouldDecrementDesiredCapacity=True
        )
    cloud.scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=other, ShouldDecrementDesiredCapacity=False
    )
    cloud.pass_time(5)
    assert other not in cloud.ids()
    assert cloud.states() == ["InService"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"MinSize": 9}, "Max bound, 6, must be greater than or equal to min bound, 9"),
        ({"DesiredCapacity": 7}, "Desired capacity:7 must be between"),
    ],
)
def test_sizes_that_cannot_be_are_refused(cloud: ScalingCloud, wanted: dict[str, int], said: str) -> None:
    cloud.make()
    with pytest.raises(ClientError, match=said):
        cloud.scaling.update_auto_scaling_group(AutoScalingGroupName="web", **wanted)


def test_new_limits_carry_the_desired_capacity_with_them(cloud: ScalingCloud) -> None:
    cloud.make()
    cloud.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=4)
    cloud.pass_time()
    assert len(cloud.ids()) == 4
    assert (
        "update of AutoScalingGroup constraints to min: 4, max: 6, desired: 4"
        in (cloud.activities()[0]["Cause"])
    )


def test_a_group_that_is_not_there_is_told_so(cloud: ScalingCloud) -> None:
    for call in ("set_desired_capacity", "start_instance_refresh", "describe_instance_refreshes"):
        more = {"DesiredCapacity": 1} if call == "set_desired_capacity" else {}
        with pytest.raises(ClientError, match="AutoScalingGroup name not found"):
            getattr(cloud.scaling, call)(AutoScalingGroupName="none", **more)


def test_a_group_with_instances_is_deleted_only_by_force(cloud: ScalingCloud) -> None:
    cloud.make()
    cloud.hook("down", "TERMINATING")
    one, _ = cloud.ids()
    with pytest.raises(ClientError, match="ResourceInUse"):
        cloud.scaling.delete_auto_scaling_group(AutoScalingGroupName="web")
    cloud.scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    cloud.pass_time(5)
    assert cloud.scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert cloud.ec2_state(one) == "terminated"


def test_warm_pools_are_refused(cloud: ScalingCloud) -> None:
    cloud.make()
    with pytest.raises(ClientError, match="no warm pools"):
        cloud.scaling.put_warm_pool(AutoScalingGroupName="web")


def test_activities_and_instances_come_in_pages(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=6)
    pages = cloud.scaling.get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName="web", PaginationConfig={"PageSize": 4}
    )
    assert [len(one["Activities"]) for one in pages] == [4, 2]
    pages = cloud.scaling.get_paginator("describe_auto_scaling_instances").paginate(
        PaginationConfig={"PageSize": 4}
    )
    assert [len(one["AutoScalingInstances"]) for one in pages] == [4, 2]


def test_an_interrupted_instance_is_told_then_ended_then_replaced(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=1)
    (taken,) = cloud.ids()
    cloud.interrupt({"instance_id": taken, "seconds": 10})
    assert cloud.roster.record(taken).interruption  # type: ignore[union-attr]
    cloud.pass_time(8)
    assert cloud.ids() == [taken]
    cloud.pass_time(6)
    assert taken not in cloud.ids()
    assert cloud.states() == ["InService"]


@pytest.mark.parametrize("wanted", [{"instance_id": "i-none"}, {"instance_id": "", "action": "hibernate"}])
def test_what_cannot_be_interrupted_is_refused(cloud: ScalingCloud, wanted: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a running instance"):
        cloud.interrupt(wanted)
