"""An alias from its line in the file to Route 53 and back: seen, planned, checked and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, counted, desk, in_no_time, register_image, writes
from fleet_wanted import deployment

from fleet import dns_check, dns_tasks, names_in_route53, operations
from fleet.dns_question import Answer
from fleet.load_balancer import KINDS
from fleet.names_in_route53 import Record

if TYPE_CHECKING:
    from moto_fixture import FakeClock

    from aws.session import Cloud
    from fleet.deployment import Deployment

DNS = {"zone": "shop.test", "name": "img.shop.test", "make_zone": True}


def shop(kind: str = "alias", name: str = "img.shop.test", balancer: str = "classic") -> Deployment:
    check = "TCP:80" if balancer == "network" else "HTTP:80/health"
    front = {"type": balancer, "health_check": check, "interval_seconds": 10}
    dns = {**DNS, "name": name, "type": kind}
    return deployment(dns=dns, load_balancer={"front": front}, bucket=None, inputs={})


@pytest.fixture(autouse=True)
def account(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    in_no_time(monkeypatch)
    register_image()
    with booting(mock_cloud), classic_ones_tell_their_zone(mock_cloud):
        yield


@contextmanager
def classic_ones_tell_their_zone(cloud: Cloud) -> Iterator[None]:
    """moto leaves it out of what it says of classic load balancers."""

    def tell(parsed: Any, **_: Any) -> None:
        for one in parsed.get("LoadBalancerDescriptions", []):
            one["CanonicalHostedZoneNameID"] = "ZCLASSIC"

    event = "after-call.elastic-load-balancing.DescribeLoadBalancers"
    cloud.elb.meta.events.register(event, tell)
    try:
        yield
    finally:
        cloud.elb.meta.events.unregister(event, tell)


def up(cloud: Cloud, file: Deployment) -> Any:
    return operations.up(desk(cloud, file))


def records(cloud: Cloud) -> dict[str, Any]:
    """The zone's records but those that it was born with, by name."""
    (zone,) = cloud.route53.list_hosted_zones()["HostedZones"]
    found = cloud.route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    return {one["Name"]: one for one in found if one["Type"] not in ("NS", "SOA")}


def address(cloud: Cloud, balancer: str) -> tuple[str, str]:
    """The load balancer's name and the zone that it lies in, as its own service tells them."""
    if balancer == "classic":
        (one,) = cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"]
        return one["DNSName"].lower(), one["CanonicalHostedZoneNameID"]
    (new,) = cloud.elbv2.describe_load_balancers()["LoadBalancers"]
    return new["DNSName"].lower(), new["CanonicalHostedZoneId"]


@pytest.mark.parametrize("balancer", KINDS)
@pytest.mark.parametrize("name", ["img.shop.test", "shop.test"])
def test_an_alias_leads_to_the_load_balancer_in_its_zone_at_the_apex_too(
    mock_cloud: Cloud, name: str, balancer: str
) -> None:
    up(mock_cloud, shop(name=name, balancer=balancer))
    target, zone = address(mock_cloud, balancer)
    made = records(mock_cloud)[f"{name}."]
    assert made["Type"] == "A"
    assert "TTL" not in made
    alias = made["AliasTarget"]
    assert (alias["DNSName"].rstrip("."), alias["HostedZoneId"]) == (target, zone)
    assert alias["EvaluateTargetHealth"] is True


def test_a_second_up_leaves_an_alias_alone(mock_cloud: Cloud) -> None:
    up(mock_cloud, shop())
    with counted(mock_cloud) as calls:
        assert up(mock_cloud, shop()).changed == ()
    assert writes(calls) == []


@pytest.mark.parametrize("told", ["dualstack.{}", "{}.", "DUALSTACK.{}."])
def test_an_alias_is_known_by_its_target_however_route_53_tells_it(mock_cloud: Cloud, told: str) -> None:
    up(mock_cloud, shop())
    target, zone = address(mock_cloud, "classic")
    alias: Any = {"HostedZoneId": zone, "DNSName": told.format(target), "EvaluateTargetHealth": True}
    found = names_in_route53._read({"Name": "img.shop.test.", "Type": "A", "AliasTarget": alias})
    assert found == Record("alias", target)


@pytest.mark.parametrize(
    ("before", "after", "said", "kind"),
    [
        ("cname", "alias", "(alias)", "A"),
        ("alias", "cname", "(cname, 60 s)", "CNAME"),
    ],
)
def test_one_in_the_place_of_the_other_is_planned_and_done_in_one_change(
    mock_cloud: Cloud, before: str, after: str, said: str, kind: str
) -> None:
    up(mock_cloud, shop(before))
    target, _ = address(mock_cloud, "classic")
    (change,) = [
        one for one in operations.show_plan(desk(mock_cloud, shop(after))).actions if one.sign == "~"
    ]
    assert change.what == f"name img.shop.test -> load balancer front {said}"
    assert change.details[0].startswith(f"it is {before} {target}")
    with counted(mock_cloud) as calls:
        up(mock_cloud, shop(after))
    # In a change of its own, the name would lead nowhere until the next one.
    assert calls["ChangeResourceRecordSets"] == 1
    assert [one["Type"] for one in records(mock_cloud).values()] == [kind]


def test_up_returns_when_all_of_route_53s_servers_have_it(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr("aws.patience.wait_for.__defaults__", (clock,))
    states = ["PENDING", "PENDING", "INSYNC"]

    def late(parsed: Any, **_: Any) -> None:
        parsed["ChangeInfo"]["Status"] = states.pop(0)

    mock_cloud.route53.meta.events.register("after-call.route-53.GetChange", late)
    try:
        up(mock_cloud, shop())
    finally:
        mock_cloud.route53.meta.events.unregister("after-call.route-53.GetChange", late)
    assert states == []
    assert clock.slept == [2, 2]


def test_down_removes_the_alias_and_the_zone(mock_cloud: Cloud) -> None:
    up(mock_cloud, shop(name="shop.test"))
    operations.down(desk(mock_cloud, shop(name="shop.test")))
    assert mock_cloud.route53.list_hosted_zones()["HostedZones"] == []


def test_down_takes_its_alias_out_of_a_zone_of_somebody_else_and_nothing_more(mock_cloud: Cloud) -> None:
    zone = mock_cloud.route53.create_hosted_zone(Name="shop.test", CallerReference="1")["HostedZone"]["Id"]
    theirs: Any = {
        "Name": "www.shop.test",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    mock_cloud.route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": theirs}]}
    )
    up(mock_cloud, shop())
    assert set(records(mock_cloud)) == {"www.shop.test.", "img.shop.test."}
    operations.down(desk(mock_cloud, shop()))
    assert set(records(mock_cloud)) == {"www.shop.test."}


@pytest.mark.parametrize(("resolved", "sees"), [("10.0.0.9", True), ("10.0.0.1", False)])
def test_a_check_of_an_alias_compares_addresses_with_the_load_balancers(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, clock: FakeClock, resolved: str, sees: bool
) -> None:
    from invoke.config import Config
    from invoke.context import Context

    file = shop(name="shop.test")
    up(mock_cloud, file)

    def ask(server: str, name: str) -> Answer:
        return Answer(server, (), (resolved if name == "shop.test" else "10.0.0.9",), 60)

    monkeypatch.setattr(dns_tasks, "connect", lambda: mock_cloud)
    monkeypatch.setattr(dns_tasks, "load", lambda _: file)
    monkeypatch.setattr(dns_check.until_agreed, "__defaults__", (ask, clock))
    seen = dns_tasks.check.body(Context(Config()), resolver=["192.0.2.53"], wait=10)
    assert seen.degraded is not sees
    assert (seen.document()["type"], seen.document()["agreed"]) == ("alias", sees)
