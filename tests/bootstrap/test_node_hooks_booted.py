"""Nodes of an auto scaling group with a lifecycle hook: held at its door, let in, or replaced."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cloud_fixture import KEY_NAME
from node_machines import Cluster, unique

from aws.instance import wait_running
from aws.patience import Patience, wait_for
from aws.userdata import node_user_data
from bootstrap.typed import array

pytestmark = pytest.mark.machines

PATIENCE = Patience(0.3, 180)
HOOK = "booted"


class Group:
    """A group of one node behind a load balancer that is the group's, with a hook for those that come."""

    def __init__(self, cluster: Cluster, balancer: str) -> None:
        self.cluster, self.balancer, self.name = cluster, balancer, unique("nodes")
        self.scaling = boto3.client("autoscaling")
        self.began = time.time()

    def begin(self, inputs: dict[str, str], boot_list: list[str]) -> None:
        """Make the group and have it launch."""
        (zone,) = {one["AvailabilityZone"] for one in self._subnets()}
        told = node_user_data({"CLASSIC_LOAD_BALANCERS": array(self.balancer), **inputs}, {"boot": boot_list})
        data: Any = {
            "ImageId": self.cluster.image_id,
            "InstanceType": "t3.small",
            "KeyName": KEY_NAME,
            "SecurityGroupIds": [self.cluster.group],
            "IamInstanceProfile": {"Name": self.cluster.profile},
            "UserData": base64.b64encode(told.encode()).decode(),
        }
        self.ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name, MinSize=0, MaxSize=2, DesiredCapacity=0,
            LaunchTemplate={"LaunchTemplateName": self.name}, AvailabilityZones=[zone],
            LoadBalancerNames=[self.balancer],
        )  # fmt: skip
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName=self.name, LifecycleHookName=HOOK, HeartbeatTimeout=30,
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        )  # fmt: skip
        self.scaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=1)

    def end(self) -> None:
        """Remove it with its nodes."""
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True)
        wait_for("the group's end", lambda: not self.members() or None, PATIENCE)
        self.ec2.delete_launch_template(LaunchTemplateName=self.name)

    @property
    def ec2(self) -> Any:
        return self.cluster.desk.cloud.ec2

    def members(self) -> dict[str, str]:
        """Instance -> lifecycle state."""
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return {
            one["InstanceId"]: one["LifecycleState"]
            for group in found["AutoScalingGroups"]
            for one in group["Instances"]
        }

    def first(self, *states: str) -> str:
        """A member once it is in one of these states."""

        def look() -> str | None:
            return next((one for one, state in self.members().items() if state in states), None)

        return wait_for(f"a node {' or '.join(states)}", look, PATIENCE)

    def called(self, action: str, instance_id: str) -> int:
        """How often a node called something."""
        address = self.cluster.desk.describe(instance_id)["PrivateIpAddress"]
        calls = self.cluster.calls(self.began)
        return sum(one["caller"] == address and one["action"] == action for one in calls)

    def _subnets(self) -> list[Any]:
        """Those of the load balancer: its zones are the group's."""
        found = self.cluster.elb.describe_load_balancers(LoadBalancerNames=[self.balancer])
        ids = found["LoadBalancerDescriptions"][0]["Subnets"]
        return list(self.ec2.describe_subnets(SubnetIds=ids)["Subnets"])


@pytest.fixture
def group(cluster: Cluster, balancer: str, at_the_cloud: None) -> Iterator[Group]:
    group = Group(cluster, balancer)
    try:
        yield group
    finally:
        group.end()


def test_a_node_is_held_outside_with_heartbeats_until_its_boot_list_is_done(group: Group) -> None:
    group.begin({}, ["configure", "hold", "apache", "register"])
    node = group.first("Pending:Wait")
    wait_for(
        "two heartbeats", lambda: group.called("RecordLifecycleActionHeartbeat", node) > 1 or None, PATIENCE
    )
    assert group.members() == {node: "Pending:Wait"}
    assert group.cluster.health(group.balancer, node) == ""
    (running,) = wait_running(group.cluster.desk.cloud, (node,))
    with group.cluster.desk.machine(running) as machine:
        machine.run("touch /var/lib/go")
        group.first("InService")
        assert group.cluster.wait_for_state(node, "operational", "stranded") == "operational"
        done = machine.run("journalctl -b -u node-bootstrap").stdout
    assert f"auto scaling: {group.name}/{HOOK} completed: CONTINUE" in done
    serving = wait_for(
        "in service", lambda: group.cluster.health(group.balancer, node) == "InService" or None, PATIENCE
    )
    assert serving
    # The load balancer is the group's: it registers its nodes.
    assert group.called("RegisterInstancesWithLoadBalancer", node) == 0
    assert group.called("CompleteLifecycleAction", node) == 1


def test_a_node_whose_script_fails_is_abandoned_and_replaced_without_having_served(group: Group) -> None:
    parameter = unique("late")
    group.begin({"MESSAGE": f"cred:/{parameter}"}, ["configure", "apache", "register"])
    failed = group.first("Pending:Wait")
    group.cluster.wait_for_state(failed, "stranded")
    boto3.client("ssm").put_parameter(Name=f"/{parameter}", Value="here now", Type="SecureString")
    served = group.first("InService")
    assert served != failed
    group.cluster.desk.wait_for(failed, "terminated", 120)
    assert group.called("CompleteLifecycleAction", failed) == 1
    assert group.called("RegisterInstancesWithLoadBalancer", failed) == 0
    activities = group.scaling.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"]
    (abandoned,) = [
        one for one in activities if failed in one["Description"] and "Launching" in one["Description"]
    ]
    assert abandoned["StatusCode"] == "Cancelled"
    # Said by the node itself: a group that hears nothing ends a node too, as a "Heartbeat Timeout".
    assert abandoned["StatusMessage"].endswith("Lifecycle Action Completed with ABANDON Result")
