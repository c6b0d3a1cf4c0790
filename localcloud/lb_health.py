"""What a load balancer's checks found, and how DescribeInstanceHealth and DescribeTargetHealth tell it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from localcloud.lb_model import Check


class Phase(IntEnum):
    """How a target stands, from worst to best; over several checks of it the worst counts."""

    UNHEALTHY = 0
    REGISTERING = 1
    CHECKING = 2
    DRAINING = 3
    HEALTHY = 4


@dataclass(frozen=True)
class Finding:
    """How a target stands, what HAProxy calls the last check's outcome, and its HTTP status."""

    phase: Phase
    outcome: str = ""
    code: str = ""


@dataclass(frozen=True)
class Told:
    """A state with its reason and description, as AWS puts it."""

    state: str
    reason: str = "N/A"
    description: str = "N/A"


def phase(status: str, outcome: str, age_seconds: float, check: Check, *, settled: bool) -> Phase:
    """How a server stands that HAProxy shows as `status` with the last check's `outcome`.

    A new target is in its initial phase until it passed often enough or had the time to fail often enough.
    """
    if status.startswith(("UP", "DRAIN", "NOLB")):
        return Phase.HEALTHY
    passed = outcome.removeprefix("* ") in ("", "UNK", "INI") or "OK" in outcome
    enough = check.interval * (check.fall - 1) + check.timeout
    return Phase.UNHEALTHY if settled or (not passed and age_seconds >= enough) else Phase.CHECKING


# https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
_UNHEALTHY = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
_NOT_YET = "Instance has not passed the configured HealthyThreshold number of health checks consecutively."
_REGISTERING = "Instance registration is still in progress."
_CLASSIC = {
    Phase.HEALTHY: Told("InService"),
    Phase.UNHEALTHY: Told("OutOfService", "Instance", _UNHEALTHY),
    Phase.REGISTERING: Told("OutOfService", "ELB", _REGISTERING),
    Phase.CHECKING: Told("OutOfService", "ELB", _REGISTERING),
    Phase.DRAINING: Told("InService", "N/A", "Instance deregistration currently in progress."),
}
CLASSIC_NOT_REGISTERED = Told(
    "OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."
)
CLASSIC_OTHER_ZONE = Told(
    "OutOfService",
    "ELB",
    "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
)


def classic(finding: Finding) -> Told:
    """For DescribeInstanceHealth."""
    return _CLASSIC[finding.phase]


def classic_not_running(state: str) -> Told:
    """For DescribeInstanceHealth, of an instance that EC2 shows in a state other than running."""
    name = {"shutting-down": "terminated", "stopping": "stopped"}.get(state, state)
    return Told("OutOfService", "Instance", f"Instance is in {name} state.")


# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
TARGET_NOT_REGISTERED = Told("unused", "Target.NotRegistered", "Target is not registered to the target group")
TARGET_NOT_IN_USE = Told(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
TARGET_OTHER_ZONE = Told(
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
TARGET_DRAINING = Told("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
TARGET_REGISTERING = Told("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
_TARGET = {
    Phase.HEALTHY: Told("healthy", "", ""),
    Phase.DRAINING: TARGET_DRAINING,
    Phase.REGISTERING: TARGET_REGISTERING,
    Phase.CHECKING: Told("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
}


def target_not_running(state: str) -> Told:
    """For DescribeTargetHealth, of an instance that EC2 shows in a state other than running."""
    name = {"shutting-down": "terminated", "stopping": "stopped"}.get(state, state)
    return Told("unused", "Target.InvalidState", f"Target is in the {name} state")


def target(finding: Finding) -> Told:
    """For DescribeTargetHealth; a healthy target has neither reason nor description."""
    if finding.phase in _TARGET:
        return _TARGET[finding.phase]
    if "TOUT" in finding.outcome:
        return Told("unhealthy", "Target.Timeout", "Request timed out")
    if "L7STS" in finding.outcome:
        said = f"Health checks failed with these codes: [{finding.code}]"
        return Told("unhealthy", "Target.ResponseCodeMismatch", said)
    return Told("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
