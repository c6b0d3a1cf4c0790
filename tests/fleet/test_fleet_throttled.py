"""A cloud that refuses half of all calls: every command comes to its end, and nothing is left behind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.endpoint import Endpoint
from fleet_rolls import Stage, stage_of

from fleet import operations, rescaling
from fleet.operations import Nodes
from fleet.outcome import Done

if TYPE_CHECKING:
    from aws.session import Cloud

CODES = {"ec2": "RequestLimitExceeded", "s3": "SlowDown", "ssm": "ThrottlingException"}
WHOLE: dict[str, Any] = {
    "bucket": {"owned": True, "sample": "photo.jpg"},
    "dns": {"zone": "shop.test", "name": "img.shop.test", "make_zone": True},
    "alarm": {"late": {"watch": "latency", "above": 0.5}},
}
Refuses = Callable[[int], bool]


def every_second(number: int) -> bool:
    """The first, the third, the fifth call of an action."""
    return number % 2 == 0


def five_in_a_row(number: int) -> bool:
    """Of ten calls of an action the first five."""
    return number % 10 < 5


def by_the_toss_of_a_coin() -> Refuses:
    """Half of them, as it comes: the same half whenever the test runs."""
    coin = random.Random(1)  # noqa: S311 - no secret
    return lambda _: coin.random() < 0.5


class Empty:
    """A body without a byte."""

    def stream(self) -> list[bytes]:
        """Its chunks."""
        return []


@dataclass
class Throttle:
    """A cloud's front door, as botocore meets it: refused calls never get in."""

    refuses: Refuses
    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def answers(self, service: str, action: str) -> tuple[AWSResponse, dict[str, Any]] | None:
        """The refusal, or None where the call is let in."""
        number = self.calls[action]
        self.calls[action] += 1
        if not self.refuses(number):
            return None
        self.refused[action] += 1
        status = 503 if service == "s3" else 400
        # The answer to HEAD has no body to tell why.
        code = "503" if action.startswith("Head") else CODES.get(service, "Throttling")
        parsed = {
            "Error": {"Code": code, "Message": "Rate exceeded"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return AWSResponse("https://aws.test", status, HTTPHeaders(), Empty()), parsed


@contextmanager
def throttled(throttle: Throttle) -> Iterator[Throttle]:
    """Every call passes the throttle; botocore's own retries are the real ones, and sleep for nothing."""
    let_in = vars(Endpoint)["_do_get_response"]

    def ask(self: Endpoint, request: Any, operation_model: Any, context: Any) -> Any:
        service = operation_model.service_model.service_name
        refusal = throttle.answers(service, operation_model.name)
        return (refusal, None) if refusal else let_in(self, request, operation_model, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "_do_get_response", ask)
        patch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        yield throttle


def whole_life(stage: Stage) -> Iterator[Any]:
    """Every command that changes something, one after another."""
    file = stage.file(**WHOLE)
    yield operations.up(stage.desk(file))
    yield stage.roll(file=file)
    yield operations.stop(stage.desk(file), Nodes(count=2))
    yield operations.start(stage.desk(file), Nodes())
    yield rescaling.scale(stage.desk(file), "web", 5)
    yield operations.down(stage.desk(file))


@pytest.mark.parametrize(
    "refuses", [every_second, five_in_a_row, by_the_toss_of_a_coin()], ids=["2nd", "rows", "coin"]
)
def test_every_command_completes_and_the_end_leaves_nothing(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, refuses: Refuses
) -> None:
    monkeypatch.setattr("fleet.bucket._SIZE", (30, 20))
    with throttled(Throttle(refuses)) as throttle:
        stage = stage_of(3, mock_cloud, monkeypatch)
        for outcome in whole_life(stage):
            assert isinstance(outcome, Done)
            assert outcome.changed
            assert not outcome.degraded
    assert sum(throttle.refused.values()) > 0.45 * sum(throttle.calls.values())
    assert left(mock_cloud) == []


def left(cloud: Cloud) -> list[object]:
    """What there still is of a deployment."""
    groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
    nodes: Any = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    return [
        *cloud.ec2.describe_instances(Filters=nodes)["Reservations"],
        *[one for one in groups if one["GroupName"] != "default"],
        *cloud.ec2.describe_key_pairs()["KeyPairs"],
        *cloud.ec2.describe_launch_templates()["LaunchTemplates"],
        *cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"],
        *cloud.iam.list_roles()["Roles"],
        *cloud.iam.list_instance_profiles()["InstanceProfiles"],
        *cloud.s3.list_buckets()["Buckets"],
        *cloud.route53.list_hosted_zones()["HostedZones"],
        *cloud.cloudwatch.describe_alarms()["MetricAlarms"],
        *[one for one in cloud.ssm.describe_parameters()["Parameters"] if "history" not in one["Name"]],
    ]
