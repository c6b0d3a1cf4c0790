"""What nodes publish of themselves, read back, and watched by alarms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import counted
from fleet_wanted import deployment, settled, wanted

from fleet import alarms, measures
from fleet.errors import DeploymentError
from fleet.naming import NODE_NAMESPACE, Names

if TYPE_CHECKING:
    from aws.session import Cloud

NAMES = Names("shop")


def publish(cloud: Cloud, node: str, **figures: float) -> None:
    """As bootstrap/metrics.py does."""
    under = [{"Name": "Deployment", "Value": "shop"}, {"Name": "InstanceId", "Value": node}]
    common = {"Dimensions": under, "Timestamp": datetime.now(UTC) - timedelta(seconds=90)}
    data: Any = [{"MetricName": name, "Value": value, **common} for name, value in figures.items()]
    cloud.cloudwatch.put_metric_data(Namespace=NODE_NAMESPACE, MetricData=data)


def test_the_figures_of_nodes_are_read_back_by_node(mock_cloud: Cloud) -> None:
    publish(mock_cloud, "i-a", LoadAverage1=0.3, RequestsPerSecond=2)
    publish(mock_cloud, "i-b", LoadAverage1=4)
    found = measures.measure(mock_cloud, "shop", ["i-a", "i-b", "i-c"], ())
    assert found.load1 == {"i-a": 0.3, "i-b": 4}
    assert found.requests == {"i-a": 2}


def test_requests_are_counted_in_the_last_minute_that_is_over(mock_cloud: Cloud) -> None:
    balancer = next(iter(settled(wanted()).balancers))
    under = [{"Name": "LoadBalancerName", "Value": balancer.name}]
    for seconds, count in ((1, 5), (90, 120)):
        at = datetime.now(UTC) - timedelta(seconds=seconds)
        data: Any = {"MetricName": "RequestCount", "Value": count, "Dimensions": under, "Timestamp": at}
        mock_cloud.cloudwatch.put_metric_data(Namespace="AWS/ELB", MetricData=[data])
    found = measures.measure(mock_cloud, "shop", (), [balancer])
    assert found.balancer_requests == {balancer.name: 2}


def test_a_call_asks_for_the_figures_of_a_hundred_and_twenty_five_nodes(mock_cloud: Cloud) -> None:
    with counted(mock_cloud) as calls:
        measures.measure(mock_cloud, "shop", [f"i-{number}" for number in range(250)], ())
    assert calls == {"GetMetricData": 2}


def test_an_alarm_on_the_load_goes_by_the_most_loaded_node() -> None:
    (alarm,) = deployment(alarm={"busy": {"watch": "load1", "above": 4}}).alarms
    assert alarms.metric(alarm, NAMES, None) == {
        "Namespace": "amibake",
        "MetricName": "LoadAverage1",
        "Dimensions": [{"Name": "Deployment", "Value": "shop"}],
        "Statistic": "Maximum",
    }


def test_an_alarm_on_the_load_is_of_no_load_balancer() -> None:
    with pytest.raises(DeploymentError, match="load_balancer"):
        deployment(alarm={"busy": {"watch": "load1", "above": 4, "load_balancer": "front"}})
