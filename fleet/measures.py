"""What CloudWatch knows of nodes and load balancers: five hundred figures a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fleet.alarms import balancer_metrics
from fleet.naming import NODE_NAMESPACE

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer

# What nodes publish of themselves: bootstrap/metrics.py.
_OF_NODES = (
    ("load1", "LoadAverage1", "Average"),
    ("requests", "RequestsPerSecond", "Average"),
    ("p50", "Latency", "p50"),
    ("p99", "Latency", "p99"),
)
_AT_ONCE = 500
_PERIOD_SECONDS = 60
# The newest minute is mostly not there yet, and nodes publish once a minute.
_WINDOW = timedelta(minutes=5)
_REQUESTS = {"classic": "RequestCount", "application": "RequestCount", "network": "NewFlowCount"}
_LATENCY = {"classic": "Latency", "application": "TargetResponseTime"}


@dataclass(frozen=True)
class Measured:
    """The newest figures; who published none is in none."""

    load1: dict[str, float] = field(default_factory=dict)
    requests: dict[str, float] = field(default_factory=dict)
    """A second, by node, where nodes publish them."""
    p50: dict[str, float] = field(default_factory=dict)
    p99: dict[str, float] = field(default_factory=dict)
    """Percentiles of what requests took, in seconds, by node."""
    balancer_requests: dict[str, float] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)
    """The 99th percentile in seconds, by load balancer."""


@dataclass(frozen=True)
class Figure:
    """One figure to be asked for: into which table it goes, and under which name."""

    table: str
    name: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    scale: float = 1.0

    @property
    def counts(self) -> bool:
        """Whether it adds up: then a minute that is not over yet tells too little."""
        return self.statistic == "Sum"


def measure(cloud: Cloud, deployment: str, ids: Sequence[str], balancers: Sequence[LoadBalancer]) -> Measured:
    """The newest figure of each of a deployment's nodes and load balancers."""
    figures, found = [*_of_nodes(deployment, ids), *_of_balancers(balancers)], Measured()
    for start in range(0, len(figures), _AT_ONCE):
        batch = figures[start : start + _AT_ONCE]
        for number, value in _newest(cloud, batch):
            one = batch[number]
            getattr(found, one.table)[one.name] = value * one.scale
    return found


def _of_nodes(deployment: str, ids: Sequence[str]) -> Iterator[Figure]:
    for one in ids:
        node = (("Deployment", deployment), ("InstanceId", one))
        for table, metric, statistic in _OF_NODES:
            yield Figure(table, one, NODE_NAMESPACE, metric, node, statistic)


def _of_balancers(balancers: Sequence[LoadBalancer]) -> Iterator[Figure]:
    for one in balancers:
        namespace, named = balancer_metrics(one)
        dimensions = tuple(named.items())
        count, each = _REQUESTS[one.kind], 1 / _PERIOD_SECONDS
        yield Figure("balancer_requests", one.name, namespace, count, dimensions, "Sum", each)
        if one.kind in _LATENCY:
            yield Figure("latency", one.name, namespace, _LATENCY[one.kind], dimensions, "p99")


def _newest(cloud: Cloud, batch: Sequence[Figure]) -> Iterator[tuple[int, float]]:
    now = datetime.now(UTC)
    queries: list[Any] = [
        {
            "Id": f"f{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": one.namespace,
                    "MetricName": one.metric,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in one.dimensions],
                },
                "Period": _PERIOD_SECONDS,
                "Stat": one.statistic,
            },
        }
        for number, one in enumerate(batch)
    ]
    pages = cloud.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=(now - _WINDOW).replace(second=0, microsecond=0),
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    for page in pages:
        for one in page["MetricDataResults"]:
            number = int(one["Id"][1:])
            latest = now - timedelta(seconds=_PERIOD_SECONDS) if batch[number].counts else now
            told = zip(one["Timestamps"], one["Values"], strict=True)
            value = next((value for begun, value in told if begun <= latest), None)
            if value is not None:
                yield number, value
