from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

import pytest

from localcloud.cloudwatch import Datum
from localcloud.lb_health import Phase
from localcloud.lb_model import Balancer, Check, Pool
from localcloud.lb_traffic import Hit, data, hit, hosts

CHECK = Check("TCP", 0, "", 5, 2, 2, 2)
ADDRESS = IPv4Address("10.0.0.5")
CLASSIC = Balancer(
    "lb-1", "web", "classic", ADDRESS, "x", (), (Pool("http-80", "http", False, CHECK),), metric="web"
)
GROUP = Pool("app", "http", False, CHECK, metric="targetgroup/app/1")
APPLICATION = Balancer("lb-2", "app", "application", ADDRESS, "x", (), (GROUP,), metric="app/app/2")
ZONES = {"i-1.1": "us-east-1a"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("R listen-80 http-80:us-east-1a i-1.1 200 12", Hit("http-80", "us-east-1a", 200, 0.012)),
        ("R listen-80 http-80 <NOSRV> 503 -1", Hit("", "", 503, None)),
        ("R listen-80 http-80 i-1.1 504 -1", Hit("http-80", "us-east-1a", 504, None)),
        ("R listen-443 tls i-9.9 - 3", Hit("tls", "", None, 0.003)),
        ("Server http-80/i-1.1 is DOWN, reason: x", None),
        ("", None),
    ],
)
def test_a_line_of_the_log_tells_of_a_request(line: str, expected: Hit | None) -> None:
    assert hit(line.encode(), lambda name: ZONES.get(name, "")) == expected


def sums(found: list[Datum], *dimensions: tuple[str, str]) -> dict[str, float]:
    return {one.name: one.value * one.times for one in found if one.dimensions == dimensions}


def test_a_classic_load_balancers_requests_are_counted_whole_and_by_zone() -> None:
    hits = Counter({Hit("http-80", "us-east-1a", 200, 0.5): 4, Hit("", "", 503, None): 2})
    found = list(data(CLASSIC, hits, {}))
    whole = sums(found, ("LoadBalancerName", "web"))
    assert whole == {"RequestCount": 4, "Latency": 2, "HTTPCode_Backend_2XX": 4, "HTTPCode_ELB_5XX": 2}
    by_zone = sums(found, ("AvailabilityZone", "us-east-1a"), ("LoadBalancerName", "web"))
    assert by_zone == {"RequestCount": 4, "Latency": 2, "HTTPCode_Backend_2XX": 4}


def test_a_target_groups_requests_are_shared_out_over_healthy_targets() -> None:
    hits = Counter({Hit("app", "us-east-1a", 200, 0.5): 6})
    found = list(data(APPLICATION, hits, {"app": 3}))
    assert sums(found, ("TargetGroup", "targetgroup/app/1")) == {"RequestCountPerTarget": 2}
    of_group = sums(found, ("LoadBalancer", "app/app/2"), ("TargetGroup", "targetgroup/app/1"))
    assert of_group["HTTPCode_Target_2XX_Count"] == 6
    assert of_group["TargetResponseTime"] == 3


def test_hosts_are_counted_also_when_there_are_none() -> None:
    assert [(one.name, one.value) for one in hosts(CLASSIC, [])] == [
        ("HealthyHostCount", 0),
        ("UnHealthyHostCount", 0),
    ]


def test_hosts_are_counted_once_however_many_listeners_they_have() -> None:
    standing = [
        ("http-80", "i-1", "us-east-1a", Phase.HEALTHY),
        ("tcp-81", "i-1", "us-east-1a", Phase.HEALTHY),
        ("http-80", "i-2", "us-east-1b", Phase.UNHEALTHY),
    ]
    found = list(hosts(CLASSIC, standing))
    assert sums(found, ("LoadBalancerName", "web")) == {"HealthyHostCount": 1, "UnHealthyHostCount": 1}
    zone = (("AvailabilityZone", "us-east-1b"), ("LoadBalancerName", "web"))
    assert sums(found, *zone) == {"HealthyHostCount": 0, "UnHealthyHostCount": 1}
