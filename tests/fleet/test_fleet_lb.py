"""Load balancers of every type: made once, joined, left and removed; the second time changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto_fixture import FakeClock, refusal

from aws.desk import Life
from aws.patience import Patience
from aws.place import Place
from aws.sweep import Rules, sweep
from fleet import classic, health_check, lb, lb_ground, listener, target_groups
from fleet.lb_errors import LoadBalancerWrong, NoLoadBalancer, NotInService, NotOurBalancer, StillDraining
from fleet.load_balancer import DEPLOYMENT, KINDS, Health, Kind, LoadBalancer, Wanted

if TYPE_CHECKING:
    from aws.session import Cloud

Failing = Callable[[str, str, Exception], None]


def wanted(kind: Kind, **more: Any) -> Wanted:
    return Wanted(**{"kind": kind, "name": "web", "check": health_check.parse("HTTP:80/health"), **more})


@pytest.fixture(autouse=True)
def _from_this_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lb_ground, "find_place", lambda *_: Place("", "", "192.0.2.7/32"))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def balancer(mock_cloud: Cloud, kind: Kind) -> LoadBalancer:
    return lb.ensure(mock_cloud, wanted(kind, deployment="shop"))[0]


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


@pytest.fixture
def writes(mock_cloud: Cloud) -> Iterator[list[str]]:
    """The calls that change something, by name."""
    heard: list[str] = []

    def hear(model: Any, **_: object) -> None:
        if not model.name.startswith(("Describe", "Get", "List")):
            heard.append(model.name)

    clients: list[Any] = [mock_cloud.ec2, mock_cloud.elb, mock_cloud.elbv2]
    for client in clients:
        client.meta.events.register("before-call", hear)
    yield heard
    for client in clients:
        client.meta.events.unregister("before-call", hear)


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


# --- nodes ---


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
