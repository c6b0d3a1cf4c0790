"""The clients of a cloud: few at the start, the others when they are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
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


def test_a_client_made_later_aims_where_the_cloud_was_found(mock_cloud: Cloud) -> None:
    elsewhere = replace(mock_cloud, endpoint_url="http://127.0.0.1:1")
    assert {getattr(elsewhere, name).meta.endpoint_url for name in LATER_CLIENTS} == {"http://127.0.0.1:1"}
