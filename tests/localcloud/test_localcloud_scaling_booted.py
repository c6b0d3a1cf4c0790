"""Auto Scaling with real machines: hooks that hold them, one that is broken and replaced, and a refresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloud_fixture import KEY_NAME, Desk, environment, site_of_its_own

from aws.instance import wait_running
from aws.patience import Patience, wait_for
from aws.session import connect
from localcloud import control
from localcloud.site import Site

pytestmark = pytest.mark.machines

NAME = "scaled"
# Single-core-second work on a busy computer may take a minute; nothing here is timed.
BUDGET = Patience(0.5, 240)
TARGET_STATE = (
    "T=$(python3 -c \"import urllib.request as u;r=u.Request('http://169.254.169.254/latest/api/token',"
    "method='PUT',headers={'X-aws-ec2-metadata-token-ttl-seconds':'60'});"
    'print(u.urlopen(r).read().decode())"); '
    "python3 -c \"import sys,urllib.request as u;r=u.Request('http://169.254.169.254/latest/meta-data/"
    "autoscaling/target-lifecycle-state',headers={'X-aws-ec2-metadata-token':sys.argv[1]});"
    'print(u.urlopen(r).read().decode())" "$T"'
)


class Scaled:
    """A group of one machine behind a classic load balancer that checks whether it takes SSH."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        cloud = desk.cloud
        session = cloud.ec2.meta
        self.scaling = _client("autoscaling", session.endpoint_url, session.region_name)
        self.elb = _client("elb", session.endpoint_url, session.region_name)

    def members(self) -> dict[str, str]:
        """Instance -> lifecycle state."""
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"]
        return {one["InstanceId"]: one["LifecycleState"] for group in found for one in group["Instances"]}

    def wait(self, what: str, is_so: Callable[[dict[str, str]], object]) -> dict[str, str]:
        """The members once something is so of them."""
        return wait_for(what, lambda: ((found := self.members()) and is_so(found) and found) or None, BUDGET)

    def wait_healthy(self, number: int) -> None:
        """Until the load balancer sends connections to so many."""

        def look() -> object:
            found = self.elb.describe_instance_health(LoadBalancerName=NAME)["InstanceStates"]
            return [one["State"] for one in found] == ["InService"] * number or None

        wait_for(f"{number} healthy", look, BUDGET)

    def machine(self, instance_id: str) -> Any:
        """A root shell on a member."""
        (running,) = wait_running(self.desk.cloud, (instance_id,))
        return self.desk.machine(running)

    def hook(self, transition: str, **more: Any) -> None:
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName=NAME,
            LifecycleHookName=transition,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            HeartbeatTimeout=600,
            **more,
        )

    def complete(self, transition: str, instance_id: str) -> None:
        """Let a waiting instance go on, and take its hook away."""
        self.scaling.complete_lifecycle_action(
            AutoScalingGroupName=NAME,
            LifecycleHookName=transition,
            InstanceId=instance_id,
            LifecycleActionResult="CONTINUE",
        )
        self.scaling.delete_lifecycle_hook(AutoScalingGroupName=NAME, LifecycleHookName=transition)


def _client(service: str, endpoint: str, region: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, endpoint_url=endpoint, region_name=region, **keys)


@pytest.fixture
def scaled(desk: Desk) -> Iterator[Scaled]:
    scaled = Scaled(desk)
    ec2 = desk.cloud.ec2
    template = {"ImageId": desk.debian, "InstanceType": "t3.small", "KeyName": KEY_NAME}
    ec2.create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData=template)
    # Members of the default group let each other in: so must the load balancer be one.
    (default,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    scaled.elb.create_load_balancer(
        LoadBalancerName=NAME,
        SecurityGroups=[default["GroupId"]],
        AvailabilityZones=["us-east-1a", "us-east-1b"],
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 22, "InstancePort": 22}],
    )
    check = {"Target": "TCP:22", "Interval": 5, "Timeout": 4, "HealthyThreshold": 2, "UnhealthyThreshold": 2}
    scaled.elb.configure_health_check(LoadBalancerName=NAME, HealthCheck=check)
    scaled.scaling.create_auto_scaling_group(
        AutoScalingGroupName=NAME, MinSize=0, MaxSize=3, DesiredCapacity=0,
        LaunchTemplate={"LaunchTemplateName": NAME, "Version": "1"},
        AvailabilityZones=["us-east-1a", "us-east-1b"], LoadBalancerNames=[NAME],
        HealthCheckType="ELB", HealthCheckGracePeriod=60,
    )  # fmt: skip
    try:
        yield scaled
    finally:
        scaled.scaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
        wait_for("the group's end", lambda: not scaled.members() or None, BUDGET)
        scaled.elb.delete_load_balancer(LoadBalancerName=NAME)
        ec2.delete_launch_template(LaunchTemplateName=NAME)


def test_a_machine_is_held_served_replaced_refreshed_and_let_go(scaled: Scaled) -> None:
    scaled.hook("LAUNCHING")
    scaled.scaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=1)
    (first,) = scaled.wait("a machine on hold", lambda found: [*found.values()] == ["Pending:Wait"])
    with scaled.machine(first) as machine:
        assert machine.run(TARGET_STATE).stdout.strip() == "InService"
        assert scaled.elb.describe_load_balancers()["LoadBalancerDescriptions"][0]["Instances"] == []
        scaled.complete("LAUNCHING", first)
        scaled.wait("the machine in service", lambda found: found == {first: "InService"})
        scaled.wait_healthy(1)
        machine.run("systemctl mask --now ssh.socket ssh.service")

    scaled.wait("another in its place", lambda found: first not in found and "InService" in found.values())
    scaled.wait_healthy(1)
    (second,) = scaled.members()
    causes = [
        one["Cause"]
        for one in scaled.scaling.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"]
    ]
    assert any("ELB system health check failure" in cause for cause in causes)

    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 1}
    scaled.scaling.start_instance_refresh(AutoScalingGroupName=NAME, Preferences=preferences)

    def refreshed() -> object:
        found = scaled.scaling.describe_instance_refreshes(AutoScalingGroupName=NAME)["InstanceRefreshes"]
        return found[0]["Status"] == "Successful" or None

    wait_for("the refresh", refreshed, BUDGET)
    (third,) = scaled.wait("the new alone", lambda found: second not in found)

    scaled.hook("TERMINATING", DefaultResult="CONTINUE")
    scaled.scaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=0)
    scaled.wait("it to wait for its end", lambda found: found == {third: "Terminating:Wait"})
    with scaled.machine(third) as machine:
        assert machine.run(TARGET_STATE).stdout.strip() == "Terminated"
    scaled.complete("TERMINATING", third)
    scaled.desk.wait_for(third, "terminated", 120)


def test_groups_and_alarms_survive_the_daemon_being_killed() -> None:
    with site_of_its_own(bodies=False) as site:
        control.up(site)
        with environment(site):
            cloud = connect()
            images = cloud.ec2.describe_images()["Images"]
            data = {"ImageId": images[0]["ImageId"], "InstanceType": "t3.small"}
            cloud.ec2.create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData=data)
            scaling = _client("autoscaling", site.endpoint_url, site.region)
            alarms = _client("cloudwatch", site.endpoint_url, site.region)
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=NAME, MinSize=0, MaxSize=3, DesiredCapacity=2,
            LaunchTemplate={"LaunchTemplateName": NAME}, AvailabilityZones=["us-east-1a", "us-east-1b"],
        )  # fmt: skip
        track = {
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        }
        scaling.put_scaling_policy(
            AutoScalingGroupName=NAME, PolicyName="cpu", PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=track,
        )  # fmt: skip

        def members() -> list[str]:
            (group,) = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
            return sorted(
                one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"
            )

        wait_for("both in service", lambda: len(members()) == 2 or None, BUDGET)
        before, rung = members(), [one["AlarmName"] for one in alarms.describe_alarms()["MetricAlarms"]]
        activities = len(scaling.describe_scaling_activities()["Activities"])
        _kill_once_saved(site)
        control.up(site)
        assert members() == before
        assert [one["AlarmName"] for one in alarms.describe_alarms()["MetricAlarms"]] == rung
        assert len(scaling.describe_scaling_activities()["Activities"]) == activities
        cloud.ec2.terminate_instances(InstanceIds=before[:1])
        wait_for("a replacement", lambda: len(set(members()) | {before[0]}) == 3 or None, BUDGET)


def _kill_once_saved(site: Site) -> None:
    """Kill the daemon as nobody can prepare for, after it had the time to save what it was told."""
    import os
    import signal
    import time

    time.sleep(4)
    os.kill(int(site.pid_file.read_text()), signal.SIGKILL)
    wait_for("the daemon's end", lambda: not control.status(site)["running"] or None, BUDGET)
