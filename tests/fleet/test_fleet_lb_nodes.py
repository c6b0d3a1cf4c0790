"""Nodes of load balancers of every type: they join, are waited for, and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fleet_balancers import wanted
from moto_fixture import FakeClock, refusal

from aws.patience import Patience
from fleet import classic, lb, target_groups
from fleet.lb_errors import NotInService, StillDraining
from fleet.load_balancer import Health, LoadBalancer

if TYPE_CHECKING:
    from aws.session import Cloud

pytestmark = pytest.mark.usefixtures("from_this_desk")


@pytest.fixture
def nodes(mock_cloud: Cloud) -> list[str]:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    image = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].register_image("web").id
    made = mock_cloud.ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3)["Instances"]
    return [one["InstanceId"] for one in made]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Health]]:
    """What the load balancer says of its nodes, look by look; the last is said for ever."""
    looks: list[dict[str, Health]] = []

    def health(*_: object) -> dict[str, Health]:
        return looks.pop(0) if len(looks) > 1 else looks[0]

    for each in (classic, lb.targeting):
        monkeypatch.setattr(each, "health", health)
    return looks


def test_only_nodes_that_are_not_in_it_are_registered(
    mock_cloud: Cloud, balancer: LoadBalancer, nodes: list[str], writes: list[str]
) -> None:
    assert lb.register(mock_cloud, balancer, nodes[:2]) == nodes[:2]
    assert set(lb.health(mock_cloud, balancer)) == set(nodes[:2])
    assert lb.register(mock_cloud, balancer, nodes) == nodes[2:]
    writes.clear()
    assert lb.register(mock_cloud, balancer, nodes) == []
    assert writes == []


def test_a_node_on_its_way_out_is_registered_again(
    mock_cloud: Cloud, balancer: LoadBalancer, nodes: list[str], seen: list[dict[str, Health]]
) -> None:
    seen.append({nodes[0]: Health("draining"), nodes[1]: Health("unhealthy")})
    assert lb.register(mock_cloud, balancer, nodes[:2]) == nodes[:1]


def test_many_nodes_are_registered_in_batches(
    mock_cloud: Cloud, balancer: LoadBalancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    for each in (classic, lb.targeting):
        monkeypatch.setattr(each, "register", lambda cloud, found, ids: batches.append(len(ids)))
    lb.register(mock_cloud, balancer, [f"i-{number:017x}" for number in range(120)])
    assert batches == [50, 50, 20]


def test_nodes_are_waited_for_until_all_serve(
    mock_cloud: Cloud, balancer: LoadBalancer, seen: list[dict[str, Health]], clock: FakeClock
) -> None:
    seen += [{}, {"i-1": Health("initial")}, {"i-1": Health("healthy")}]
    lb.wait_in_service(mock_cloud, balancer, ["i-1"], clock=clock)
    assert len(clock.slept) == 2


def test_a_node_that_does_not_come_is_named_with_awss_reason(
    mock_cloud: Cloud, balancer: LoadBalancer, seen: list[dict[str, Health]], clock: FakeClock
) -> None:
    seen.append({"i-1": Health("unhealthy", "Target.Timeout", "Request timed out"), "i-2": Health("healthy")})
    with pytest.raises(NotInService, match=r"i-1 unhealthy \(Request timed out\); i-3 is not registered"):
        lb.wait_in_service(mock_cloud, balancer, ["i-1", "i-2", "i-3"], clock=clock)
    assert clock.now >= balancer.check.in_service_seconds


def test_a_deregistration_is_over_when_the_nodes_are_really_out(
    mock_cloud: Cloud,
    balancer: LoadBalancer,
    nodes: list[str],
    seen: list[dict[str, Health]],
    clock: FakeClock,
) -> None:
    (classic if balancer.kind == "classic" else target_groups).register(mock_cloud, balancer, nodes[:2])
    staying = {nodes[1]: Health("healthy")}
    seen += [{nodes[0]: Health("healthy"), **staying}, {nodes[0]: Health("draining"), **staying}, staying]
    assert lb.deregister(mock_cloud, balancer, [nodes[0], nodes[2]], clock=clock) == [nodes[0]]
    assert len(clock.slept) == 1


def test_a_node_that_drains_already_is_waited_for_and_not_told_again(
    mock_cloud: Cloud,
    balancer: LoadBalancer,
    seen: list[dict[str, Health]],
    clock: FakeClock,
    writes: list[str],
) -> None:
    writes.clear()
    seen += [{"i-1": Health("draining")}, {"i-1": Health("draining")}, {}]
    assert lb.deregister(mock_cloud, balancer, ["i-1"], clock=clock) == ["i-1"]
    assert writes == []


def test_a_node_that_never_leaves_is_named(
    mock_cloud: Cloud, balancer: LoadBalancer, seen: list[dict[str, Health]], clock: FakeClock
) -> None:
    seen.append({"i-1": Health("draining", "", "Instance deregistration currently in progress")})
    with pytest.raises(StillDraining, match="i-1 draining"):
        lb.deregister(mock_cloud, balancer, ["i-1"], Patience(1, 10), clock)
    assert clock.now >= 10


def test_nodes_really_leave(mock_cloud: Cloud, balancer: LoadBalancer, nodes: list[str]) -> None:
    lb.register(mock_cloud, balancer, nodes)
    assert lb.deregister(mock_cloud, balancer, nodes[:1], Patience(0, 0)) == nodes[:1]
    assert set(lb.health(mock_cloud, balancer)) == set(nodes[1:])
    assert lb.deregister(mock_cloud, balancer, nodes[:1]) == []


def test_a_node_that_is_gone_does_not_keep_the_others_in(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []

    def deregister(Instances: list[dict[str, str]], **_: object) -> None:  # noqa: N803 - boto3's name
        told.append([one["InstanceId"] for one in Instances])
        if "i-gone" in told[-1]:
            raise refusal("InvalidInstance")

    monkeypatch.setattr(mock_cloud.elb, "deregister_instances_from_load_balancer", deregister)
    made, _ = lb.ensure(mock_cloud, wanted("classic"))
    classic.deregister(mock_cloud, made, ["i-gone", "i-1"])
    assert told == [["i-gone", "i-1"], ["i-gone"], ["i-1"]]


@pytest.mark.parametrize(
    ("state", "reason", "description", "read"),
    [
        ("InService", "N/A", "N/A", Health("healthy")),
        (
            "InService",
            "N/A",
            "Instance deregistration currently in progress.",
            Health("draining", "", "Instance deregistration currently in progress."),
        ),
        (
            "OutOfService",
            "ELB",
            "Instance registration is still in progress.",
            Health("initial", "ELB", "Instance registration is still in progress."),
        ),
        (
            "OutOfService",
            "Instance",
            "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
            Health(
                "unhealthy",
                "Instance",
                "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
            ),
        ),
        (
            "Unknown",
            "ELB",
            "A transient error occurred.",
            Health("unavailable", "ELB", "A transient error occurred."),
        ),
    ],
)
def test_a_classic_ones_words_are_read_as_target_groups_say_them(
    state: str, reason: str, description: str, read: Health
) -> None:
    assert classic.read_health({"State": state, "ReasonCode": reason, "Description": description}) == read


def test_an_unhealthy_target_that_drains_drains() -> None:
    assert target_groups.read_health({"State": "unhealthy.draining"}).state == "draining"
