from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_wanted import settled, wanted

from fleet.traffic import by_minute, traffic
from fleet.verdict import Traffic

if TYPE_CHECKING:
    from aws.session import Cloud

MOMENT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["classic", "application", "network"])
def test_in_a_minute_s_first_moment_there_was_no_traffic_yet(mock_cloud: Cloud, kind: str) -> None:
    made = settled(wanted(load_balancer={"front": {"type": kind}})).balancers
    balancers = [replace(one, arn=f"arn:aws:elb:::loadbalancer/{one.name}") for one in made]
    assert traffic(mock_cloud, balancers, MOMENT, MOMENT) == Traffic(0, 0)


def test_minutes_are_told_apart_and_errors_of_nodes_and_load_balancer_added(mock_cloud: Cloud) -> None:
    (front,) = settled(wanted()).balancers
    later = MOMENT + timedelta(minutes=1)
    counted = [
        (MOMENT, "RequestCount", 40.0),
        (later, "RequestCount", 30.0),
        (later, "HTTPCode_Backend_5XX", 5.0),
        (later, "HTTPCode_ELB_5XX", 2.0),
    ]
    for at, name, value in counted:
        datum: Any = {
            "MetricName": name,
            "Dimensions": [{"Name": "LoadBalancerName", "Value": front.name}],
            "Timestamp": at + timedelta(seconds=5),
            "Value": value,
        }
        mock_cloud.cloudwatch.put_metric_data(Namespace="AWS/ELB", MetricData=[datum])
    seen = by_minute(mock_cloud, [front], MOMENT + timedelta(seconds=50), later + timedelta(minutes=1))
    assert [(one.requests, one.errors) for one in seen.values()] == [(40, 0), (30, 7)]
    assert list(seen) == [MOMENT, later]
    whole = traffic(mock_cloud, [front], MOMENT, later + timedelta(minutes=1))
    assert (whole.requests, whole.errors) == (70, 7)
