"""The commands about load balancers: what they choose, what they say, and that twice changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from invoke.config import Config
from invoke.context import Context
from moto_fixture import FakeClock
from rich.console import Console

from aws.ownership import tag_list
from aws.patience import Patience
from aws.place import Place
from fleet import lb_ground, lb_tasks, lb_views, selection
from fleet.errors import FleetError, NotThere, NotUp
from fleet.lb_errors import LoadBalancerWrong, NoLoadBalancer, NotOurBalancer
from fleet.load_balancer import Health
from fleet.naming import DEPLOYMENT, REASON, STATE

if TYPE_CHECKING:
    from aws.session import Cloud


@pytest.fixture(autouse=True)
def cloud(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setattr(lb_tasks, "connect", lambda: mock_cloud)
    monkeypatch.setattr(lb_ground, "find_place", lambda *_: Place("", "", "192.0.2.7/32"))
    return mock_cloud


def call(task: Any, *args: Any, **options: Any) -> Any:
    return task.body(Context(Config()), *args, **options)


def node(cloud: Cloud, state: str = "operational", deployment: str = "shop") -> str:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    image = ec2_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].register_image("web").id
    (made,) = cloud.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"]
    tags = {DEPLOYMENT: deployment, **({STATE: state} if state else {})}
    cloud.ec2.create_tags(Resources=[made["InstanceId"]], Tags=tag_list(tags))
    return made["InstanceId"]


def shown(outcome: Any) -> str:
    console = Console(width=200)
    with console.capture() as heard:
        console.print(outcome)
    return heard.get()


def test_it_is_created_once_and_said_to_be_there_the_second_time() -> None:
    first = call(lb_tasks.create, "web", health_check="HTTP:80/health")
    assert first.document()["load_balancer"]["health_check"] == "HTTP:80/health"
    assert first.document()["changed"]
    second = call(lb_tasks.create, "web", health_check="HTTP:80/health")
    assert second.document() == {**first.document(), "changed": []}
    assert "nothing to change" in shown(second)


def test_a_dry_run_says_what_would_be_created() -> None:
    planned = call(lb_tasks.create, "web", dry_run=True)
    assert "would create classic load balancer web" in shown(planned)
    with pytest.raises(NoLoadBalancer):
        call(lb_tasks.health, "web")


def test_an_application_one_checks_by_http_unless_it_is_said() -> None:
    made = call(lb_tasks.create, "web", type_="application")
    assert made.document()["load_balancer"]["health_check"] == "HTTP:80/"


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(LoadBalancerWrong, match="no type of load balancer 'elastic'"):
        call(lb_tasks.create, "web", type_="elastic")


def test_operational_nodes_are_registered_now_and_others_are_left(cloud: Cloud) -> None:
    good, silent = node(cloud), node(cloud, "")
    node(cloud, "stranded")
    elsewhere = node(cloud, deployment="other")
    call(lb_tasks.create, "web")
    done = call(lb_tasks.register, "web", deployment="shop", now=True)
    assert set(done.document()["registered"]) == {good, silent}
    again = call(lb_tasks.register, "web", now=True)
    assert again.document()["registered"] == [elsewhere]
    assert again.document()["already"] == [good]
    assert call(lb_tasks.register, "web", now=True).document()["changed"] == []


def test_a_stranded_node_is_registered_only_by_its_id(cloud: Cloud) -> None:
    stranded = node(cloud, "stranded")
    call(lb_tasks.create, "web")
    with pytest.raises(NotThere, match="none of 1 nodes is ready"):
        call(lb_tasks.register, "web", deployment="shop", now=True)
    assert call(lb_tasks.register, "web", node=[stranded], now=True).changed == (stranded,)


def test_without_now_a_stranded_node_ends_the_wait_at_once(cloud: Cloud) -> None:
    stranded = node(cloud, "stranded")
    cloud.ec2.create_tags(Resources=[stranded], Tags=tag_list({REASON: "apache: failed"}))
    call(lb_tasks.create, "web")
    with pytest.raises(NotUp, match=rf"{stranded} is stranded \(apache: failed\)"):
        call(lb_tasks.register, "web", deployment="shop")


def test_booting_nodes_are_waited_for(cloud: Cloud, clock: FakeClock) -> None:
    late = node(cloud, "booting")
    nodes = selection.selected(cloud, "shop")

    class Booting(FakeClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            cloud.ec2.create_tags(Resources=[late], Tags=tag_list({STATE: "operational"}))

    (one,) = selection.until_operational(cloud, nodes, clock=Booting())
    assert one.id == late
    cloud.ec2.create_tags(Resources=[late], Tags=tag_list({STATE: "booting"}))
    with pytest.raises(NotUp, match="is booting"):
        selection.until_operational(cloud, nodes, Patience(1, 5), clock)


def test_a_registration_that_is_only_tried_registers_nobody(cloud: Cloud) -> None:
    one = node(cloud)
    call(lb_tasks.create, "web")
    assert call(lb_tasks.register, "web", dry_run=True).changed == (one,)
    assert call(lb_tasks.health, "web").document()[0]["nodes"] == []


def test_a_node_that_does_not_exist_is_named() -> None:
    call(lb_tasks.create, "web")
    with pytest.raises(NotThere, match="no instance i-0abc"):
        call(lb_tasks.register, "web", node=["i-0abc"], now=True)


def test_nodes_leave_when_it_is_said_which_and_the_second_time_nobody_does(cloud: Cloud) -> None:
    staying, leaving = node(cloud), node(cloud)
    call(lb_tasks.create, "web")
    call(lb_tasks.register, "web", now=True)
    assert call(lb_tasks.deregister, "web", node=[leaving], dry_run=True).changed == (leaving,)
    assert call(lb_tasks.deregister, "web", node=[leaving]).changed == (leaving,)
    again = call(lb_tasks.deregister, "web", node=[leaving])
    assert (again.changed, again.already) == ((), (leaving,))
    assert "not in it, nothing to do" in shown(again)
    assert call(lb_tasks.deregister, "web", all_=True).changed == (staying,)


@pytest.mark.parametrize("said", [{}, {"all_": True, "deployment": "shop"}])
def test_it_must_be_said_who_leaves(said: dict[str, Any]) -> None:
    with pytest.raises(FleetError, match="which nodes are to leave"):
        call(lb_tasks.deregister, "web", **said)


def test_health_tells_state_reason_and_zone_and_is_degraded_by_a_sick_node(cloud: Cloud) -> None:
    one = node(cloud)
    call(lb_tasks.create, "web", deployment="shop")
    call(lb_tasks.register, "web", now=True)
    seen = call(lb_tasks.health, deployment="shop")
    (told,) = seen.document()[0]["nodes"]
    assert (told["instance_id"], told["state"], told["zone"]) == (one, "healthy", "eu-central-1a")
    assert not seen.degraded
    ((balancer, _),) = seen.balancers
    sick = lb_views.Seen(((balancer, {one: Health("unhealthy", "Target.Timeout")}),), seen.zones)
    assert sick.degraded
    assert "Target.Timeout" in shown(sick)


def test_a_load_balancer_with_nodes_is_deleted_only_by_force(cloud: Cloud) -> None:
    node(cloud)
    call(lb_tasks.create, "web")
    call(lb_tasks.register, "web", now=True)
    with pytest.raises(FleetError, match="1 nodes are in web") as caught:
        call(lb_tasks.delete, "web")
    assert "lb.deregister web --all" in caught.value.hint
    assert call(lb_tasks.delete, "web", force=True).changed


def test_deleting_twice_changes_nothing_the_second_time() -> None:
    call(lb_tasks.create, "web", type_="application")
    would = call(lb_tasks.delete, "web", dry_run=True)
    assert would.changed[0] == "delete application load balancer web"
    assert len(call(lb_tasks.delete, "web").changed) == 3
    again = call(lb_tasks.delete, "web")
    assert again.document()["changed"] == []
    assert "nothing to change" in shown(again)


def test_somebody_elses_is_not_deleted(cloud: Cloud) -> None:
    front: Any = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    cloud.elb.create_load_balancer(LoadBalancerName="web", Listeners=[front], Subnets=[subnet])
    with pytest.raises(NotOurBalancer):
        call(lb_tasks.delete, "web")
