"""A node's load average in CloudWatch once a minute, by a timer; no agent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bootstrap.act import Act
from bootstrap.api import MONITORING, Api
from bootstrap.services import look

TIMER = "node-metrics.timer"


def keep_sending(act: Act) -> None:
    """Have the timer run when METRICS_NAMESPACE is given, and not when it is not. Raises ServiceError."""
    (timer,) = look([TIMER], act.run)
    wanted, active = bool(act.text("METRICS_NAMESPACE")), timer.active
    if wanted and not active:
        act.change(f"started {TIMER}", lambda: act.run(["systemctl", "start", TIMER]))
    if active and not wanted:
        act.change(f"stopped {TIMER}", lambda: act.run(["systemctl", "stop", TIMER]))


def send(act: Act) -> None:
    """Put the load averages of now. Raises ApiError or UnreachableError."""
    namespace = act.text("METRICS_NAMESPACE")
    if namespace and act.instance_id and not act.dry_run:
        put(act.api, namespace, measured(), {"InstanceId": act.instance_id})


def measured() -> dict[str, float]:
    """Return figures by CloudWatch metric name.

    The load is also given per processor, which compares across types.
    """
    one, five, _ = os.getloadavg()
    return {"LoadAverage1": one, "LoadAverage5": five, "LoadPerProcessor": one / (os.cpu_count() or 1)}


def put(api: Api, namespace: str, figures: Mapping[str, float], dimensions: Mapping[str, str]) -> None:
    """Send figures to CloudWatch. Raises ApiError or UnreachableError."""
    asked = {"Namespace": namespace}
    for number, (name, value) in enumerate(figures.items(), 1):
        here = f"MetricData.member.{number}"
        asked |= {f"{here}.MetricName": name, f"{here}.Value": f"{value:.4f}", f"{here}.Unit": "None"}
        for which, (dimension, text) in enumerate(dimensions.items(), 1):
            there = f"{here}.Dimensions.member.{which}"
            asked |= {f"{there}.Name": dimension, f"{there}.Value": text}
    api.query(MONITORING, "PutMetricData", asked)
