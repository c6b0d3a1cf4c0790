"""Health checks: one text such as `HTTP:80/health`, and what each type of load balancer takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fleet.lb_errors import LoadBalancerWrong

if TYPE_CHECKING:
    from fleet.load_balancer import Kind

Protocol = Literal["TCP", "SSL", "HTTP", "HTTPS"]

# Registering itself takes a load balancer some seconds before it checks for the first time.
_REGISTERING_SECONDS = 30
_LONGEST_PATH = 1024
_FORM = re.compile(r"(?P<protocol>[A-Za-z]+):(?P<port>\d{1,5})(?P<path>/[\x21-\x7e]*)?")
_PROTOCOLS: dict[str, tuple[str, ...]] = {
    "classic": ("TCP", "SSL", "HTTP", "HTTPS"),
    "application": ("HTTP", "HTTPS"),
    "network": ("TCP", "HTTP", "HTTPS"),
}
_LONGEST_TIMEOUT = {"classic": 60, "application": 120, "network": 120}


@dataclass(frozen=True)
class HealthCheck:
    """What is asked of a node, how often, and how many answers in a row decide."""

    protocol: Protocol
    port: int
    path: str = ""
    """Begins with a slash for HTTP and HTTPS, else empty."""
    interval_seconds: int = 10
    timeout_seconds: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2

    def __str__(self) -> str:
        return f"{self.protocol}:{self.port}{self.path}"

    @property
    def admitting_seconds(self) -> int:
        """How long the checks last, at least, that a node has to pass before it gets traffic."""
        return self.healthy_threshold * self.interval_seconds

    @property
    def in_service_seconds(self) -> int:
        """How long a node that answers may take until it is in service."""
        return self.healthy_threshold * (self.interval_seconds + self.timeout_seconds) + _REGISTERING_SECONDS

    def described(self) -> str:
        """For people: what, how often, which thresholds."""
        return (
            f"{self} every {self.interval_seconds} s, timeout {self.timeout_seconds} s, "
            f"healthy after {self.healthy_threshold}, unhealthy after {self.unhealthy_threshold}"
        )


def parse(
    target: str,
    *,
    interval_seconds: int = 10,
    timeout_seconds: int = 5,
    healthy_threshold: int = 2,
    unhealthy_threshold: int = 2,
) -> HealthCheck:
    """The check that a text such as `TCP:80` or `HTTP:80/health` names. Raises LoadBalancerWrong."""
    found = _FORM.fullmatch(target.strip())
    if found is None:
        raise LoadBalancerWrong(
            f"{target!r} is no health check", "write PROTOCOL:PORT or HTTP:PORT/PATH: TCP:80, HTTP:80/health"
        )
    protocol, path = found["protocol"].upper(), found["path"] or ""
    if protocol not in _PROTOCOLS["classic"]:
        raise LoadBalancerWrong(
            f"{target!r}: there is no health check by {protocol}", "use TCP, SSL, HTTP or HTTPS"
        )
    if protocol in ("TCP", "SSL") and path:
        raise LoadBalancerWrong(
            f"{target!r}: {protocol} asks for no path", f"write {protocol}:{found['port']}, or HTTP:…{path}"
        )
    if protocol.startswith("HTTP"):
        path = path or "/"
    return HealthCheck(
        protocol,  # type: ignore[arg-type]
        int(found["port"]),
        path,
        interval_seconds,
        timeout_seconds,
        healthy_threshold,
        unhealthy_threshold,
    )


def faults(check: HealthCheck, kind: Kind) -> Iterator[str]:
    """What a load balancer of this type refuses in a check, a sentence each."""
    if check.protocol not in _PROTOCOLS[kind]:
        known = ", ".join(_PROTOCOLS[kind])
        yield f"a load balancer of type {kind} does not check by {check.protocol} but by {known}"
    if len(check.path) > _LONGEST_PATH:
        yield f"the path has {len(check.path)} characters, {_LONGEST_PATH} are allowed"
    for name, value, low, high in (
        ("port", check.port, 1, 65535),
        ("interval", check.interval_seconds, 5, 300),
        ("timeout", check.timeout_seconds, 2, _LONGEST_TIMEOUT[kind]),
        ("healthy threshold", check.healthy_threshold, 2, 10),
        ("unhealthy threshold", check.unhealthy_threshold, 2, 10),
    ):
        if not low <= value <= high:
            yield f"the {name} is {value}, {low} to {high} are allowed"
    if check.timeout_seconds >= check.interval_seconds:
        yield f"the timeout, {check.timeout_seconds} s, is not below the interval, {check.interval_seconds} s"


def classic_arguments(check: HealthCheck) -> Any:
    """The HealthCheck of a classic load balancer's ConfigureHealthCheck."""
    return {
        "Target": str(check),
        "Interval": check.interval_seconds,
        "Timeout": check.timeout_seconds,
        "HealthyThreshold": check.healthy_threshold,
        "UnhealthyThreshold": check.unhealthy_threshold,
    }


def target_group_arguments(check: HealthCheck) -> dict[str, Any]:
    """The arguments of CreateTargetGroup and ModifyTargetGroup that concern the check."""
    arguments: dict[str, Any] = {
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": str(check.port),
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
    }
    if check.path:
        # Classic load balancers take 200 alone; one check shall mean the same everywhere.
        arguments |= {"HealthCheckPath": check.path, "Matcher": {"HttpCode": "200"}}
    return arguments


def of_classic(described: Any) -> HealthCheck:
    """The check of a classic load balancer, as AWS describes it."""
    return parse(
        described["Target"],
        interval_seconds=described["Interval"],
        timeout_seconds=described["Timeout"],
        healthy_threshold=described["HealthyThreshold"],
        unhealthy_threshold=described["UnhealthyThreshold"],
    )


def of_target_group(described: Any) -> HealthCheck:
    """The check of a target group, as AWS describes it."""
    port = described["HealthCheckPort"]
    return HealthCheck(
        described["HealthCheckProtocol"],
        int(described["Port"] if port == "traffic-port" else port),
        described.get("HealthCheckPath", "") if described["HealthCheckProtocol"].startswith("HTTP") else "",
        described["HealthCheckIntervalSeconds"],
        described["HealthCheckTimeoutSeconds"],
        described["HealthyThresholdCount"],
        described["UnhealthyThresholdCount"],
    )
