from __future__ import annotations

import pytest

from localcloud import lb_health
from localcloud.lb_health import Finding, Phase, Told, phase
from localcloud.lb_model import Check

CHECK = Check("HTTP", 0, "/", interval=10, timeout=5, rise=2, fall=3)


@pytest.mark.parametrize(
    ("status", "outcome", "age", "settled", "expected"),
    [
        ("UP", "L7OK", 1, False, Phase.HEALTHY),
        ("UP 2/3", "L7STS", 100, True, Phase.HEALTHY),
        ("DOWN", "", 0, False, Phase.CHECKING),
        ("DOWN 1/2", "* L7OK", 100, False, Phase.CHECKING),
        ("DOWN", "L4CON", 24.9, False, Phase.CHECKING),
        ("DOWN", "L4CON", 25, False, Phase.UNHEALTHY),
        ("DOWN 1/2", "L7OK", 1, True, Phase.UNHEALTHY),
    ],
)
def test_a_target_is_new_until_it_passed_or_failed_often_enough(
    status: str, outcome: str, age: float, settled: bool, expected: Phase
) -> None:
    assert phase(status, outcome, age, CHECK, settled=settled) is expected


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding(Phase.HEALTHY, "L7OK", "200"), Told("healthy", "", "")),
        (
            Finding(Phase.CHECKING),
            Told("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
        ),
        (Finding(Phase.UNHEALTHY, "L4TOUT"), Told("unhealthy", "Target.Timeout", "Request timed out")),
        (Finding(Phase.UNHEALTHY, "* L7TOUT"), Told("unhealthy", "Target.Timeout", "Request timed out")),
        (
            Finding(Phase.UNHEALTHY, "L7STS", "503"),
            Told("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        ),
        (
            Finding(Phase.UNHEALTHY, "L4CON"),
            Told("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
        ),
        (
            Finding(Phase.DRAINING),
            Told("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
        ),
    ],
)
def test_a_target_group_tells_of_a_target_as_aws_does(finding: Finding, expected: Told) -> None:
    assert lb_health.target(finding) == expected


def test_a_classic_load_balancer_tells_of_instances_as_aws_does() -> None:
    assert lb_health.classic(Finding(Phase.HEALTHY)) == Told("InService", "N/A", "N/A")
    assert lb_health.classic(Finding(Phase.CHECKING)).reason == "ELB"
    assert lb_health.classic(Finding(Phase.UNHEALTHY)).reason == "Instance"
    assert lb_health.classic(Finding(Phase.DRAINING)) == Told(
        "InService", "N/A", "Instance deregistration currently in progress."
    )
    assert lb_health.classic_not_running("stopping").description == "Instance is in stopped state."


def test_the_worst_of_several_checks_is_the_smallest() -> None:
    assert min(Phase.HEALTHY, Phase.UNHEALTHY, Phase.CHECKING) is Phase.UNHEALTHY
