"""Refreshes, policies, alarms and schedules through the API, with time of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from scaling_cloud import ScalingCloud

from localcloud import own_accord
from localcloud.schedule import Cron, Plan

LOAD = {"Namespace": "Test", "MetricName": "load", "Dimensions": [{"Name": "of", "Value": "web"}]}
SECOND = {"LaunchTemplate": {"LaunchTemplateName": "web-nodes", "Version": "2"}}


@pytest.fixture
def cloud(unhooked: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScalingCloud]:
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        cloud = ScalingCloud(own_accord.hook)
        # The metrics' own clock is this computer's: what is put must not be too old for it.
        cloud.now = datetime.now(UTC).timestamp() // 60 * 60
        yield cloud


def put(cloud: ScalingCloud, value: float, minutes: int) -> None:
    """Have had a load for so many minutes that are over."""
    end = cloud.now // 60 * 60
    data = [
        {**{k: v for k, v in LOAD.items() if k != "Namespace"}, "Timestamp": end - 60 * n, "Value": value}
        for n in range(1, minutes + 1)
    ]
    cloud.cloudwatch.put_metric_data(Namespace="Test", MetricData=data)


def refresh(cloud: ScalingCloud, **more: Any) -> str:
    wanted = {"Preferences": {"InstanceWarmup": 2, "MinHealthyPercentage": 50}, **more}
    return str(
        cloud.scaling.start_instance_refresh(AutoScalingGroupName="web", **wanted)["InstanceRefreshId"]
    )


def refreshed(cloud: ScalingCloud) -> Any:
    return cloud.scaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"][0]


def versions(cloud: ScalingCloud) -> set[str]:
    return {one["LaunchTemplate"]["Version"] for one in cloud.members()}


def track(cloud: ScalingCloud, target: float = 50.0, **more: Any) -> Any:
    metric = {**LOAD, "Statistic": "Average"}
    return cloud.scaling.put_scaling_policy(
        AutoScalingGroupName="web",
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "TargetValue": target,
            "CustomizedMetricSpecification": metric,
            **more,
        },
    )


def test_a_refresh_brings_a_new_template_and_the_group_keeps_it(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=4)
    refresh(cloud, DesiredConfiguration=SECOND)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        refresh(cloud)
    cloud.pass_time(40)
    assert refreshed(cloud)["Status"] == "Successful"
    assert versions(cloud) == {"2"}
    (group,) = cloud.scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["LaunchTemplate"]["Version"] == "2"


def test_a_refresh_skips_what_matches_already(cloud: ScalingCloud) -> None:
    cloud.make()
    before = cloud.ids()
    refresh(cloud, Preferences={"SkipMatching": True})
    cloud.pass_time()
    assert refreshed(cloud)["Status"] == "Successful"
    assert cloud.ids() == before


def test_a_cancelled_refresh_leaves_both_kinds(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=4)
    refresh(cloud, DesiredConfiguration=SECOND, Preferences={"InstanceWarmup": 20})
    cloud.pass_time(5)
    cloud.scaling.cancel_instance_refresh(AutoScalingGroupName="web")
    cloud.pass_time(10)
    assert refreshed(cloud)["Status"] == "Cancelled"
    assert versions(cloud) == {"1", "2"}
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        cloud.scaling.cancel_instance_refresh(AutoScalingGroupName="web")


def test_a_refresh_is_rolled_back_by_hand(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=4)
    refresh(cloud, DesiredConfiguration=SECOND)
    cloud.pass_time(5)
    assert "2" in versions(cloud)
    cloud.scaling.rollback_instance_refresh(AutoScalingGroupName="web")
    cloud.pass_time(40)
    assert refreshed(cloud)["Status"] == "RollbackSuccessful"
    assert refreshed(cloud)["RollbackDetails"]["RollbackReason"] == "Rollback initiated by user request."
    assert versions(cloud) == {"1"}


def test_an_alarm_rolls_a_refresh_back(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=4)
    cloud.cloudwatch.put_metric_alarm(
        AlarmName="errors", Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold", **LOAD,
    )  # fmt: skip
    preferences = {
        "InstanceWarmup": 10,
        "MinHealthyPercentage": 50,
        "AutoRollback": True,
        "AlarmSpecification": {"Alarms": ["errors"]},
    }
    refresh(cloud, DesiredConfiguration=SECOND, Preferences=preferences)
    cloud.pass_time(5)
    put(cloud, 9.0, 1)
    cloud.pass_time(60)
    assert refreshed(cloud)["Status"] == "RollbackSuccessful"
    assert versions(cloud) == {"1"}


def test_a_rollback_by_itself_needs_fixed_versions(cloud: ScalingCloud) -> None:
    cloud.make()
    latest = {"LaunchTemplate": {"LaunchTemplateName": "web-nodes", "Version": "$Latest"}}
    for desired in ({}, {"DesiredConfiguration": latest}):
        with pytest.raises(ClientError, match="ValidationError"):
            refresh(cloud, Preferences={"AutoRollback": True}, **desired)


def test_alarms_are_listed_by_name_and_state_at_once(cloud: ScalingCloud) -> None:
    alarm = {
        "Statistic": "Average", "Period": 60, "EvaluationPeriods": 2, "Threshold": 50.0,
        "ComparisonOperator": "GreaterThanThreshold", **LOAD,
    }  # fmt: skip
    for name in ("web-quiet", "web-busy", "other"):
        cloud.cloudwatch.put_metric_alarm(AlarmName=name, **alarm)
    for name in ("web-busy", "other"):
        cloud.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    found = cloud.cloudwatch.describe_alarms(AlarmNamePrefix="web-", StateValue="ALARM")
    assert [one["AlarmName"] for one in found["MetricAlarms"]] == ["web-busy"]


def test_an_alarm_begins_with_insufficient_data_and_keeps_its_state(cloud: ScalingCloud) -> None:
    alarm = {
        "AlarmName": "busy", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 2, "Threshold": 50.0,
        "ComparisonOperator": "GreaterThanThreshold", **LOAD,
    }  # fmt: skip
    cloud.cloudwatch.put_metric_alarm(**alarm)

    def state() -> str:
        return str(cloud.cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"])

    assert state() == "INSUFFICIENT_DATA"
    put(cloud, 90.0, 2)
    cloud.pass_time(10)
    assert state() == "ALARM"
    cloud.cloudwatch.put_metric_alarm(**{**alarm, "Threshold": 60.0})
    assert state() == "ALARM"
    (item,) = cloud.cloudwatch.describe_alarm_history(AlarmName="busy")["AlarmHistoryItems"]
    assert item["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"


def test_a_target_is_tracked_up_at_once_and_down_slowly(cloud: ScalingCloud) -> None:
    cloud.make(MinSize=1, DefaultInstanceWarmup=5)
    made = track(cloud)
    assert ["AlarmHigh" in made["Alarms"][0]["AlarmName"], "AlarmLow" in made["Alarms"][1]["AlarmName"]] == [
        True,
        True,
    ]
    put(cloud, 90.0, 3)
    cloud.pass_time(12)
    assert len(cloud.ids()) == 4
    assert (
        "triggered policy track changing the desired capacity from 2 to 4" in (cloud.activities()[0]["Cause"])
    )
    put(cloud, 10.0, 3)
    cloud.pass_time(30)
    assert len(cloud.ids()) == 4


def test_a_target_long_missed_from_below_shrinks_the_group(cloud: ScalingCloud) -> None:
    cloud.make(DesiredCapacity=5, MinSize=1, DefaultInstanceWarmup=0)
    track(cloud)
    put(cloud, 20.0, 17)
    cloud.pass_time(12)
    assert len(cloud.ids()) == 2


def test_a_target_may_be_tracked_upwards_alone(cloud: ScalingCloud) -> None:
    cloud.make()
    assert len(track(cloud, DisableScaleIn=True)["Alarms"]) == 1


def test_a_policy_takes_its_alarms_with_it(cloud: ScalingCloud) -> None:
    cloud.make()
    track(cloud)
    track(cloud, 70.0)
    assert len(cloud.cloudwatch.describe_alarms()["MetricAlarms"]) == 2
    cloud.scaling.delete_policy(AutoScalingGroupName="web", PolicyName="track")
    assert cloud.cloudwatch.describe_alarms()["MetricAlarms"] == []
    assert cloud.scaling.describe_policies()["ScalingPolicies"] == []


def test_two_groups_may_have_policies_and_schedules_of_one_name(cloud: ScalingCloud) -> None:
    cloud.make("web")
    cloud.make("job")
    for name in ("web", "job"):
        cloud.scaling.put_scaling_policy(
            AutoScalingGroupName=name, PolicyName="more", AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=1,
        )  # fmt: skip
        cloud.scaling.put_scheduled_update_group_action(
            AutoScalingGroupName=name, ScheduledActionName="night", Recurrence="0 22 * * *", MinSize=0
        )
    assert len(cloud.scaling.describe_policies()["ScalingPolicies"]) == 2
    assert len(cloud.scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]) == 2
    cloud.scaling.execute_policy(AutoScalingGroupName="job", PolicyName="more")
    cloud.pass_time()
    assert (len(cloud.members("web")), len(cloud.members("job"))) == (2, 3)


def test_steps_follow_an_alarm(cloud: ScalingCloud) -> None:
    cloud.make(MaxSize=6, DefaultInstanceWarmup=600)
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
    ]
    cloud.pass_time(610)  # those that were there from the beginning are warm
    arn = cloud.scaling.put_scaling_policy(
        AutoScalingGroupName="web", PolicyName="steps", PolicyType="StepScaling",
        AdjustmentType="ChangeInCapacity", StepAdjustments=steps,
    )["PolicyARN"]  # fmt: skip
    cloud.cloudwatch.put_metric_alarm(
        AlarmName="busy", Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=50.0,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn], **LOAD,
    )  # fmt: skip
    put(cloud, 60.0, 1)
    cloud.pass_time(30)
    assert len(cloud.ids()) == 3
    put(cloud, 90.0, 1)  # on average 75
    cloud.pass_time(8)
    assert len(cloud.ids()) == 5


def test_a_scheduled_action_happens_once_and_is_gone(cloud: ScalingCloud) -> None:
    cloud.make()
    cloud.scaling.put_scheduled_update_group_action(
        AutoScalingGroupName="web", ScheduledActionName="more", MinSize=3, DesiredCapacity=4,
        StartTime=datetime.fromtimestamp(cloud.now + 10, UTC),
    )  # fmt: skip
    cloud.pass_time(5)
    assert len(cloud.ids()) == 2
    cloud.pass_time(8)
    assert len(cloud.ids()) == 4
    assert (
        "a scheduled action update of AutoScalingGroup constraints to min: 3, max: 6, desired: 4"
        in (cloud.activities()[0]["Cause"])
    )
    assert cloud.scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"] == []


@pytest.mark.parametrize(
    ("expression", "when", "due"),
    [
        ("30 8 * * *", "2026-11-23T08:30", True),
        ("30 8 * * *", "2026-11-23T08:31", False),
        ("*/15 * * * *", "2026-11-23T08:45", True),
        ("*/15 * * * *", "2026-11-23T08:50", False),
        ("0 9-17 * * MON-FRI", "2026-11-23T12:00", True),  # a Monday
        ("0 9-17 * * MON-FRI", "2026-11-22T12:00", False),
        ("0 0 1,15 JAN *", "2026-01-15T00:00", True),
        ("0 0 1,15 JAN *", "2026-02-15T00:00", False),
        ("0 0 1 * SUN", "2026-11-22T00:00", True),  # either day will do
        ("0 0 * * 7", "2026-11-22T00:00", True),
        ("5/20 * * * *", "2026-11-22T00:45", True),
    ],
)
def test_cron_expressions_are_read_as_cron_does(expression: str, when: str, due: bool) -> None:
    assert Cron.parse(expression).matches(datetime.fromisoformat(when)) is due


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "61 * * * *", "* * * * FOO", "5-1 * * * *", "*/0 * * * *"]
)
def test_a_cron_expression_that_makes_no_sense_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cron.parse(expression)


def test_a_plan_is_due_once_for_each_of_its_minutes() -> None:
    plan = Plan(cron=Cron.parse("* * * * *"))
    assert [plan.due(since, since + 1) for since in (58.5, 59.5, 60.5)] == [False, True, False]
    assert not Plan(cron=Cron.parse("* * * * *"), end=30).due(59, 61)
    assert Plan(start=50).due(60, 61)
    assert not Plan(start=90).due(60, 61)
