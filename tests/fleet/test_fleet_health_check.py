"""One text says what is asked of a node; what a type of load balancer refuses is said before it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import health_check
from fleet.health_check import HealthCheck
from fleet.lb_errors import LoadBalancerWrong


@pytest.mark.parametrize(
    ("text", "protocol", "port", "path"),
    [
        ("TCP:80", "TCP", 80, ""),
        ("tcp:8080", "TCP", 8080, ""),
        ("HTTP:80/health", "HTTP", 80, "/health"),
        ("HTTP:80", "HTTP", 80, "/"),
        ("https:443/a/b?c=d", "HTTPS", 443, "/a/b?c=d"),
        ("SSL:443", "SSL", 443, ""),
    ],
)
def test_a_text_names_a_check(text: str, protocol: str, port: int, path: str) -> None:
    read = health_check.parse(text)
    assert (read.protocol, read.port, read.path) == (protocol, port, path)


@pytest.mark.parametrize(
    "text", ["", "80", "TCP", "TCP:", "TCP:80/health", "UDP:53", "HTTP:80health", "HTTP:80/a b", "HTTP:8 0/"]
)
def test_any_other_text_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(LoadBalancerWrong) as caught:
        health_check.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "check", "said"),
    [
        ("application", HealthCheck("TCP", 80), "does not check by TCP but by HTTP, HTTPS"),
        ("network", HealthCheck("SSL", 443), "does not check by SSL"),
        ("classic", HealthCheck("TCP", 0), "the port is 0"),
        ("classic", HealthCheck("TCP", 65536), "the port is 65536"),
        ("classic", HealthCheck("TCP", 80, interval_seconds=4, timeout_seconds=2), "interval is 4, 5 to 300"),
        ("classic", HealthCheck("TCP", 80, interval_seconds=301), "interval is 301"),
        ("classic", HealthCheck("TCP", 80, timeout_seconds=1), "timeout is 1, 2 to 60"),
        ("classic", HealthCheck("TCP", 80, interval_seconds=300, timeout_seconds=61), "timeout is 61"),
        ("network", HealthCheck("TCP", 80, interval_seconds=300, timeout_seconds=121), "timeout is 121"),
        ("classic", HealthCheck("TCP", 80, interval_seconds=5, timeout_seconds=5), "not below the interval"),
        ("classic", HealthCheck("TCP", 80, healthy_threshold=1), "the healthy threshold is 1, 2 to 10"),
        ("classic", HealthCheck("TCP", 80, unhealthy_threshold=11), "the unhealthy threshold is 11"),
        ("classic", HealthCheck("HTTP", 80, "/" + "a" * 1024), "1025 characters"),
    ],
)
def test_what_a_type_refuses_is_said(kind: health_check.Kind, check: HealthCheck, said: str) -> None:
    (told,) = health_check.faults(check, kind)
    assert said in told


def test_every_fault_is_said_at_once() -> None:
    assert len(list(health_check.faults(HealthCheck("TCP", 0, healthy_threshold=0), "application"))) == 3


@pytest.mark.parametrize(("kind", "seconds"), [("classic", 60), ("application", 120), ("network", 120)])
def test_the_longest_timeout_of_each_type_is_taken(kind: health_check.Kind, seconds: int) -> None:
    check = HealthCheck("HTTP", 80, "/", interval_seconds=300, timeout_seconds=seconds)
    assert list(health_check.faults(check, kind)) == []


def test_a_node_may_take_as_long_as_its_threshold_of_checks_implies() -> None:
    assert HealthCheck("TCP", 80, "", 10, 5, 3, 2).in_service_seconds == 3 * 15 + 30


def test_a_classic_load_balancer_is_told_the_text_itself() -> None:
    assert health_check.classic_arguments(health_check.parse("HTTP:80/health", interval_seconds=6)) == {
        "Target": "HTTP:80/health", "Interval": 6, "Timeout": 5,
        "HealthyThreshold": 2, "UnhealthyThreshold": 2,
    }  # fmt: skip


def test_a_target_group_is_told_no_path_and_no_codes_where_tcp_is_asked() -> None:
    assert "HealthCheckPath" not in health_check.target_group_arguments(health_check.parse("TCP:80"))
    by_http = health_check.target_group_arguments(health_check.parse("HTTP:80/health"))
    assert (by_http["HealthCheckPath"], by_http["Matcher"]) == ("/health", {"HttpCode": "200"})


CHECKS = st.builds(
    HealthCheck,
    st.sampled_from(["HTTP", "HTTPS"]),
    st.integers(1, 65535),
    st.from_regex(r"/[a-z0-9/?=&.-]{0,20}", fullmatch=True),
    *[st.integers(2, 300)] * 2,
    *[st.integers(2, 10)] * 2,
)


@given(CHECKS)
def test_what_is_told_to_aws_reads_back_as_the_same_check(check: HealthCheck) -> None:
    assert health_check.of_classic(health_check.classic_arguments(check)) == check
    assert health_check.of_target_group(health_check.target_group_arguments(check)) == check


def test_a_target_group_that_checks_its_traffic_port_is_read_with_that_port() -> None:
    described = {**health_check.target_group_arguments(health_check.parse("TCP:80")), "Port": 8080}
    assert health_check.of_target_group({**described, "HealthCheckPort": "traffic-port"}).port == 8080
