"""The clients of a cloud: few at the start, the others when they are asked for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.endpoint import Endpoint
from botocore.exceptions import ClientError
from botocore.retries.quota import RetryQuota
from moto_fixture import LATER_CLIENTS

from aws.session import connect

if TYPE_CHECKING:
    from aws.session import Cloud


@pytest.fixture
def fresh(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    return connect()


def test_connecting_makes_no_client_that_a_bake_does_not_need(fresh: Cloud) -> None:
    assert not set(LATER_CLIENTS) & set(vars(fresh))


@pytest.mark.parametrize("name", LATER_CLIENTS)
def test_a_fleets_client_is_made_once_and_aims_at_the_same_region(fresh: Cloud, name: str) -> None:
    assert getattr(fresh, name) is getattr(fresh, name)
    assert fresh.elb.meta.region_name == fresh.region == "eu-central-1"
    assert getattr(fresh, name).meta.config.retries["total_max_attempts"] == 10


@pytest.mark.parametrize(
    ("code", "status", "attempts"),
    [("RequestLimitExceeded", 400, 20), ("503", 503, 20), ("InvalidGroup.NotFound", 400, 1)],
)
def test_what_is_throttled_is_tried_twenty_times_whatever_credit_botocore_has_left(
    fresh: Cloud, monkeypatch: pytest.MonkeyPatch, code: str, status: int, attempts: int
) -> None:
    asked: list[object] = []

    def refuse(*_: object) -> Any:
        asked.append(1)
        answer = AWSResponse("https://aws.test", status, HTTPHeaders(), SimpleNamespace(stream=list))
        return (answer, {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {}}), None

    monkeypatch.setattr(Endpoint, "_do_get_response", refuse)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    # What a command has asked that looked for something which was not there, a hundred times.
    monkeypatch.setattr(RetryQuota, "acquire", lambda *_: False)
    with pytest.raises(ClientError, match=code):
        fresh.ec2.describe_vpcs()
    assert len(asked) == attempts


def test_a_client_made_later_aims_where_the_cloud_was_found(mock_cloud: Cloud) -> None:
    elsewhere = replace(mock_cloud, endpoint_url="http://127.0.0.1:1")
    assert {getattr(elsewhere, name).meta.endpoint_url for name in LATER_CLIENTS} == {"http://127.0.0.1:1"}
