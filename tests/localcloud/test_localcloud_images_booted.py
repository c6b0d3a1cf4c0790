"""An image that was registered from a snapshot boots on a machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aws.session import Cloud

pytestmark = pytest.mark.machines

_LEAVE_A_FILE = """#!/bin/sh
echo left by the first machine > /var/lib/left-behind
echo FILE-IS-WRITTEN > /dev/console
"""
_SHOW_THE_FILE = """#!/bin/sh
echo "FOUND: $(cat /var/lib/left-behind)" > /dev/console
"""


@pytest.fixture
def ec2(cloud: Cloud) -> Any:
    return cloud.ec2


@pytest.fixture
def launched(ec2: Any) -> Iterator[Callable[[str, str], str]]:
    """Launch an instance of an image with user data; all are terminated in the end."""
    ids: list[str] = []

    def launch(image: str, user_data: str) -> str:
        made = ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", UserData=user_data
        )
        ids.append(made["Instances"][0]["InstanceId"])
        ec2.get_waiter("instance_running").wait(InstanceIds=[ids[-1]], WaiterConfig={"Delay": 1})
        return ids[-1]

    yield launch
    if ids:
        ec2.terminate_instances(InstanceIds=ids)


def console_says(ec2: Any, instance: str, wanted: str) -> str:
    deadline = time.monotonic() + 120
    while True:
        said = str(ec2.get_console_output(InstanceId=instance)["Output"])
        if wanted in said:
            return said
        assert time.monotonic() < deadline, f"the console never said {wanted!r}: {said[-1500:]}"
        time.sleep(0.5)


def test_an_image_registered_from_a_snapshot_boots_with_the_files_of_the_first_machine(
    cloud: Cloud, ec2: Any, launched: Callable[[str, str], str]
) -> None:
    parameter = "/aws/service/debian/release/13/latest/amd64"
    debian = cloud.ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
    first = launched(debian, _LEAVE_A_FILE)
    console_says(ec2, first, "FILE-IS-WRITTEN")
    name = f"left-behind-{time.time_ns()}"
    image = ec2.create_image(InstanceId=first, Name=name)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
    (made,) = ec2.describe_images(ImageIds=[image])["Images"]
    snapshot = made["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.deregister_image(ImageId=image)

    again = ec2.register_image(
        Name=f"{name}-again",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName=made["RootDeviceName"],
        BlockDeviceMappings=[{"DeviceName": made["RootDeviceName"], "Ebs": {"SnapshotId": snapshot}}],
    )["ImageId"]
    try:
        second = launched(again, _SHOW_THE_FILE)
        assert "FOUND: left by the first machine" in console_says(ec2, second, "FOUND:")
    finally:
        ec2.deregister_image(ImageId=again, DeleteAssociatedSnapshots=True)
