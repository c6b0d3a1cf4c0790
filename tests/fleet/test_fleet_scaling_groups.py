"""What Auto Scaling is told of a [scaling] table: every call, as it leaves the desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, counted, desk, in_no_time, register_image, writes
from fleet_wanted import deployment

from fleet import operations, service
from fleet.errors import NotUp
from fleet.node import described
from fleet.outcome import Done

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.deployment import Deployment

SCALING: dict[str, Any] = {"min": 2, "max": 6, "target_cpu_percent": 60}
Calls = dict[str, dict[str, Any]]


def shop(front: str = "classic", zones: list[str] | None = None, **scaling: Any) -> Deployment:
    return deployment(
        scaling=scaling or SCALING,
        load_balancer={"front": {"type": front}},
        tags={"team": "photos"},
        bucket=None,
        inputs=None,
        dns=None,
        zones=zones,
    )


@pytest.fixture(autouse=True)
def account(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    in_no_time(monkeypatch)
    # Nobody boots in moto's groups, and nobody is waited for.
    monkeypatch.setattr(service, "_TIMES_SLOWER", 0)
    register_image()
    with booting(mock_cloud):
        yield


@contextmanager
def heard(cloud: Cloud) -> Iterator[Calls]:
    """What each call to Auto Scaling said, by operation; of several of one kind, the last."""
    calls: Calls = {}

    def hear(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls[model.name] = params

    cloud.autoscaling.meta.events.register("provide-client-params.auto-scaling", hear)
    try:
        yield calls
    finally:
        cloud.autoscaling.meta.events.unregister("provide-client-params.auto-scaling", hear)


def told(cloud: Cloud, file: Deployment) -> Calls:
    """What an up tells Auto Scaling."""
    with heard(cloud) as calls, suppress(NotUp):
        operations.up(desk(cloud, file))
    return calls


def test_a_node_is_held_until_it_says_itself_that_it_is_operational(mock_cloud: Cloud) -> None:
    (hook,) = told(mock_cloud, shop())["CreateAutoScalingGroup"]["LifecycleHookSpecificationList"]
    assert hook == {
        "LifecycleHookName": "amibake-boot",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "HeartbeatTimeout": 600,
        "DefaultResult": "ABANDON",
    }


def test_no_hook_holds_a_node_that_goes_as_nobody_would_complete_it(mock_cloud: Cloud) -> None:
    made = told(mock_cloud, shop())
    hooks = made["CreateAutoScalingGroup"]["LifecycleHookSpecificationList"]
    assert "autoscaling:EC2_INSTANCE_TERMINATING" not in [one["LifecycleTransition"] for one in hooks]
    assert "PutLifecycleHook" not in made


def test_the_group_goes_by_the_load_balancers_checks_after_a_grace(mock_cloud: Cloud) -> None:
    made = told(mock_cloud, shop(**SCALING, grace_seconds=77, warm_up_seconds=33))
    group = made["CreateAutoScalingGroup"]
    assert (group["HealthCheckType"], group["HealthCheckGracePeriod"]) == ("ELB", 77)
    assert group["LoadBalancerNames"] == ["shop-front"]
    assert group["TargetGroupARNs"] == []
    assert group["DefaultInstanceWarmup"] == 33
    assert made["PutScalingPolicy"]["EstimatedInstanceWarmup"] == 33


def test_without_a_load_balancer_the_group_goes_by_ec2s_checks(mock_cloud: Cloud) -> None:
    alone = deployment(
        scaling=SCALING,
        template={"web": {"count": 2}},
        **dict.fromkeys(("load_balancer", "bucket", "inputs", "dns")),
    )
    assert told(mock_cloud, alone)["CreateAutoScalingGroup"]["HealthCheckType"] == "EC2"


@pytest.mark.parametrize("front", ["application", "network"])
def test_other_types_are_attached_by_their_target_group(mock_cloud: Cloud, front: str) -> None:
    group = told(mock_cloud, shop(front))["CreateAutoScalingGroup"]
    (target,) = mock_cloud.elbv2.describe_target_groups()["TargetGroups"]
    assert group["TargetGroupARNs"] == [target["TargetGroupArn"]]
    assert group["LoadBalancerNames"] == []


@pytest.mark.parametrize("protected", [True, False])
def test_limits_and_protection_are_the_files(mock_cloud: Cloud, protected: bool) -> None:
    group = told(mock_cloud, shop(**SCALING, protected=protected))["CreateAutoScalingGroup"]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (2, 6, 2)
    assert group["NewInstancesProtectedFromScaleIn"] is protected


@pytest.mark.parametrize(
    ("zones", "count"), [(None, 3), (["eu-central-1a", "eu-central-1c"], 2), (["eu-central-1b"], 1)]
)
def test_the_group_spreads_over_the_files_zones(
    mock_cloud: Cloud, zones: list[str] | None, count: int
) -> None:
    group = told(mock_cloud, shop(zones=zones))["CreateAutoScalingGroup"]
    chosen = group["VPCZoneIdentifier"].split(",")
    found = mock_cloud.ec2.describe_subnets(SubnetIds=chosen)["Subnets"]
    assert len(chosen) == count
    assert {one["AvailabilityZone"] for one in found} == set(
        zones or [one["AvailabilityZone"] for one in found]
    )
    assert len({one["AvailabilityZone"] for one in found}) == count


def test_the_launch_template_is_named_by_a_version_that_a_refresh_can_go_back_from(mock_cloud: Cloud) -> None:
    group = told(mock_cloud, shop())["CreateAutoScalingGroup"]
    (template,) = mock_cloud.ec2.describe_launch_templates()["LaunchTemplates"]
    assert group["LaunchTemplate"] == {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"}


def test_nodes_are_known_by_the_groups_tags_and_get_the_files_from_the_launch_template(
    mock_cloud: Cloud,
) -> None:
    made = told(mock_cloud, shop())
    tags = {one["Key"]: one["PropagateAtLaunch"] for one in made["CreateAutoScalingGroup"]["Tags"]}
    assert tags["amibake:deployment"] is tags["amibake:template"] is True
    assert tags["amibake:digest"] is tags["team"] is False
    launched = mock_cloud.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    found = {one["Key"]: one["Value"] for one in launched["Tags"]}
    assert (found["amibake:deployment"], found["amibake:template"], found["team"]) == (
        "shop",
        "web",
        "photos",
    )


def test_the_digest_is_written_after_all_that_it_stands_for(mock_cloud: Cloud) -> None:
    made = told(
        mock_cloud, shop(**SCALING, schedule=[{"name": "m", "cron": "0 6 * * *", "min": 1, "max": 2}])
    )
    born = {one["Key"]: one["Value"] for one in made["CreateAutoScalingGroup"]["Tags"]}
    assert born["amibake:digest"] == ""
    changing = [one for one in made if not one.startswith("Describe")]
    assert changing[-1] == "CreateOrUpdateTags"
    (digest,) = made["CreateOrUpdateTags"]["Tags"]
    assert (digest["Key"], len(digest["Value"])) == ("amibake:digest", 16)


def test_a_target_of_cpu_is_tracked(mock_cloud: Cloud) -> None:
    policy = told(mock_cloud, shop())["PutScalingPolicy"]
    assert policy["PolicyType"] == "TargetTrackingScaling"
    assert policy["TargetTrackingConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 60.0,
    }


def test_a_target_of_requests_is_tracked_by_the_application_load_balancer_and_its_targets(
    mock_cloud: Cloud,
) -> None:
    policy = told(mock_cloud, shop("application", min=2, max=6, requests_per_target=900))["PutScalingPolicy"]
    (balancer,) = mock_cloud.elbv2.describe_load_balancers()["LoadBalancers"]
    (group,) = mock_cloud.elbv2.describe_target_groups()["TargetGroups"]
    tracked = policy["TargetTrackingConfiguration"]
    assert tracked["TargetValue"] == 900.0
    metric = tracked["PredefinedMetricSpecification"]
    assert metric["PredefinedMetricType"] == "ALBRequestCountPerTarget"
    # As AWS has it: app/NAME/ID/targetgroup/NAME/ID, the ends of both ARNs.
    first, _, second = metric["ResourceLabel"].partition("/targetgroup/")
    assert first.startswith("app/shop-front/")
    assert balancer["LoadBalancerArn"].endswith(f"loadbalancer/{first}")
    assert group["TargetGroupArn"].endswith(f":targetgroup/{second}")


def test_a_schedule_is_put_and_what_the_file_names_no_more_is_deleted(mock_cloud: Cloud) -> None:
    morning = {"name": "morning", "cron": "0 6 * * *", "min": 4, "max": 6}
    evening = {"name": "evening", "cron": "0 20 * * *", "min": 1, "max": 2}
    put = told(mock_cloud, shop(**SCALING, schedule=[morning]))["PutScheduledUpdateGroupAction"]
    assert put == {
        "AutoScalingGroupName": "amibake-shop-web",
        "ScheduledActionName": "morning",
        "Recurrence": "0 6 * * *",
        "MinSize": 4,
        "MaxSize": 6,
    }
    changed = told(mock_cloud, shop(**SCALING, schedule=[evening]))
    assert changed["DeleteScheduledAction"]["ScheduledActionName"] == "morning"
    assert changed["PutScheduledUpdateGroupAction"]["ScheduledActionName"] == "evening"


def test_other_limits_update_the_group_without_a_word_on_how_many_nodes_it_has(mock_cloud: Cloud) -> None:
    told(mock_cloud, shop())
    wider = told(mock_cloud, shop(min=3, max=9, target_cpu_percent=70))
    assert "CreateAutoScalingGroup" not in wider
    update = wider["UpdateAutoScalingGroup"]
    assert (update["MinSize"], update["MaxSize"]) == (3, 9)
    assert "DesiredCapacity" not in update
    assert wider["PutScalingPolicy"]["TargetTrackingConfiguration"]["TargetValue"] == 70.0


def test_a_second_up_makes_no_call_that_could_change_anything(mock_cloud: Cloud) -> None:
    told(mock_cloud, shop())
    tags: Any = [{"Key": "bootstrap:state", "Value": "operational"}]
    mock_cloud.ec2.create_tags(Resources=[one.id for one in described(mock_cloud, "shop")], Tags=tags)
    with counted(mock_cloud) as calls:
        again = operations.up(desk(mock_cloud, shop()))
    assert isinstance(again, Done)
    assert (again.changed, again.degraded) == ((), False)
    assert writes(calls) == []
