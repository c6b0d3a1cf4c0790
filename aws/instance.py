"""Instances: launched, waited for, and terminated."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.errors import AwsError, InstanceLost
from aws.ownership import specification
from aws.patience import Clock, Patience, settled, wait_for
from aws.removal import end

if TYPE_CHECKING:
    from aws.session import Cloud

RUNNING = Patience(delay_seconds=0.5, budget_seconds=600)
STOPPED = Patience(delay_seconds=0.5, budget_seconds=1200)  # 19 min were seen on bare metal types

_OVER = ("shutting-down", "terminated", "stopped", "stopping")
_UNSETTLED = ("InvalidGroup.NotFound", "InvalidKeyPair.NotFound", "InvalidInstanceID.NotFound")


@dataclass(frozen=True)
class Launch:
    """What to launch. Metadata is IMDSv2 only, always."""

    image_id: str
    instance_type: str
    subnet_id: str
    tags: dict[str, str] = field(default_factory=dict)
    key_name: str = ""
    group_ids: tuple[str, ...] = ()
    user_data: str = ""
    profile: str = ""
    root_device: str = ""
    root_gib: int = 0
    """The root volume's size where it is to differ from the image's; needs `root_device`."""
    ends_on_shutdown: bool = True


@dataclass(frozen=True)
class Instance:
    """A running instance."""

    id: str
    address: str
    """Its public address when it has one, else its private one."""


def launch(cloud: Cloud, wanted: Launch, count: int = 1) -> tuple[str, ...]:
    """Ask for instances and return their ids at once; they are pending."""
    options: dict[str, Any] = {}
    if wanted.key_name:
        options["KeyName"] = wanted.key_name
    if wanted.group_ids:
        options["SecurityGroupIds"] = list(wanted.group_ids)
    if wanted.user_data:
        options["UserData"] = wanted.user_data
    if wanted.profile:
        options["IamInstanceProfile"] = {"Name": wanted.profile}
    if wanted.root_gib:
        volume = {"VolumeSize": wanted.root_gib, "DeleteOnTermination": True}
        options["BlockDeviceMappings"] = [{"DeviceName": wanted.root_device, "Ebs": volume}]
    token = secrets.token_hex(16)

    def ask() -> Any:
        return cloud.ec2.run_instances(
            ImageId=wanted.image_id,
            InstanceType=wanted.instance_type,  # type: ignore[arg-type]
            SubnetId=wanted.subnet_id,
            MinCount=count,
            MaxCount=count,
            ClientToken=token,
            InstanceInitiatedShutdownBehavior="terminate" if wanted.ends_on_shutdown else "stop",
            MetadataOptions={
                "HttpTokens": "required",
                "HttpEndpoint": "enabled",
                "InstanceMetadataTags": "enabled",
            },
            TagSpecifications=specification(wanted.tags, "instance", "volume"),
            **options,
        )

    # A new instance profile is unknown to EC2 for some seconds and is refused as an invalid parameter.
    forgive = (*_UNSETTLED, "InvalidParameterValue") if wanted.profile else _UNSETTLED
    answer = settled(f"launching {wanted.image_id}", ask, forgive)
    return tuple(one["InstanceId"] for one in answer["Instances"])


def wait_running(
    cloud: Cloud, ids: Sequence[str], patience: Patience = RUNNING, clock: Clock = time
) -> tuple[Instance, ...]:
    """Wait until all run, with one call a look. Raises InstanceLost with EC2's reason and the console's."""

    def look() -> tuple[Instance, ...] | None:
        described = describe(cloud, ids)
        for one in described:
            if one["State"]["Name"] in _OVER:
                raise InstanceLost(
                    _story(cloud, one),
                    f"see its console: aws ec2 get-console-output --instance-id {one['InstanceId']}",
                )
        if any(one["State"]["Name"] != "running" for one in described):
            return None
        return tuple(
            Instance(one["InstanceId"], one.get("PublicIpAddress") or one["PrivateIpAddress"])
            for one in described
        )

    return wait_for(f"{', '.join(ids)}: becoming `running`", look, patience, clock)


def stop(cloud: Cloud, instance_id: str, patience: Patience = STOPPED, clock: Clock = time) -> None:
    """Stop an instance and wait until it is."""
    cloud.ec2.stop_instances(InstanceIds=[instance_id])

    def look() -> bool | None:
        state = describe(cloud, [instance_id])[0]["State"]["Name"]
        if state in ("shutting-down", "terminated"):
            raise InstanceLost(f"{instance_id} was terminated while it was to stop")
        return True if state == "stopped" else None

    wait_for(f"{instance_id}: becoming `stopped`", look, patience, clock)


def start(cloud: Cloud, instance_id: str) -> Instance:
    """Start a stopped instance and wait until it runs; its address may be another one."""
    cloud.ec2.start_instances(InstanceIds=[instance_id])

    def look() -> bool | None:
        return True if describe(cloud, [instance_id])[0]["State"]["Name"] != "stopped" else None

    wait_for(f"{instance_id}: leaving `stopped`", look, RUNNING)
    return wait_running(cloud, [instance_id])[0]


@contextmanager
def launched(cloud: Cloud, wanted: Launch, count: int = 1) -> Iterator[tuple[str, ...]]:
    """Instances for the length of a block. At its end they are terminated, whatever ends it."""
    ids = launch(cloud, wanted, count)
    try:
        yield ids
    finally:
        end(", ".join(ids), lambda: terminate(cloud, ids))


def terminate(cloud: Cloud, ids: Sequence[str], patience: Patience = RUNNING, clock: Clock = time) -> None:
    """Terminate instances and wait until they are gone, so that nothing holds on to their groups."""
    if not ids:
        return
    cloud.ec2.terminate_instances(InstanceIds=list(ids))

    def look() -> bool | None:
        return all(one["State"]["Name"] == "terminated" for one in describe(cloud, ids)) or None

    wait_for(f"{', '.join(ids)}: terminating", look, patience, clock)


def describe(cloud: Cloud, ids: Sequence[str]) -> list[Any]:
    """What EC2 says of these instances, in the order asked for; forgives one too new to be found."""
    answer = settled(
        f"finding {', '.join(ids)}",
        lambda: cloud.ec2.describe_instances(InstanceIds=list(ids)),
        _UNSETTLED,
    )
    found = {one["InstanceId"]: one for group in answer["Reservations"] for one in group["Instances"]}
    missing = [one for one in ids if one not in found]
    if missing:
        raise AwsError(f"EC2 does not know {', '.join(missing)} any more")
    return [found[one] for one in ids]


def console_tail(cloud: Cloud, instance_id: str, lines: int = 12) -> str:
    """The last lines of an instance's console, empty when there are none to be had."""
    try:
        said = cloud.ec2.get_console_output(InstanceId=instance_id).get("Output", "")
    except ClientError:
        return ""
    return "\n".join(said.strip().splitlines()[-lines:])


def _story(cloud: Cloud, described: Any) -> str:
    reason = described.get("StateReason", {}).get("Message") or "EC2 gives no reason"
    tail = console_tail(cloud, described["InstanceId"])
    return f"{described['InstanceId']} ended before it ran: {reason}" + (f"\n{tail}" if tail else "")
