from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fleet_wanted import settled, wanted

from fleet.traffic import traffic
from fleet.verdict import Traffic

if TYPE_CHECKING:
    from aws.session import Cloud

MOMENT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["classic", "application", "network"])
def test_in_a_minute_s_first_moment_there_was_no_traffic_yet(mock_cloud: Cloud, kind: str) -> None:
    made = settled(wanted(load_balancer={"front": {"type": kind}})).balancers
    balancers = [replace(one, arn=f"arn:aws:elb:::loadbalancer/{one.name}") for one in made]
    assert traffic(mock_cloud, balancers, MOMENT, MOMENT) == Traffic(0, 0)
