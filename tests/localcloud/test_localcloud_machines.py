"""The life of an instance, told by EC2 and by the machine itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from aws.patience import Patience, wait_for
from bake.errors import MachineLost

if TYPE_CHECKING:
    from cloud_fixture import Desk

    from aws.instance import Instance
    from aws.session import Cloud
    from bake.machine import Machine

pytestmark = pytest.mark.machines

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def mine(desk: Desk) -> Iterator[Instance]:
    """A machine of this module's own, which keeps its disk when it powers off."""
    (instance,) = desk.launch(ends_on_shutdown=False)
    yield instance
    desk.terminate(instance)


def _boot_id(desk: Desk, instance: Instance) -> str:
    try:
        with desk.machine(instance) as machine:
            return machine.run(BOOT_ID).stdout.strip()
    except MachineLost:  # it went down under the question: ask again
        return ""


def _wait_rebooted(desk: Desk, instance: Instance, before: str) -> None:
    look = lambda: _boot_id(desk, instance) not in (before, "") or None  # noqa: E731
    wait_for("the reboot", look, Patience(0.2, 60))


def test_an_instance_is_pending_then_running_and_lets_its_launch_key_in(desk: Desk) -> None:
    (instance_id,) = desk.ask()
    assert desk.describe(instance_id)["State"]["Name"] == "pending"
    described = desk.wait_for(instance_id, "running")
    instance = _instance(described)
    with desk.machine(instance) as machine:
        assert described["PrivateIpAddress"] in machine.run("hostname -I").stdout.split()
        assert machine.run("echo $SUDO_USER").stdout.strip() == "admin"
    desk.terminate(instance)


def _instance(described: Any) -> Instance:
    from aws.instance import Instance

    return Instance(described["InstanceId"], described["PrivateIpAddress"])


def test_a_reboot_is_a_new_boot_with_the_same_files(desk: Desk, mine: Instance) -> None:
    with desk.machine(mine) as machine:
        before = machine.run(BOOT_ID).stdout.strip()
        machine.run("echo kept > /root/kept; sync")
    desk.cloud.ec2.reboot_instances(InstanceIds=[mine.id])
    _wait_rebooted(desk, mine, before)
    with desk.machine(mine) as machine:
        assert machine.run("cat /root/kept").stdout == "kept\n"
    assert desk.describe(mine.id)["State"]["Name"] == "running"


def test_stop_and_start_keep_files_and_address(desk: Desk, mine: Instance) -> None:
    with desk.machine(mine) as machine:
        machine.run("echo kept > /root/stopped")
    desk.cloud.ec2.stop_instances(InstanceIds=[mine.id])
    stopped = desk.wait_for(mine.id, "stopped")
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    desk.cloud.ec2.start_instances(InstanceIds=[mine.id])
    assert desk.wait_for(mine.id, "running")["PrivateIpAddress"] == mine.address
    with desk.machine(mine) as machine:
        assert machine.run("cat /root/stopped").stdout == "kept\n"


def test_powering_off_from_inside_stops_an_instance_that_shall_stop(desk: Desk, mine: Instance) -> None:
    with desk.machine(mine) as machine:
        machine.run("systemctl poweroff --no-block")
    stopped = desk.wait_for(mine.id, "stopped")
    assert stopped["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    desk.cloud.ec2.start_instances(InstanceIds=[mine.id])
    desk.wait_for(mine.id, "running")
    with desk.machine(mine) as machine:
        assert machine.run("cat /root/stopped").stdout == "kept\n"


def test_powering_off_from_inside_ends_an_instance_that_shall_end_and_keeps_its_console(desk: Desk) -> None:
    (instance,) = desk.launch()
    with desk.machine(instance) as machine:
        machine.run("echo last words > /dev/console; systemctl poweroff --no-block")
    ended = desk.wait_for(instance.id, "terminated")
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    said = desk.cloud.ec2.get_console_output(InstanceId=instance.id)["Output"]
    assert "last words" in said
    assert not (desk.site.home / "instances" / instance.id / "upper").exists()


def test_an_instance_that_is_terminated_while_it_boots_is_soon_gone(desk: Desk) -> None:
    (instance_id,) = desk.ask()
    desk.cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    desk.wait_for(instance_id, "terminated", 30)


def test_the_console_is_the_machines_own(desk: Desk, debian: Instance, debian_machine: Machine) -> None:
    debian_machine.run("echo said-on-the-console > /dev/console")
    said = desk.cloud.ec2.get_console_output(InstanceId=debian.id)["Output"]
    assert "said-on-the-console" in said
    assert "Debian" in said


def test_six_machines_at_once_all_run_with_addresses_of_their_own(desk: Desk) -> None:
    six = desk.launch(count=6)
    assert len({one.address for one in six}) == 6
    desk.terminate(*six)


def test_a_machine_reaches_debians_mirror(debian_machine: Machine) -> None:
    ended = debian_machine.run("apt-get -o APT::Update::Error-Mode=any update", timeout_seconds=120)
    assert ended.ok, ended.output


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobody's"}, "InvalidKeyPair.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidInstanceType.NotFound"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_launch_that_names_something_unknown_is_refused_as_ec2_does(
    desk: Desk, wrong: dict[str, str], code: str
) -> None:
    known = {"ImageId": desk.debian, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
    before = _ids(desk.cloud)
    with pytest.raises(ClientError) as caught:
        desk.cloud.ec2.run_instances(**{**known, **wrong})
    assert caught.value.response["Error"]["Code"] == code
    assert _ids(desk.cloud) == before


def test_the_same_client_token_is_the_same_instance(desk: Desk) -> None:
    known = {"ImageId": desk.debian, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
    asked = [desk.cloud.ec2.run_instances(**known, ClientToken="once")["Instances"] for _ in range(2)]
    first, second = ([one["InstanceId"] for one in each] for each in asked)
    assert first == second
    desk.cloud.ec2.terminate_instances(InstanceIds=first)


def _ids(cloud: Cloud) -> set[str]:
    return {
        one["InstanceId"]
        for page in cloud.ec2.get_paginator("describe_instances").paginate()
        for group in page["Reservations"]
        for one in group["Instances"]
    }


def test_a_role_gives_a_machine_keys_that_open_its_bucket(desk: Desk) -> None:
    from aws import temporary
    from aws.ownership import Run

    run = Run()
    with (
        temporary.bucket(desk.cloud, run) as bucket,
        temporary.instance_profile(desk.cloud, run, temporary.node_policy(bucket)) as profile,
    ):
        (instance,) = desk.launch(profile=profile)
        with desk.machine(instance) as machine:
            keys = json.loads(machine.run(f"python3 - <<'E'\n{_READ_KEYS}\nE").stdout)
        theirs = boto3.client(
            "s3",
            endpoint_url=desk.site.endpoint_url,
            region_name=desk.site.region,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["Token"],
        )
        theirs.put_object(Bucket=bucket, Key="k", Body=b"from the node")
        assert desk.cloud.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"from the node"
        desk.terminate(instance)


_READ_KEYS = """
import urllib.request as web
base = "http://169.254.169.254/latest/"
def ask(method, path, **headers):
    return web.urlopen(web.Request(base + path, method=method, headers=headers), timeout=5).read().decode()
life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
token = {"X-aws-ec2-metadata-token": ask("PUT", "api/token", **life)}
role = ask("GET", "meta-data/iam/security-credentials/", **token).strip()
print(ask("GET", "meta-data/iam/security-credentials/" + role, **token))
"""
