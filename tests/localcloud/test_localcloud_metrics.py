from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from localcloud import cloudwatch
from localcloud.cloudwatch import Datum
from localcloud.metric_math import BadExpression, Series, evaluate
from localcloud.metrics import Distribution, Key, Metrics, is_statistic

KEY: Key = ("AWS/ELB", "Latency", (("LoadBalancerName", "web"),))
NOON = 1_800_000_000  # a whole hour


def filled(*values: float) -> Distribution:
    found = Distribution()
    for value in values:
        found.add(value)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 100), ("Sum", 5050), ("Average", 50.5), ("Minimum", 1), ("Maximum", 100),
        ("p50", 50), ("p99", 99), ("p99.9", 100), ("p100", 100), ("p0", 1),
    ],
)  # fmt: skip
def test_statistics_of_one_to_a_hundred(name: str, expected: float) -> None:
    assert filled(*range(1, 101)).statistic(name) == expected


def test_a_summary_counts_but_is_in_no_percentile() -> None:
    found = Distribution()
    found.add_summary(4, 10, 1, 5)
    assert (found.statistic("Average"), found.statistic("Maximum"), found.statistic("p50")) == (2.5, 5, None)


def test_many_different_values_take_little_memory() -> None:
    found = filled(*(number / 1e6 for number in range(1, 50_000)))
    assert len(found.seen) < 5000
    assert found.statistic("p50") == pytest.approx(0.025, rel=0.01)


@pytest.mark.parametrize(
    ("name", "known"), [("p99", True), ("p99.95", True), ("p101", False), ("tm90", False), ("Mean", False)]
)
def test_which_statistics_are_known(name: str, known: bool) -> None:
    assert is_statistic(name) is known


def test_periods_are_aligned_to_the_clock() -> None:
    metrics = Metrics()
    for after in (0, 59, 60, 130):
        metrics.at(KEY, NOON + after, "Seconds", NOON).add(1)
    found = metrics.periods(KEY, NOON + 7, NOON + 180, 60)
    assert {at - NOON: one.count for at, (one, _) in found.items()} == {0: 2, 60: 1, 120: 1}
    assert metrics.periods(KEY, NOON, NOON + 60, 60, unit="Count") == {}


def test_old_values_become_minutes_then_nothing() -> None:
    metrics = Metrics()
    for after in range(0, 120, 10):
        metrics.at(KEY, NOON + after, "Seconds", NOON + after).add(1)
    metrics.at(KEY, NOON + 1200, "Seconds", NOON + 1200).add(1)
    assert len(metrics._series[KEY]) == 3
    assert sum(one.count for one, _ in metrics.periods(KEY, NOON, NOON + 120, 60).values()) == 12
    other = ("AWS/ELB", "x", ())
    metrics.at(other, NOON + 20_000, "None", NOON + 20_000).add(1)
    assert metrics.keys() == [other]


def test_memory_is_bounded_however_many_metrics_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.metrics._MOST_PERIODS", 100)
    metrics = Metrics()
    for number in range(1000):
        metrics.at(("x", str(number), ()), NOON + number * 10, "None", NOON + number * 10).add(1)
    assert sum(map(len, metrics._series.values())) <= 101
    assert metrics.keys()[-1] == ("x", "999", ())


A: Series = {0: 10.0, 60: 20.0}
B: Series = {0: 5.0, 60: 0.0, 120: 1.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a/b", {0: 2.0}),
        ("a*2", {0: 20.0, 60: 40.0}),
        ("a+b", {0: 15.0, 60: 20.0}),
        ("-a", {0: -10.0, 60: -20.0}),
        ("100*(a-b)/a", {0: 50.0, 60: 100.0}),
        ("a^2", {0: 100.0, 60: 400.0}),
        ("FILL(a,0)+b", {0: 15.0, 60: 20.0, 120: 1.0}),
        ("SUM([a,b])", {0: 15.0, 60: 20.0, 120: 1.0}),
        ("MAX([a,b])", {0: 10.0, 60: 20.0, 120: 1.0}),
        ("a/SUM(a)", {0: 1 / 3, 60: 2 / 3}),
    ],
)
def test_metric_math(expression: str, expected: Series) -> None:
    assert evaluate(expression, {"a": A, "b": B}) == pytest.approx(expected)


@pytest.mark.parametrize("expression", ["c+1", "__import__('os')", "a.real", "a[0]", "a+", "SEARCH('x')"])
def test_what_is_no_metric_math_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(expression, {"a": A})


@pytest.fixture
def backend(unhooked: None) -> Any:
    from moto.cloudwatch.models import cloudwatch_backends

    cloudwatch.install()
    return cloudwatch_backends["123456789012"]["us-east-1"]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_put_values_come_back_as_statistics_and_percentiles(backend: Any) -> None:
    dimensions = [{"Name": "LoadBalancerName", "Value": "web"}]
    datum = {
        "MetricName": "Latency",
        "Dimensions": dimensions,
        "Unit": "Seconds",
        "Timestamp": at(NOON + 61),
        "Values": [0.1, 0.2],
        "Counts": [99, 1],
    }
    backend.put_metric_data("AWS/ELB", [datum])
    (point,) = backend.get_metric_statistics(
        "AWS/ELB", "Latency", at(NOON), at(NOON + 300), 60, ["Sum", "p50", "p100"], dimensions
    )
    assert point["Timestamp"] == at(NOON + 60)
    assert point["Sum"] == pytest.approx(10.1)
    assert point["ExtendedStatistics"] == {"p50": 0.1, "p100": 0.2}
    assert (
        backend.get_metric_statistics("AWS/ELB", "Latency", at(NOON), at(NOON + 300), 60, ["Sum"], []) == []
    )
    _, listed = backend.list_metrics(None, "AWS/ELB", None, [])
    assert [one.name for one in listed] == ["Latency"]


def test_expressions_find_results_whatever_their_order_is(backend: Any) -> None:
    cloudwatch.publish(backend, "AWS/ELB", [Datum("RequestCount", 1.0, "Count", (), 30)], NOON)
    metric = {"Namespace": "AWS/ELB", "MetricName": "RequestCount"}
    queries = [
        {"Id": "twice", "Expression": "rate*2"},
        {"Id": "rate", "Expression": "a/60", "ReturnData": False},
        {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
    ]
    (found,) = backend.get_metric_data(queries, at(NOON), at(NOON + 60))
    assert (found["id"], found["values"], found["timestamps"]) == ("twice", [1.0], [at(NOON)])


def test_an_expression_of_nothing_known_is_refused(backend: Any) -> None:
    with pytest.raises(Exception, match="Undefined variable 'x'"):
        backend.get_metric_data([{"Id": "e", "Expression": "x+1"}], at(NOON), at(NOON + 60))
