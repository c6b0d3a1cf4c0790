"""Load balancers of every type: made once, found and removed; the second time changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from fleet_balancers import wanted
from moto_fixture import refusal

from aws.desk import Life
from aws.sweep import Rules, sweep
from fleet import health_check, lb, listener
from fleet.lb_errors import LoadBalancerWrong, NoLoadBalancer, NotOurBalancer
from fleet.load_balancer import DEPLOYMENT, Kind, LoadBalancer

if TYPE_CHECKING:
    from aws.session import Cloud

pytestmark = pytest.mark.usefixtures("from_this_desk")
Failing = Callable[[str, str, Exception], None]


# --- making ---


def test_it_is_made_as_it_was_wanted(mock_cloud: Cloud, kind: Kind) -> None:
    made, changed = lb.ensure(mock_cloud, wanted(kind, draining_seconds=20, deployment="shop"))
    assert changed
    assert (made.kind, made.name, made.draining_seconds) == (kind, "web", 20)
    assert made.check == wanted(kind).check
    assert made.dns_name
    assert len(made.subnet_ids) == len(mock_cloud.ec2.describe_availability_zones()["AvailabilityZones"])
    assert made.deployment == "shop"
    assert bool(made.arn) == bool(made.target_group_arn) == (kind != "classic")


def test_the_second_time_changes_nothing(mock_cloud: Cloud, kind: Kind, writes: list[str]) -> None:
    first, _ = lb.ensure(mock_cloud, wanted(kind))
    writes.clear()
    assert lb.ensure(mock_cloud, wanted(kind)) == (first, [])
    assert writes == []


def test_a_plan_changes_nothing_and_names_what_it_would_make(
    mock_cloud: Cloud, kind: Kind, writes: list[str]
) -> None:
    told = lb.plan(mock_cloud, wanted(kind))
    assert any(f"create {kind} load balancer web" in one for one in told)
    assert writes == []
    lb.ensure(mock_cloud, wanted(kind))
    assert lb.plan(mock_cloud, wanted(kind)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"check": health_check.parse("HTTP:80/up", interval_seconds=6)},
            "check health by HTTP:80/up every 6",
        ),
        ({"draining_seconds": 7}, "drain for 7 s"),
        ({"cross_zone": False}, "balance within zones"),
    ],
)
def test_a_setting_that_differs_is_changed_alone_and_said(
    mock_cloud: Cloud, balancer: LoadBalancer, kind: Kind, change: dict[str, Any], said: str
) -> None:
    (told,) = lb.ensure(mock_cloud, wanted(kind, deployment="shop", **change))[1]
    assert said in told
    assert lb.plan(mock_cloud, wanted(kind, deployment="shop", **change)) == []


def test_a_listener_more_or_another_one_is_added_and_the_old_one_goes(mock_cloud: Cloud, kind: Kind) -> None:
    protocol = "TCP" if kind == "network" else "HTTP"
    lb.ensure(mock_cloud, wanted(kind))
    two = tuple(listener.parse(f"{protocol}:{port}={protocol}:80") for port in (80, 8080))
    changed = " ".join(lb.ensure(mock_cloud, wanted(kind, listeners=two))[1])
    assert "8080" in changed
    assert "remove" not in changed
    changed = " ".join(lb.ensure(mock_cloud, wanted(kind, listeners=two[1:]))[1])
    assert "remove" in changed
    assert lb.plan(mock_cloud, wanted(kind, listeners=two[1:])) == []


def test_its_group_admits_the_desk_or_who_is_named_and_nobody_else(mock_cloud: Cloud) -> None:
    made, _ = lb.ensure(mock_cloud, wanted("classic"))
    assert _admitted(mock_cloud, made) == {(80, "192.0.2.7/32")}
    named = wanted("classic", admits=("198.51.100.0/24", "203.0.113.0/24"))
    lb.ensure(mock_cloud, named)
    assert _admitted(mock_cloud, made) == {(80, "198.51.100.0/24"), (80, "203.0.113.0/24")}


def _admitted(cloud: Cloud, made: LoadBalancer) -> set[tuple[int, str]]:
    (group,) = cloud.ec2.describe_security_groups(GroupIds=list(made.group_ids))["SecurityGroups"]
    return {(rule["FromPort"], to["CidrIp"]) for rule in group["IpPermissions"] for to in rule["IpRanges"]}


def test_a_network_one_has_no_group(mock_cloud: Cloud, writes: list[str]) -> None:
    lb.ensure(mock_cloud, wanted("network"))
    assert "CreateSecurityGroup" not in writes


@pytest.mark.parametrize(
    ("operation", "service"),
    [
        ("AuthorizeSecurityGroupIngress", "ec2"),
        ("CreateLoadBalancer", "elb"),
        ("ConfigureHealthCheck", "elb"),
        ("ModifyLoadBalancerAttributes", "elb"),
    ],
)
def test_a_classic_ones_making_that_was_cut_short_is_gone_on_with(
    mock_cloud: Cloud, operation: str, service: str
) -> None:
    _cut_short(mock_cloud, "classic", service, operation)


@pytest.mark.parametrize(
    "operation", ["CreateTargetGroup", "ModifyTargetGroupAttributes", "CreateLoadBalancer", "CreateListener"]
)
def test_an_application_ones_making_that_was_cut_short_is_gone_on_with(
    mock_cloud: Cloud, operation: str
) -> None:
    _cut_short(mock_cloud, "application", "elbv2", operation)


def _cut_short(cloud: Cloud, kind: Kind, service: str, operation: str) -> None:
    def refuse(**_: object) -> None:
        raise refusal("AccessDenied")

    events, shall = getattr(cloud, service).meta.events, wanted(kind, draining_seconds=20)
    events.register(f"before-call.*.{operation}", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        lb.ensure(cloud, shall)
    events.unregister(f"before-call.*.{operation}", refuse)
    made, changed = lb.ensure(cloud, shall)
    assert changed
    assert (made.check, made.draining_seconds) == (shall.check, 20)
    assert lb.plan(cloud, shall) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "internal-web"}, "does not begin with internal-"),
        ({"name": "w" * 33}, "up to 32"),
        ({"draining_seconds": 3601}, "draining takes"),
        ({"check": health_check.parse("HTTP:80/", interval_seconds=5)}, "not below the interval"),
        ({"listeners": (listener.parse("HTTPS:443"),)}, "needs a certificate"),
        ({"listeners": (listener.parse("UDP:53"),)}, "listens by"),
        ({"listeners": (listener.parse("HTTP:80"), listener.parse("HTTP:80=HTTP:81"))}, "the same port"),
    ],
)
def test_what_aws_would_refuse_is_said_before_anything_is_asked(
    mock_cloud: Cloud, writes: list[str], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(LoadBalancerWrong, match=said):
        lb.ensure(mock_cloud, replace(wanted("classic"), **change))
    assert writes == []


def test_an_application_one_needs_two_zones(mock_cloud: Cloud) -> None:
    (subnet, *_) = mock_cloud.ec2.describe_subnets()["Subnets"]
    with pytest.raises(LoadBalancerWrong, match="two zones or more, not in 1"):
        lb.ensure(mock_cloud, wanted("application", subnet_ids=(subnet["SubnetId"],)))


def test_what_aws_does_not_change_is_refused_with_a_way_out(
    mock_cloud: Cloud, balancer: LoadBalancer, kind: Kind
) -> None:
    with pytest.raises(LoadBalancerWrong, match="AWS does not change that") as caught:
        lb.ensure(mock_cloud, wanted(kind, internal=True))
    assert "lb.delete web" in caught.value.hint


def test_somebody_elses_of_that_name_is_not_touched(mock_cloud: Cloud, writes: list[str]) -> None:
    _foreign(mock_cloud)
    writes.clear()
    with pytest.raises(NotOurBalancer):
        lb.ensure(mock_cloud, wanted("classic"))
    with pytest.raises(NotOurBalancer):
        lb.delete(mock_cloud, lb.find(mock_cloud, "web"))
    assert writes == []
    assert lb.ours(mock_cloud) == []


def _foreign(cloud: Cloud) -> None:
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    front: Any = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    cloud.elb.create_load_balancer(LoadBalancerName="web", Listeners=[front], Subnets=[subnet])


# --- finding ---


def test_one_that_is_not_there_is_named(mock_cloud: Cloud) -> None:
    with pytest.raises(NoLoadBalancer, match="no load balancer 'web'"):
        lb.find(mock_cloud, "web")


def test_two_of_one_name_are_told_apart_by_their_type(mock_cloud: Cloud) -> None:
    for each in ("classic", "network"):
        lb.ensure(mock_cloud, wanted(each))  # type: ignore[arg-type]
    with pytest.raises(NoLoadBalancer, match="classic and network"):
        lb.find(mock_cloud, "web")
    assert lb.find(mock_cloud, "web", "network").kind == "network"


def test_those_of_a_deployment_are_found(mock_cloud: Cloud, balancer: LoadBalancer) -> None:
    lb.ensure(mock_cloud, replace(wanted("classic"), name="other"))
    assert lb.ours(mock_cloud, "shop") == [balancer]
    assert [one.name for one in lb.ours(mock_cloud)] == ["other", "web"]


# --- the end ---


def test_it_goes_with_all_that_belongs_to_it(mock_cloud: Cloud, balancer: LoadBalancer) -> None:
    assert lb.delete(mock_cloud, balancer)
    assert lb.ours(mock_cloud) == []
    assert mock_cloud.elbv2.describe_target_groups()["TargetGroups"] == []
    groups = mock_cloud.ec2.describe_security_groups()["SecurityGroups"]
    assert [one["GroupName"] for one in groups] == ["default"]
    assert list(lb.removals(mock_cloud, "web", balancer.kind)) == []


def test_what_a_making_cut_short_left_can_be_removed(mock_cloud: Cloud, failing: Failing) -> None:
    failing("elbv2", "CreateLoadBalancer", refusal("AccessDenied"))
    with pytest.raises(ClientError):
        lb.ensure(mock_cloud, wanted("application"))
    went = lb.done(lb.removals(mock_cloud, "web", "application"))
    assert went == ["delete target group web", "delete security group amibake-application-web"]
    assert mock_cloud.elbv2.describe_target_groups()["TargetGroups"] == []


def test_no_sweep_ever_takes_a_live_one(mock_cloud: Cloud, balancer: LoadBalancer) -> None:
    later = datetime.now(UTC) + timedelta(days=999)
    swept = sweep(mock_cloud, Rules(timedelta(), later, lambda _: Life.DEAD))
    assert (swept.removed, swept.kept) == ([], [])
    assert lb.find(mock_cloud, "web") == balancer


def test_its_parts_carry_its_deployment(mock_cloud: Cloud) -> None:
    made, _ = lb.ensure(mock_cloud, wanted("application", deployment="shop", tags={"team": "a"}))
    (group,) = mock_cloud.ec2.describe_security_groups(GroupIds=list(made.group_ids))["SecurityGroups"]
    described = mock_cloud.elbv2.describe_tags(ResourceArns=[made.target_group_arn])["TagDescriptions"][0]
    for tags in (group["Tags"], described["Tags"]):
        assert {"Key": DEPLOYMENT, "Value": "shop"} in tags
        assert {"Key": "team", "Value": "a"} in tags
