"""Instances, waited for; where they go; and the way in to AWS."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto_fixture import FakeClock, refusal

from aws import place
from aws.errors import AwsError, InstanceLost, NoAccess, NotThere, OutOfPatience
from aws.instance import Launch, console_tail, describe, launch, launched, stop, terminate, wait_running
from aws.keys import SshKey
from aws.patience import Patience
from aws.session import connect

if TYPE_CHECKING:
    from pathlib import Path

    from aws.session import Cloud

Failing = Callable[[str, str, Exception], None]


class FakeEc2:
    """Tells of one instance, a state a look; the last one for ever."""

    def __init__(self, *states: str, reason: str = "", console: str = "") -> None:
        self._states = list(states)
        self._reason = reason
        self._console = console

    def describe_instances(self, InstanceIds: list[str]) -> Any:  # noqa: N803 (boto3's name)
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        found = {"InstanceId": InstanceIds[0], "State": {"Name": state}, "PrivateIpAddress": "10.0.0.9"}
        if self._reason:
            found["StateReason"] = {"Message": self._reason}
        return {"Reservations": [{"Instances": [found]}]}

    def get_console_output(self, InstanceId: str) -> dict[str, str]:  # noqa: N803
        return {"Output": self._console}

    def stop_instances(self, InstanceIds: list[str]) -> None:  # noqa: N803
        """Say nothing, as the states say it."""


def _cloud(ec2: object) -> Any:
    return SimpleNamespace(ec2=ec2, region="eu-central-1")


def test_an_instance_that_runs_is_returned_with_its_address(clock: FakeClock) -> None:
    (found,) = wait_running(_cloud(FakeEc2("pending", "pending", "running")), ["i-1"], clock=clock)
    assert (found.id, found.address) == ("i-1", "10.0.0.9")
    assert len(clock.slept) == 2


@pytest.mark.parametrize("state", ["shutting-down", "terminated", "stopping", "stopped"])
def test_an_instance_that_ends_before_it_runs_is_lost_with_its_reason(clock: FakeClock, state: str) -> None:
    ec2 = FakeEc2("pending", state, reason="Client.VolumeLimitExceeded", console="one\nkernel panic\n")
    with pytest.raises(InstanceLost, match=r"i-1 ended before it ran: Client\.VolumeLimit") as caught:
        wait_running(_cloud(ec2), ["i-1"], clock=clock)
    assert str(caught.value).endswith("kernel panic")
    assert "get-console-output --instance-id i-1" in caught.value.hint


def test_an_instance_that_ends_without_a_reason_says_so(clock: FakeClock) -> None:
    with pytest.raises(InstanceLost, match="EC2 gives no reason"):
        wait_running(_cloud(FakeEc2("terminated")), ["i-1"], clock=clock)


def test_an_instance_that_stays_pending_costs_the_budget_and_no_more(clock: FakeClock) -> None:
    with pytest.raises(OutOfPatience, match="i-1: becoming `running` took more than 30 s"):
        wait_running(_cloud(FakeEc2("pending")), ["i-1"], Patience(1, 30), clock)
    assert clock.now == 30


def test_an_instance_that_is_terminated_while_it_stops_is_lost(clock: FakeClock) -> None:
    with pytest.raises(InstanceLost, match="i-1 was terminated while it was to stop"):
        stop(_cloud(FakeEc2("stopping", "terminated")), "i-1", clock=clock)


def test_a_console_that_is_not_to_be_had_is_empty(mock_cloud: Cloud, failing: Failing) -> None:
    failing("ec2", "GetConsoleOutput", refusal("UnauthorizedOperation"))
    assert console_tail(mock_cloud, "i-1") == ""


def test_of_a_console_the_last_lines_are_told() -> None:
    said = "\n".join(map(str, range(100)))
    assert console_tail(_cloud(FakeEc2("running", console=said)), "i-1", lines=2) == "98\n99"


# --- launched for the length of a block ---


@pytest.fixture
def wanted(mock_cloud: Cloud) -> Launch:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"]
    image = backend.register_image("base").id
    subnet = mock_cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    return Launch(image, "t3.small", subnet, {"amibake:run": "desk-1-abc"})


def _states(cloud: Cloud) -> set[str]:
    groups = cloud.ec2.describe_instances()["Reservations"]
    return {one["State"]["Name"] for group in groups for one in group["Instances"]}


def test_every_launch_is_imdsv2_only_and_ends_on_shutdown(mock_cloud: Cloud, wanted: Launch) -> None:
    with launched(mock_cloud, wanted) as ids:
        (one,) = describe(mock_cloud, ids)
        behaviour = mock_cloud.ec2.describe_instance_attribute(
            InstanceId=ids[0], Attribute="instanceInitiatedShutdownBehavior"
        )
    assert one["MetadataOptions"]["HttpTokens"] == "required"
    assert {"Key": "amibake:run", "Value": "desk-1-abc"} in one["Tags"]
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


@pytest.mark.parametrize("ending", [ValueError, KeyboardInterrupt])
def test_instances_are_gone_whatever_ends_the_block(
    mock_cloud: Cloud, wanted: Launch, ending: type[BaseException]
) -> None:
    with pytest.raises(ending, match="why"), launched(mock_cloud, wanted, count=2):
        raise ending("why")
    assert _states(mock_cloud) == {"terminated"}


def test_a_termination_that_fails_is_told_and_hides_nothing(
    mock_cloud: Cloud, wanted: Launch, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    failing("ec2", "TerminateInstances", refusal("UnauthorizedOperation"))
    with pytest.raises(ValueError, match="the first error"), launched(mock_cloud, wanted) as (instance_id,):
        raise ValueError("the first error")
    assert f"{instance_id} could not be removed" in caplog.text


def test_instances_are_described_in_the_order_asked_for(mock_cloud: Cloud, wanted: Launch) -> None:
    ids = tuple(reversed(launch(mock_cloud, wanted, count=3)))
    assert tuple(one["InstanceId"] for one in describe(mock_cloud, ids)) == ids


def test_to_terminate_nothing_asks_nothing() -> None:
    terminate(_cloud(None), [])


def test_an_instance_that_ec2_leaves_out_of_its_answer_is_named() -> None:
    class Forgetful(FakeEc2):
        def describe_instances(self, InstanceIds: list[str]) -> Any:  # noqa: N803
            return {"Reservations": []}

    with pytest.raises(AwsError, match="does not know i-1"):
        describe(_cloud(Forgetful("running")), ["i-1"])


# --- where temporary machines go ---


class FakeSubnets:
    def __init__(self, *subnets: dict[str, Any]) -> None:
        self.asked: dict[str, Any] = {}
        self._subnets = list(subnets)

    def describe_subnets(self, **asked: Any) -> Any:
        self.asked = asked
        return {"Subnets": self._subnets}


def _subnet(zone: str, *, public: bool = False) -> dict[str, Any]:
    return {
        "SubnetId": f"subnet-{zone}",
        "VpcId": "vpc-1",
        "AvailabilityZone": zone,
        "MapPublicIpOnLaunch": public,
        "CidrBlock": "10.0.0.0/24",
    }


def test_the_default_vpcs_first_subnet_is_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_address_towards", lambda cidr: "10.0.0.200")
    found = place.find_place(_cloud(FakeSubnets(_subnet("b"), _subnet("a"))))
    assert (found.subnet_id, found.vpc_id, found.caller) == ("subnet-a", "vpc-1", "10.0.0.200/32")


def test_a_public_subnet_is_reached_from_our_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_public_address", lambda: "203.0.113.5")
    assert place.find_place(_cloud(FakeSubnets(_subnet("a", public=True)))).caller == "203.0.113.5/32"


def test_the_subnet_asked_for_is_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_address_towards", lambda cidr: "10.0.0.200")
    ec2 = FakeSubnets(_subnet("c"))
    assert place.find_place(_cloud(ec2), "subnet-c").subnet_id == "subnet-c"
    assert ec2.asked == {"SubnetIds": ["subnet-c"]}


def test_an_account_without_a_default_subnet_is_told_what_to_do() -> None:
    with pytest.raises(NotThere, match="no default subnet in eu-central-1") as caught:
        place.find_place(_cloud(FakeSubnets()))
    assert "--subnet subnet-" in caught.value.hint


def test_a_subnet_that_does_not_exist_is_named(mock_cloud: Cloud) -> None:
    with pytest.raises(NotThere, match="subnet-00000000000000000") as caught:
        place.find_place(mock_cloud, "subnet-00000000000000000")
    assert caught.value.hint


# --- the way in ---


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no region, no files of the user's."""
    for name in ("PROFILE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_without_a_region_there_is_no_access(nobody: None) -> None:
    with pytest.raises(NoAccess, match="no AWS region is set") as caught:
        connect()
    assert "AWS_REGION" in caught.value.hint


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_without_credentials_there_is_no_access(
    nobody: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "eu-central-1")
    with pytest.raises(NoAccess, match="no AWS credentials were found") as caught:
        connect()
    assert "aws configure" in caught.value.hint


def test_credentials_that_aws_does_not_take_are_no_access(
    nobody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = boto3.Session("made-up", "made-up", region_name="eu-central-1")
    sts = session.client("sts")
    monkeypatch.setattr(session, "client", lambda *_, **__: sts)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setattr(boto3, "Session", lambda **_: session)
    with Stubber(sts) as stubber:
        stubber.add_client_error("get_caller_identity", "InvalidClientTokenId")
        with pytest.raises(NoAccess, match=r"does not take these credentials.*InvalidClientTokenId"):
            connect()


def test_a_profile_that_does_not_exist_is_no_access(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NoAccess, match="nobody"):
        connect()


def test_a_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    key = SshKey.generate()
    path = key.write(tmp_path / "key")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == key.private
    assert key.public.startswith("ssh-ed25519 ")
    assert SshKey.generate() != key
