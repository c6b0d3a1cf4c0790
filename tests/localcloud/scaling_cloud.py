"""Auto Scaling in this process: boto3, moto behind our hooks, and time that passes only when asked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from localcloud import cloudwatch, ec2, interruptions
from localcloud.alarm_watch import AlarmWatch
from localcloud.bodies import Bodiless, Later
from localcloud.faults import Faults
from localcloud.own_accord import act_upon
from localcloud.scaling import Scaling
from localcloud.site import ACCOUNT, Site

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]


class ScalingCloud:
    """A cloud without machines. `pass_time` lets seconds go by, and everything happen that is due in them."""

    def __init__(self, install: Callable[..., Any]) -> None:
        from moto.autoscaling.models import autoscaling_backends
        from moto.cloudwatch.models import cloudwatch_backends
        from moto.ec2.models import ec2_backends

        self.now = 1_800_000_000.0
        self.faults = Faults()
        self.later = Later(self.time)
        self.roster = Bodiless(self.later, self.faults.machine_dies)
        ec2.install(Site(), self.roster, self.faults.zone_is_full)
        # What was there before the hooks has a VPC that is not the site's; moto may hand it out again.
        ec2_backends[ACCOUNT]["us-east-1"].reset()
        cloudwatch.install()

        def groups() -> Any:
            return autoscaling_backends[ACCOUNT]["us-east-1"]

        def alarms() -> Any:
            return cloudwatch_backends[ACCOUNT]["us-east-1"]

        self.watch = AlarmWatch(lambda: [alarms()], act_upon(groups))
        self.loop = Scaling(lambda: [groups()], self.roster.record, self.watch.ringing)
        self.interruptions = interruptions.Interruptions(self.roster)
        self.interrupt = interruptions.pages(self.roster, self.time)["/local-cloud/interrupt"]
        install(self.loop, self.roster, alarms, self.time)
        self.groups, self.alarms = groups, alarms
        self.scaling, self.ec2, self.cloudwatch = map(self.client, ("autoscaling", "ec2", "cloudwatch"))

    def time(self) -> float:
        return self.now

    @staticmethod
    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        return boto3.client(service, region_name="us-east-1", **keys)

    def pass_time(self, seconds: float = 3) -> None:
        for _ in range(round(seconds)):
            self.now += 1
            self.later.run_due()
            self.interruptions.tick(self.now)
            self.watch.tick(self.now)
            self.loop.tick(self.now)

    def make(self, name: str = "web", **more: Any) -> None:
        """A launch template of two versions and a group of it, with its instances under way."""
        image = self.ec2.register_image(Name=f"image-{name}", RootDeviceName="/dev/xvda")["ImageId"]
        data = {"ImageId": image, "InstanceType": "t3.small", "UserData": "aGVsbG8="}
        self.ec2.create_launch_template(LaunchTemplateName=f"{name}-nodes", LaunchTemplateData=data)
        self.ec2.create_launch_template_version(
            LaunchTemplateName=f"{name}-nodes", LaunchTemplateData={**data, "InstanceType": "t3.micro"}
        )
        wanted = {"MinSize": 0, "MaxSize": 6, "DesiredCapacity": 2, "AvailabilityZones": ZONES, **more}
        template = {"LaunchTemplateName": f"{name}-nodes", "Version": "1"}
        self.scaling.create_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate=template, **wanted)
        self.pass_time()

    def hook(self, name: str, transition: str, **more: Any) -> None:
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName="web",
            LifecycleHookName=name,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            **{"HeartbeatTimeout": 30, **more},
        )

    def complete(self, hook: str, result: str, **by: str) -> None:
        self.scaling.complete_lifecycle_action(
            AutoScalingGroupName="web", LifecycleHookName=hook, LifecycleActionResult=result, **by
        )

    def members(self, name: str = "web") -> list[Any]:
        (group,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
        found: list[Any] = group["Instances"]
        return found

    def states(self) -> list[str]:
        return [one["LifecycleState"] for one in self.members()]

    def ids(self) -> list[str]:
        return [one["InstanceId"] for one in self.members()]

    def activities(self) -> list[Any]:
        found: list[Any] = self.scaling.describe_scaling_activities(AutoScalingGroupName="web")["Activities"]
        return found

    def ec2_state(self, instance_id: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])
