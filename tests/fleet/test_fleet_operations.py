"""The life of a deployment: every command converges, and does no more than it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fleet_account import booting, counted, desk, in_no_time, register_image, writes
from fleet_wanted import deployment
from moto_fixture import refusal

from aws.sweep import Rules, sweep
from fleet import history, operations, rescaling, service
from fleet.errors import DeploymentError, Interrupted, NotThere, NotUp
from fleet.naming import Names
from fleet.node import described
from fleet.operations import Nodes
from fleet.outcome import Done
from fleet.plan import Plan
from fleet.status import status

if TYPE_CHECKING:
    from aws.session import Cloud

SHOP = deployment()


@pytest.fixture(autouse=True)
def account(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    in_no_time(monkeypatch)
    monkeypatch.setattr("fleet.bucket._SIZE", (30, 20))
    register_image()
    with booting(mock_cloud):
        yield


@pytest.fixture
def up(mock_cloud: Cloud) -> Done:
    done = operations.up(desk(mock_cloud, SHOP))
    assert isinstance(done, Done)
    return done


def states(cloud: Cloud) -> list[str]:
    return sorted(one.ec2_state for one in described(cloud, "shop"))


def ids(cloud: Cloud) -> list[str]:
    return [one.id for one in described(cloud, "shop")]


def test_up_makes_all_of_it_and_returns_when_all_nodes_are_in_service(mock_cloud: Cloud, up: Done) -> None:
    assert not up.degraded
    assert [one.verdict for one in up.nodes] == ["up", "up"]
    assert len({one.node.zone for one in up.nodes}) == 2
    assert "+ 2 nodes of web (1 in eu-central-1a; 1 in eu-central-1b)" in up.changed
    kept = mock_cloud.s3.get_object(Bucket="amibake-shop-123456789012-eu-central-1", Key="photo.jpg")
    assert kept["ContentType"] == "image/jpeg"


def test_nodes_are_launched_with_tokens_alone_for_their_metadata(mock_cloud: Cloud, up: Done) -> None:
    templates = mock_cloud.ec2.describe_launch_template_versions(LaunchTemplateName="amibake-shop-web")
    data = templates["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"


def test_up_again_changes_nothing_and_makes_no_call_that_could(mock_cloud: Cloud, up: Done) -> None:
    with counted(mock_cloud) as calls:
        again = operations.up(desk(mock_cloud, SHOP))
    assert isinstance(again, Done)
    assert again.changed == ()
    assert writes(calls) == []


@pytest.mark.parametrize("command", ["stop", "start", "scale", "down"])
def test_every_command_changes_nothing_the_second_time(mock_cloud: Cloud, up: Done, command: str) -> None:
    def run() -> Any:
        one = desk(mock_cloud, SHOP)
        if command == "scale":
            return rescaling.scale(one, "web", 4)
        if command == "down":
            return operations.down(one)
        return getattr(operations, command)(one, Nodes(count=1))

    first = run()
    assert first.changed or command == "start"
    with counted(mock_cloud) as calls:
        assert run().changed == ()
    assert writes(calls) == []


def test_a_dry_run_tells_the_plan_and_changes_nothing(mock_cloud: Cloud) -> None:
    with counted(mock_cloud) as calls:
        shown = operations.up(desk(mock_cloud, SHOP, dry_run=True))
    assert isinstance(shown, Plan)
    assert shown.document()["actions"]
    assert writes(calls) == []


def test_some_nodes_are_stopped_out_of_the_load_balancer_and_started_into_it(
    mock_cloud: Cloud, up: Done
) -> None:
    operations.stop(desk(mock_cloud, SHOP), Nodes(count=1))
    assert states(mock_cloud) == ["running", "stopped"]
    behind = mock_cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"][0]["Instances"]
    assert len(behind) == 1
    started = operations.start(desk(mock_cloud, SHOP), Nodes())
    assert isinstance(started, Done)
    assert not started.degraded
    assert states(mock_cloud) == ["running", "running"]


def test_one_node_is_stopped_by_the_beginning_of_its_id(mock_cloud: Cloud, up: Done) -> None:
    first = ids(mock_cloud)[0]
    operations.stop(desk(mock_cloud, SHOP), Nodes(node=first[:12]))
    assert [one.id for one in described(mock_cloud, "shop") if not one.up] == [first]


def test_a_node_that_is_not_there_is_told(mock_cloud: Cloud, up: Done) -> None:
    with pytest.raises(NotThere, match="no node 'i-nowhere'"):
        operations.stop(desk(mock_cloud, SHOP), Nodes(node="i-nowhere"))


def test_up_starts_what_was_stopped(mock_cloud: Cloud, up: Done) -> None:
    operations.stop(desk(mock_cloud, SHOP), Nodes())
    again = operations.up(desk(mock_cloud, SHOP))
    assert isinstance(again, Done)
    assert again.changed == (f"~ start 2 nodes of web ({'; '.join(ids(mock_cloud))})",)


def test_a_restart_keeps_the_nodes(mock_cloud: Cloud, up: Done) -> None:
    before = ids(mock_cloud)
    done = operations.restart(desk(mock_cloud, SHOP), Nodes())
    assert isinstance(done, Done)
    assert len(done.changed) == 4
    assert ids(mock_cloud) == before


def test_scaling_launches_what_is_lacking_and_ends_what_is_too_much(mock_cloud: Cloud, up: Done) -> None:
    rescaling.scale(desk(mock_cloud, SHOP), "web", 4)
    assert len(ids(mock_cloud)) == 4
    assert operations.show_plan(desk(mock_cloud, SHOP)).actions == ()
    rescaling.scale(desk(mock_cloud, SHOP), "web", 1)
    assert len(ids(mock_cloud)) == 1


def test_down_leaves_nothing_and_a_sweep_agrees(mock_cloud: Cloud, up: Done) -> None:
    operations.down(desk(mock_cloud, SHOP))
    swept = sweep(mock_cloud, Rules(older_than=timedelta()))
    assert (swept.removed, swept.kept) == ([], [])
    assert mock_cloud.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []
    assert mock_cloud.route53.list_hosted_zones()["HostedZones"] == []
    assert mock_cloud.s3.list_buckets()["Buckets"] == []
    assert mock_cloud.ec2.describe_key_pairs()["KeyPairs"] == []
    groups = mock_cloud.ec2.describe_security_groups()["SecurityGroups"]
    assert {one["GroupName"] for one in groups} == {"default"}


def test_a_sweep_never_touches_a_deployment_that_is_up(mock_cloud: Cloud, up: Done) -> None:
    swept = sweep(mock_cloud, Rules(older_than=timedelta()))
    assert (swept.removed, swept.kept) == ([], [])
    assert states(mock_cloud) == ["running", "running"]


def test_what_carries_no_tag_of_the_deployment_outlives_it(mock_cloud: Cloud, up: Done) -> None:
    group = mock_cloud.ec2.create_security_group(GroupName="theirs", Description="not ours")["GroupId"]
    mock_cloud.route53.create_hosted_zone(Name="theirs.test", CallerReference="1")
    operations.down(desk(mock_cloud, SHOP))
    assert mock_cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [one["Name"] for one in mock_cloud.route53.list_hosted_zones()["HostedZones"]] == ["theirs.test."]


@pytest.mark.parametrize(
    ("client", "operation"),
    [
        ("s3", "PutObject"),
        ("ec2", "ImportKeyPair"),
        ("iam", "AddRoleToInstanceProfile"),
        ("ec2", "AuthorizeSecurityGroupIngress"),
        ("elb", "ConfigureHealthCheck"),
        ("ec2", "CreateLaunchTemplate"),
        ("ec2", "RunInstances"),
        ("route53", "ChangeResourceRecordSets"),
    ],
)
def test_an_up_that_was_cut_short_is_completed_by_the_next(
    mock_cloud: Cloud, client: str, operation: str
) -> None:
    def cut(**_: object) -> None:
        raise refusal("InternalError")

    events = getattr(mock_cloud, client).meta.events
    events.register(f"before-call.*.{operation}", cut)
    with pytest.raises(Exception, match="as the test wants"):
        operations.up(desk(mock_cloud, SHOP))
    events.unregister(f"before-call.*.{operation}", cut)
    done = operations.up(desk(mock_cloud, SHOP))
    assert isinstance(done, Done)
    assert [one.verdict for one in done.nodes] == ["up", "up"]
    assert operations.show_plan(desk(mock_cloud, SHOP)).actions == ()


def test_a_missing_input_is_told_before_anything_is_made(mock_cloud: Cloud) -> None:
    template = {"web": {"settings": "../../bake/templates/resizer-bootstrap.toml"}}
    lacking = deployment(path=__file__, inputs=None, template=template)
    with counted(mock_cloud) as calls, pytest.raises(DeploymentError, match="BUCKET is required") as caught:
        operations.up(desk(mock_cloud, lacking))
    assert "nothing was created" in caught.value.hint
    assert writes(calls) == []


def test_a_credential_that_is_not_there_is_told_before_anything_is_made(mock_cloud: Cloud) -> None:
    lacking = deployment(inputs={"BUCKET": "text:a", "TOKEN": "cred:/shop/token"})
    with counted(mock_cloud) as calls, pytest.raises(DeploymentError, match="no credential /shop/token"):
        operations.up(desk(mock_cloud, lacking))
    assert writes(calls) == []


def test_where_no_node_comes_up_each_is_named_with_its_reason(mock_cloud: Cloud) -> None:
    with (
        booting(mock_cloud, "stranded"),
        pytest.raises(NotUp, match="no node of shop is in service") as caught,
    ):
        operations.up(desk(mock_cloud, SHOP))
    assert str(caught.value).count("(web): stranded") == 2


def test_where_some_nodes_come_up_the_outcome_is_degraded_and_tells_of_the_others(
    mock_cloud: Cloud, up: Done
) -> None:
    with booting(mock_cloud, "stranded"):
        done = rescaling.scale(desk(mock_cloud, SHOP), "web", 3)
    assert isinstance(done, Done)
    assert done.degraded
    assert len(done.stories) == 1


def test_a_group_lets_go_of_a_load_balancer_that_its_template_names_no_more(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_TIMES_SLOWER", 0)
    more: dict[str, Any] = {
        "scaling": {"min": 2, "max": 4, "target_cpu_percent": 60},
        "load_balancer": {"front": {}, "inner": {}},
        "dns": None,
    }
    for behind in (["front", "inner"], ["front"]):
        # Nobody boots in moto's groups.
        with suppress(NotUp):
            changed = {"web": {"count": 2, "load_balancers": behind}}
            operations.up(desk(mock_cloud, deployment(template=changed, **more)))
        found = mock_cloud.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        assert [one["LoadBalancerNames"] for one in found] == [[f"shop-{name}" for name in behind]]


def test_plain_nodes_stay_until_the_group_that_takes_over_serves(
    mock_cloud: Cloud, up: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_TIMES_SLOWER", 0)
    scaled = deployment(scaling={"min": 2, "max": 4, "target_cpu_percent": 60})
    plain = set(ids(mock_cloud))
    # Those of moto's groups say nothing of themselves, as nodes do that hang in their boot.
    done = operations.up(desk(mock_cloud, scaled))
    assert isinstance(done, Done)
    assert done.degraded
    kept = {one.id for one in described(mock_cloud, "shop") if one.up and not one.group}
    assert kept == plain
    assert not [one for one in done.changed if one.startswith("-")]
    grouped = [one.id for one in described(mock_cloud, "shop") if one.group]
    tags: Any = [{"Key": "bootstrap:state", "Value": "operational"}]
    mock_cloud.ec2.create_tags(Resources=grouped, Tags=tags)
    again = operations.up(desk(mock_cloud, scaled))
    assert isinstance(again, Done)
    assert [one.partition(" (")[0] for one in again.changed] == [
        "- 2 nodes of web: an auto scaling group takes over"
    ]
    assert set(ids(mock_cloud)) == set(grouped)


def test_an_up_gives_way_to_a_down(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleet import act, lock

    launched = act._HANDLERS[act.Launch]

    def launch_and_be_asked(site: Any, one: Any) -> None:
        launched(site, one)
        plea = lock.Holder("other", "invoke fleet.down", "", "")
        lock._write(mock_cloud, Names("shop"), "lock-plea", plea, overwrite=True)

    monkeypatch.setitem(act._HANDLERS, act.Launch, launch_and_be_asked)
    with pytest.raises(Interrupted, match=r"gave way to `invoke fleet\.down`"):
        operations.up(desk(mock_cloud, SHOP))
    mock_cloud.ssm.delete_parameter(Name="/amibake/fleet/shop/lock-plea")
    operations.down(desk(mock_cloud, SHOP))
    assert ids(mock_cloud) == []


def test_the_history_tells_what_was_done_and_outlives_the_deployment(mock_cloud: Cloud, up: Done) -> None:
    operations.stop(desk(mock_cloud, SHOP, "invoke fleet.stop"), Nodes(count=1))
    operations.down(desk(mock_cloud, SHOP, "invoke fleet.down"))
    past = history.entries(mock_cloud, Names("shop"))
    assert [one.command for one in past] == ["test", "invoke fleet.stop", "invoke fleet.down"]
    assert past[1].changed[0].startswith("~ drain and stop 1 node of web")
    assert {one.outcome for one in past} == {"done"}


def test_the_status_tells_of_every_node_the_load_balancer_and_the_name(mock_cloud: Cloud, up: Done) -> None:
    one = desk(mock_cloud, SHOP)
    seen = status(mock_cloud, one.resolved().need)
    told = seen.document()
    assert not seen.degraded
    assert [one["health"] for one in told["nodes"]] == ["healthy"] * 2
    assert {one["wanted"] for one in told["nodes"]} == {True}
    assert told["dns"]["target"] == told["load_balancers"][0]["dns_name"]
    assert told["dns"]["ttl"] == 30


def test_a_node_of_an_older_image_is_shown_as_not_wanted(mock_cloud: Cloud, up: Done) -> None:
    newest = desk(mock_cloud, SHOP)
    wanted = newest.resolved().need
    kind = replace(wanted.kinds[0], image=replace(wanted.kinds[0].image, id="ami-newer"))
    seen = status(mock_cloud, replace(wanted, kinds=(kind,)))
    assert {one["wanted"] for one in seen.document()["nodes"]} == {False}
