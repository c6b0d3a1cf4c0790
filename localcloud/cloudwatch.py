"""CloudWatch's metrics, kept and answered as AWS does: aligned periods, percentiles, metric math."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.hooks import replace
from localcloud.metric_math import BadExpression, evaluate
from localcloud.metrics import Key, Metrics, is_statistic, key_of, values

_BACKEND = "moto.cloudwatch.models:CloudWatchBackend"
_lock = threading.RLock()


@dataclass(frozen=True)
class Datum:
    """A value of a metric, some times at one time."""

    name: str
    value: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    times: float = 1.0


def install() -> None:
    """Keep metrics in series of our own, and answer every question about them from there."""
    replace(f"{_BACKEND}.put_metric_data", _put)
    replace(f"{_BACKEND}.get_metric_data", lambda _: _get_data)
    replace(f"{_BACKEND}.get_metric_statistics", lambda _: _get_statistics)
    replace(f"{_BACKEND}.get_all_metrics", lambda _: _all)
    replace(
        "moto.cloudwatch.responses:CloudWatchResponse.get_metric_statistics", lambda _: _answer_statistics
    )


def publish(backend: Any, namespace: str, data: Iterable[Datum], now: float) -> None:
    """Put values of this moment into a region's metrics."""
    with _lock:
        metrics = _metrics(backend)
        for one in data:
            key = key_of(namespace, one.name, one.dimensions)
            metrics.at(key, now, one.unit, now).add(one.value, one.times)


def statistic(
    backend: Any, key: Key, name: str, start: float, end: float, period: int, unit: str = ""
) -> dict[int, float]:
    """Start of period -> statistic of a metric, ascending. Times are seconds since the epoch."""
    with _lock:
        return dict(values(_metrics(backend).periods(key, start, end, period, unit), name))


def _metrics(backend: Any) -> Metrics:
    if not isinstance(getattr(backend, "kept_metrics", None), Metrics):
        backend.kept_metrics = Metrics()
    found: Metrics = backend.kept_metrics
    return found


def _put(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for number, datum in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(datum, number)
        with _lock:
            for datum in metric_data:
                _put_one(_metrics(self), namespace, datum)

    del original
    return put_metric_data


def _put_one(metrics: Metrics, namespace: str, datum: dict[str, Any]) -> None:
    now = time.time()
    at = _seconds(datum["Timestamp"]) if datum.get("Timestamp") else now
    fine = str(datum.get("StorageResolution")) == "1"
    key = key_of(namespace, datum["MetricName"], _pairs(datum.get("Dimensions") or ()))
    distribution = metrics.at(key, at, datum.get("Unit") or "None", now, fine=fine)
    summary = datum.get("StatisticValues")
    if datum.get("Values"):
        counts = datum.get("Counts") or [1] * len(datum["Values"])
        for value, times in zip(datum["Values"], counts, strict=True):
            distribution.add(float(value), float(times))
    elif summary:
        numbers = [float(summary[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")]
        distribution.add_summary(*numbers)
    else:
        distribution.add(float(datum.get("Value") or 0))


def _get_data(
    self: Any,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    start, end = _seconds(start_time), _seconds(end_time)
    if start >= end:
        _refuse("ValidationError", "The parameter EndTime must be greater than StartTime.")
    series: dict[str, dict[int, float]] = {}
    for query in queries:
        if "MetricStat" in query:
            series[query["Id"]] = _asked(self, query["MetricStat"], start, end)
    _calculate([query for query in queries if "MetricStat" not in query], series)
    return [
        _result(query, series[query["Id"]], descending=scan_by == "TimestampDescending")
        for query in queries
        if query.get("ReturnData", True)
    ]


def _calculate(queries: list[dict[str, Any]], series: dict[str, dict[int, float]]) -> None:
    """Evaluate expressions in an order in which each finds the results that it names."""
    waiting = list(queries)
    while waiting:
        problem = ""
        left = []
        for query in waiting:
            try:
                series[query["Id"]] = evaluate(query["Expression"], series)
            except BadExpression as why:
                problem = str(why)
                left.append(query)
        if len(left) == len(waiting):
            _refuse("ValidationError", problem)
        waiting = left


def _asked(backend: Any, asked: dict[str, Any], start: float, end: float) -> dict[int, float]:
    _check_statistic(asked["Stat"])
    metric = asked["Metric"]
    key = key_of(metric["Namespace"], metric["MetricName"], _pairs(metric.get("Dimensions") or ()))
    return statistic(backend, key, asked["Stat"], start, end, int(asked["Period"]), asked.get("Unit") or "")


def _result(query: dict[str, Any], series: dict[int, float], *, descending: bool) -> dict[str, Any]:
    asked = query.get("MetricStat", {}).get("Metric", {}).get("MetricName")
    times = sorted(series, reverse=descending)
    return {
        "id": query["Id"],
        "label": query.get("Label") or asked or query["Id"],
        "values": [series[at] for at in times],
        "timestamps": [datetime.fromtimestamp(at, UTC) for at in times],
        "status_code": "Complete",
    }


def _get_statistics(
    self: Any,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    dimensions: list[dict[str, str]],
    unit: str | None = None,
) -> list[dict[str, Any]]:
    start, end = _seconds(start_time), _seconds(end_time)
    if start >= end:
        _refuse("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
    for name in stats:
        _check_statistic(name)
    key = key_of(namespace, metric_name, _pairs(dimensions))
    with _lock:
        periods = _metrics(self).periods(key, start, end, int(period), unit or "")
    points = []
    for at, (distribution, its_unit) in periods.items():
        point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": its_unit}
        found = {name: value for name in stats if (value := distribution.statistic(name)) is not None}
        point |= {name: value for name, value in found.items() if not name.startswith("p")}
        if extended := {name: value for name, value in found.items() if name.startswith("p")}:
            point["ExtendedStatistics"] = extended
        points.append(point)
    return points


def _answer_statistics(self: Any) -> Any:
    from moto.core.responses import ActionResult

    stats = self._get_param("Statistics", []) or []
    extended = self._get_param("ExtendedStatistics", []) or []
    if bool(stats) == bool(extended):
        _refuse("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
    name = self._get_param("MetricName")
    points = self.cloudwatch_backend.get_metric_statistics(
        self._get_param("Namespace"),
        name,
        self._get_param("StartTime"),
        self._get_param("EndTime"),
        self._get_int_param("Period"),
        [*stats, *extended],
        unit=self._get_param("Unit"),
        dimensions=self._get_param("Dimensions", []),
    )
    return ActionResult({"Label": name, "Datapoints": points})


def _all(self: Any) -> list[Any]:
    """One datum of each metric, which is what ListMetrics wants."""
    from moto.cloudwatch.models import MetricDatum

    with _lock:
        keys = _metrics(self).keys()
    return [
        MetricDatum(namespace, name, 0.0, [{"Name": one, "Value": value} for one, value in pairs], None, None)
        for namespace, name, pairs in keys
    ] + list(self.aws_metric_data)


def _check_statistic(name: str) -> None:
    if not is_statistic(name):
        _refuse("InvalidParameterValue", f"The value {name} for parameter Stat is not supported.")


def _pairs(dimensions: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["Name"], one["Value"]) for one in dimensions]


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _refuse(code: str, message: str) -> None:
    from moto.core.exceptions import ServiceException

    raise ServiceException(code, message)
