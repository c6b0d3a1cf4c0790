"""AWS inside this process (moto, which dials nothing), and clocks that cost no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aws.session import Cloud


LATER_CLIENTS = ("autoscaling", "cloudwatch", "elb", "elbv2", "iam", "route53", "s3", "ssm")


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """`settled` waits by a fake clock."""
    monkeypatch.setattr("aws.patience.settled.__defaults__", (clock,))
    return clock


@pytest.fixture(scope="session")
def mock_clients() -> Cloud:
    """Clients that are made once, as that takes longer than most tests."""
    from moto import mock_aws

    from aws.session import connect

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "eu-central-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "made-up")
        cloud = connect()
        for name in LATER_CLIENTS:
            getattr(cloud, name)  # now, while no endpoint of the developer's is in the environment
        return cloud


@pytest.fixture
def mock_cloud(mock_clients: Cloud) -> Iterator[Cloud]:
    """An empty account that exists in this process alone."""
    from moto import mock_aws

    with mock_aws():
        yield mock_clients


@pytest.fixture
def failing(mock_cloud: Cloud) -> Iterator[Callable[[str, str, Exception], None]]:
    """Let every call of an operation, as in `failing("ec2", "DeleteKeyPair", why)`, raise for one test."""
    registered = []

    def fail(service: str, operation: str, why: Exception) -> None:
        def refuse(**_: object) -> None:
            raise why

        events, name = getattr(mock_cloud, service).meta.events, f"before-call.*.{operation}"
        events.register(name, refuse)
        registered.append((events, name, refuse))

    yield fail
    for events, name, refuse in registered:
        events.unregister(name, refuse)


def refusal(code: str) -> Exception:
    """The error that AWS answers with."""
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": "as the test wants"}}, "Operation")
