"""CloudWatch alarms of a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aws.ownership import tag_list
from fleet.naming import NODE_NAMESPACE, Names, digest

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.load_balancer import LoadBalancer
    from fleet.scaling_rules import Alarm

_PERIOD = 60
_CLASSIC = {
    "unhealthy_hosts": ("UnHealthyHostCount", {"Statistic": "Maximum"}),
    "errors": ("HTTPCode_Backend_5XX", {"Statistic": "Sum"}),
    "latency": ("Latency", {"ExtendedStatistic": "p99"}),
}
_V2 = {
    "unhealthy_hosts": ("UnHealthyHostCount", {"Statistic": "Maximum"}),
    "errors": ("HTTPCode_Target_5XX_Count", {"Statistic": "Sum"}),
    "latency": ("TargetResponseTime", {"ExtendedStatistic": "p99"}),
}


def described(cloud: Cloud, names: Names) -> dict[str, str]:
    """Digest by name of the deployment's alarms."""
    pages = cloud.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{names.of()}-alarm-")
    found = [one for page in pages for one in page["MetricAlarms"]]
    return {one["AlarmName"]: one.get("AlarmDescription", "").rpartition(" ")[2] for one in found}


def ringing(cloud: Cloud, names: Names) -> list[str]:
    """The names of the deployment's alarms that are in ALARM."""
    pages = cloud.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{names.of()}-alarm-", StateValue="ALARM"
    )
    return [one["AlarmName"] for page in pages for one in page["MetricAlarms"]]


def name_of(alarm: Alarm, names: Names) -> str:
    """What an alarm is called."""
    return names.of("alarm", alarm.name)


def digest_of(alarm: Alarm) -> str:
    """Stands for what an alarm watches and tells."""
    return digest(json.dumps(asdict(alarm), sort_keys=True))


def put(
    cloud: Cloud, alarm: Alarm, names: Names, balancer: LoadBalancer | None, tags: Mapping[str, str]
) -> None:
    """Make an alarm, or change it."""
    cloud.cloudwatch.put_metric_alarm(
        AlarmName=name_of(alarm, names),
        AlarmDescription=f"{alarm.watch} above {alarm.above:g} for {alarm.minutes} min; {digest_of(alarm)}",
        Threshold=alarm.above,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=alarm.minutes,
        Period=_PERIOD,
        TreatMissingData="notBreaching",
        AlarmActions=list(alarm.notify),
        OKActions=list(alarm.notify),
        Tags=tag_list(tags),
        **metric(alarm, names, balancer),
    )


def remove(cloud: Cloud, alarm_names: Iterable[str]) -> None:
    """Delete alarms."""
    cloud.cloudwatch.delete_alarms(AlarmNames=list(alarm_names))


def metric(alarm: Alarm, names: Names, balancer: LoadBalancer | None) -> dict[str, Any]:
    """Which metric an alarm goes by, as PutMetricAlarm takes it."""
    chosen: dict[str, str]
    if alarm.watch == "load1":
        namespace, name = NODE_NAMESPACE, "LoadAverage1"
        dimensions, chosen = {"Deployment": names.deployment}, {"Statistic": "Maximum"}
    elif balancer is None:
        namespace, name = "AWS/EC2", "CPUUtilization"
        dimensions = {"AutoScalingGroupName": names.of(alarm.template)}
        chosen = {"Statistic": "Average"}
    else:
        table = _CLASSIC if balancer.kind == "classic" else _V2
        name, chosen = table[alarm.watch]
        namespace, dimensions = balancer_metrics(balancer, of_targets=alarm.watch == "unhealthy_hosts")
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        **chosen,
    }


def balancer_metrics(balancer: LoadBalancer, *, of_targets: bool = False) -> tuple[str, dict[str, str]]:
    """The namespace and dimensions of a load balancer's metrics."""
    if balancer.kind == "classic":
        return "AWS/ELB", {"LoadBalancerName": balancer.name}
    namespace = "AWS/ApplicationELB" if balancer.kind == "application" else "AWS/NetworkELB"
    dimensions = {"LoadBalancer": balancer.arn.partition("loadbalancer/")[2]}
    if of_targets:
        dimensions["TargetGroup"] = balancer.target_group_arn.rpartition(":")[2]
    return namespace, dimensions
