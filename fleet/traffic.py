"""What went through load balancers in some time, as CloudWatch counted it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fleet.alarms import balancer_metrics
from fleet.verdict import Traffic, total

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer

_PERIOD_SECONDS = 60
# A network load balancer knows connections, not requests: it has nothing to say here.
_COUNTED = {
    "classic": {
        "requests": ("RequestCount",),
        "errors": ("HTTPCode_Backend_5XX", "HTTPCode_ELB_5XX"),
        "p99": ("Latency",),
    },
    "application": {
        "requests": ("RequestCount",),
        "errors": ("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"),
        "p99": ("TargetResponseTime",),
    },
}


def traffic(
    cloud: Cloud, balancers: Sequence[LoadBalancer], since: datetime, until: datetime | None = None
) -> Traffic:
    """Requests and errors of all together, and the slowest minute's 99th percentile."""
    return total(by_minute(cloud, balancers, since, until).values())


def by_minute(
    cloud: Cloud, balancers: Sequence[LoadBalancer], since: datetime, until: datetime | None = None
) -> dict[datetime, Traffic]:
    """What went through all together in each minute that CloudWatch tells of, by its beginning.

    The minute in which `since` lies is counted from its beginning.
    """
    queries = list(_queries(balancers))
    if not queries:
        return {}
    begin = since.replace(second=0, microsecond=0)
    end = max(until or datetime.now(UTC), begin + timedelta(seconds=_PERIOD_SECONDS))
    answers = cloud.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=begin,
        EndTime=end,
    )
    parts: dict[datetime, list[Traffic]] = {}
    for page in answers:
        for one in page["MetricDataResults"]:
            what = one["Id"].partition("_")[0]
            for at, value in zip(one["Timestamps"], one["Values"], strict=True):
                parts.setdefault(at, []).append(_part(what, value))
    return {at: total(parts[at]) for at in sorted(parts)}


def _part(what: str, value: float) -> Traffic:
    return Traffic(
        requests=value if what == "requests" else 0.0,
        errors=value if what == "errors" else 0.0,
        p99_seconds=value if what == "p99" else None,
    )


def _queries(balancers: Sequence[LoadBalancer]) -> Iterator[Any]:
    for number, one in enumerate(balancers):
        namespace, named = balancer_metrics(one)
        for what, metrics in _COUNTED.get(one.kind, {}).items():
            for at, name in enumerate(metrics):
                metric = {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in named.items()],
                }
                statistic = "p99" if what == "p99" else "Sum"
                stat = {"Metric": metric, "Period": _PERIOD_SECONDS, "Stat": statistic}
                yield {"Id": f"{what}_{number}_{at}", "MetricStat": stat}
