"""What went through load balancers: which figures CloudWatch is asked for, and what its answers come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_wanted import settled, wanted

from fleet.load_balancer import KINDS, Kind, LoadBalancer
from fleet.traffic import by_minute, traffic
from fleet.verdict import Traffic

if TYPE_CHECKING:
    from aws.session import Cloud

MOMENT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SINCE = MOMENT.replace(second=40)
UNTIL = MOMENT + timedelta(minutes=3)
PATHS = {"classic": "", "application": "app/shop-front/1a", "network": "net/shop-front/1a"}

# Namespace, dimension, and of each figure the metric and its statistic.
ASKED: dict[str, tuple[str, dict[str, str], list[tuple[str, str]]]] = {
    "classic": (
        "AWS/ELB",
        {"Name": "LoadBalancerName", "Value": "shop-front"},
        [
            ("RequestCount", "Sum"),
            ("HTTPCode_Backend_5XX", "Sum"),
            ("HTTPCode_ELB_5XX", "Sum"),
            ("Latency", "p99"),
        ],
    ),
    "application": (
        "AWS/ApplicationELB",
        {"Name": "LoadBalancer", "Value": PATHS["application"]},
        [
            ("RequestCount", "Sum"),
            ("HTTPCode_Target_5XX_Count", "Sum"),
            ("HTTPCode_ELB_5XX_Count", "Sum"),
            ("TargetResponseTime", "p99"),
        ],
    ),
}


def balancer(kind: Kind) -> LoadBalancer:
    (made,) = settled(wanted(load_balancer={"front": {"type": kind}})).balancers
    return replace(made, arn=f"arn:aws:elasticloadbalancing:::loadbalancer/{PATHS[kind]}")


@contextmanager
def telling(cloud: Cloud, figures: dict[str, list[float]], pages: int = 1) -> Iterator[list[Any]]:
    """CloudWatch tells these figures, in pages; yields what it is asked."""
    asked: list[Any] = []

    def hear(params: dict[str, Any], **_: Any) -> None:
        asked.append(params)

    def tell(parsed: Any, **_: Any) -> None:
        number = len(asked)
        queries = asked[-1]["MetricDataQueries"]
        named = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in queries}
        values = {key: figures.get(name, [])[number - 1 :: pages] for key, name in named.items()}
        parsed["MetricDataResults"] = [
            {"Id": key, "Values": told, "Timestamps": [MOMENT] * len(told)} for key, told in values.items()
        ]
        if number < pages:
            parsed["NextToken"] = str(number)

    events = cloud.cloudwatch.meta.events
    events.register("provide-client-params.cloudwatch.GetMetricData", hear)
    events.register("after-call.cloudwatch.GetMetricData", tell)
    try:
        yield asked
    finally:
        events.unregister("provide-client-params.cloudwatch.GetMetricData", hear)
        events.unregister("after-call.cloudwatch.GetMetricData", tell)


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_minute_s_first_moment_there_was_no_traffic_yet(mock_cloud: Cloud, kind: Kind) -> None:
    assert traffic(mock_cloud, [balancer(kind)], MOMENT, MOMENT) == Traffic(0, 0)


@pytest.mark.parametrize("kind", ASKED)
def test_requests_errors_of_nodes_and_balancer_and_the_percentile_are_asked_for_by_the_minute(
    mock_cloud: Cloud, kind: Kind
) -> None:
    namespace, dimension, figures = ASKED[kind]
    with telling(mock_cloud, {}) as asked:
        traffic(mock_cloud, [balancer(kind)], SINCE, UNTIL)
    (call,) = asked
    # The minute in which it begins is counted as a whole.
    assert (call["StartTime"], call["EndTime"]) == (MOMENT, UNTIL)
    stats = [one["MetricStat"] for one in call["MetricDataQueries"]]
    assert [(one["Metric"]["MetricName"], one["Stat"]) for one in stats] == figures
    assert {one["Period"] for one in stats} == {60}
    assert {one["Metric"]["Namespace"] for one in stats} == {namespace}
    assert [one["Metric"]["Dimensions"] for one in stats] == [[dimension]] * 4
    assert len({one["Id"] for one in call["MetricDataQueries"]}) == 4


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("pages", [1, 2])
def test_minutes_add_up_errors_of_both_kinds_too_and_the_slowest_minute_counts(
    mock_cloud: Cloud, kind: Kind, pages: int
) -> None:
    requests, of_nodes, own, latency = (name for name, _ in ASKED[kind][2])
    figures = {requests: [100, 50, 7], of_nodes: [3, 1], own: [2], latency: [0.1, 0.7, 0.3]}
    with telling(mock_cloud, figures, pages) as asked:
        found = traffic(mock_cloud, [balancer(kind)], SINCE, UNTIL)
    assert len(asked) == pages
    assert found == Traffic(157, 6, 0.7)
    assert found.error_rate == pytest.approx(6 / 157)


def test_of_several_load_balancers_all_requests_count_and_the_slowest_one_s_percentile(
    mock_cloud: Cloud,
) -> None:
    figures = {"RequestCount": [10.0], "Latency": [0.2], "TargetResponseTime": [0.9]}
    both = [balancer("classic"), balancer("application")]
    with telling(mock_cloud, figures) as asked:
        assert traffic(mock_cloud, both, SINCE, UNTIL) == Traffic(20, 0, 0.9)
    assert len({one["Id"] for one in asked[0]["MetricDataQueries"]}) == 8


def test_where_nobody_asked_for_anything_there_is_no_percentile(mock_cloud: Cloud) -> None:
    with telling(mock_cloud, {}):
        assert traffic(mock_cloud, [balancer("classic")], SINCE, UNTIL) == Traffic(0, 0, None)


def test_a_network_load_balancer_has_no_answers_to_count_and_is_not_asked(mock_cloud: Cloud) -> None:
    with telling(mock_cloud, {"RequestCount": [5.0]}) as asked:
        assert traffic(mock_cloud, [balancer("network")], SINCE, UNTIL) == Traffic(0, 0)
        assert asked == []
        both = [balancer("network"), balancer("classic")]
        assert traffic(mock_cloud, both, SINCE, UNTIL).requests == 5
    (call,) = asked
    assert {one["MetricStat"]["Metric"]["Namespace"] for one in call["MetricDataQueries"]} == {"AWS/ELB"}


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
