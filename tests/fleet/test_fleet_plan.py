"""The plan: exactly the difference between what is and what is wanted, in an order that keeps serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fleet_wanted import FILE, IMAGE, deployment, fresh, node, settled, wanted
from rich.console import Console

from fleet.actual import Actual
from fleet.alarms import digest_of as digest_of_alarm
from fleet.alarms import name_of
from fleet.groups import ActualGroup
from fleet.naming import Names
from fleet.node_actions import AwaitService, Launch, PutScaling, RemoveScaling, Start, Terminate
from fleet.plan import Plan, plan
from fleet.scaling_groups import ActualScaling, digest_of
from fleet.teardown import teardown
from fleet.wanted import Rule

Golden = Callable[[str, str], None]
SCALING = {"min": 2, "max": 6, "target_cpu_percent": 60}


def printed(shown: Plan) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def whats(shown: Plan) -> list[str]:
    return [f"{one.sign} {one.what}" for one in shown.actions]


def test_from_nothing_everything_is_made_in_order(golden: Golden) -> None:
    golden("plan-from-nothing.txt", printed(plan(wanted(), Actual())))


def test_where_all_is_as_wanted_nothing_is_to_be_done() -> None:
    shall = wanted()
    assert plan(shall, settled(shall)).actions == ()


def test_a_changed_file_shows_exactly_the_difference(golden: Golden) -> None:
    before = wanted()
    after = wanted(
        template={"web": {"count": 3, "instance_type": "c7g.large", "open": [{"port": 22, "from": "desk"}]}},
        dns={**FILE["dns"], "ttl_seconds": 10},
        alarm={"late": {"watch": "latency", "above": 0.5}},
    )
    golden("plan-of-a-change.txt", printed(plan(after, settled(before))))


def test_the_end_is_planned_in_an_order_in_which_nothing_holds_on(golden: Golden) -> None:
    shall = wanted()
    shown = teardown(
        deployment(), Names("shop"), replace(settled(shall), alarms={"amibake-shop-alarm-a": "1"})
    )
    golden("plan-of-the-end.txt", printed(shown))


def test_stopped_nodes_are_started_before_new_ones_are_launched() -> None:
    shall = wanted(template={"web": {"count": 4}})
    nodes = (*fresh(shall, 2), node(3, ec2_state="stopped", digest=shall.kinds[0].digest))
    added = plan(shall, replace(settled(shall), nodes=nodes)).actions
    assert [type(one) for one in added] == [Start, Launch, AwaitService]
    assert [one.ids for one in added if isinstance(one, Start)] == [(node(3).id,)]
    assert [one.count for one in added if isinstance(one, Launch)] == [1]


def test_new_nodes_go_where_the_fewest_are() -> None:
    shall = wanted(template={"web": {"count": 5}})
    crowded = tuple(replace(one, zone="eu-central-1a") for one in fresh(shall, 2))
    (launched,) = [
        one for one in plan(shall, replace(settled(shall), nodes=crowded)).actions if isinstance(one, Launch)
    ]
    assert launched.zones == (("eu-central-1a", 1), ("eu-central-1b", 2))


def test_of_too_many_nodes_the_stopped_and_the_outdated_go_first() -> None:
    shall = wanted(template={"web": {"count": 1}})
    nodes = (*fresh(shall, 2), node(3, ec2_state="stopped"), node(4, image_id="ami-0"))
    (gone,) = plan(shall, replace(settled(shall), nodes=nodes)).actions
    assert isinstance(gone, Terminate)
    assert gone.ids[:2] == (node(3).id, node(4).id)
    assert len(gone.ids) == 3
    assert gone.why == "1 are wanted"


def test_what_remains_after_scaling_down_is_still_spread_over_the_zones() -> None:
    shall = wanted(template={"web": {"count": 2}})
    nodes = tuple(
        node(number, digest=shall.kinds[0].digest, zone=f"eu-central-1{zone}")
        for number, zone in enumerate("aaab", 1)
    )
    (gone,) = plan(shall, replace(settled(shall), nodes=nodes)).actions
    assert isinstance(gone, Terminate)
    assert {one.zone for one in nodes if one.id not in gone.ids} == {"eu-central-1a", "eu-central-1b"}


@pytest.mark.parametrize(("scaled", "file", "count"), [("2->4", 2, 4), ("2->4", 3, 3), ("", 2, 2)])
def test_scaling_by_hand_holds_until_the_file_says_another_number(scaled: str, file: int, count: int) -> None:
    shall = wanted(template={"web": {"count": file}})
    there = settled(shall, nodes=0)
    web = replace(there.templates["web"], scaled=scaled)
    shown = plan(shall, replace(there, templates={"web": web}))
    assert [one.count for one in shown.actions if isinstance(one, Launch)] == [count]


def test_an_older_image_is_told_and_left_to_a_roll_out() -> None:
    shall = wanted()
    newer = wanted(replace(IMAGE, id="ami-2"))
    shown = plan(newer, settled(shall))
    assert whats(shown) == ["~ launch template amibake-shop-web"]
    assert shown.notes == ("2 nodes of web made of something older; a roll-out replaces them",)


def test_a_load_balancer_made_anew_is_told_to_new_nodes() -> None:
    shall = wanted()
    shown = plan(shall, replace(settled(shall), balancers=()))
    assert whats(shown)[:2] == ["+ classic load balancer shop-front", "~ launch template amibake-shop-web"]


def test_another_type_of_load_balancer_is_there_before_the_old_one_goes() -> None:
    before, after = wanted(), wanted(load_balancer={"front": {"type": "application"}})
    shown = whats(plan(after, settled(before)))
    assert shown[0] == "+ application load balancer shop-front"
    assert shown[-1] == "- classic load balancer shop-front"
    waited = shown.index("… until all nodes are operational and in service")
    assert waited < next(number for number, one in enumerate(shown) if " name " in one)


def test_an_alarm_follows_its_load_balancer_to_a_new_one() -> None:
    alarm = {"late": {"watch": "latency", "above": 0.5}}
    before = wanted(alarm=alarm)
    (late,) = before.deployment.alarms
    there = replace(settled(before), alarms={name_of(late, before.names): digest_of_alarm(late)})
    assert plan(before, there).actions == ()
    after = wanted(alarm=alarm, load_balancer={"front": {"type": "application"}})
    assert "~ alarm late: latency above 0.5" in whats(plan(after, there))


def test_ports_that_nobody_wants_open_are_closed() -> None:
    shall = wanted()
    there = settled(shall)
    name = "amibake-shop-web"
    leaky = ActualGroup("sg-9", name, there.groups[name].rules | {Rule(22, "0.0.0.0/0")})
    (change,) = plan(shall, replace(there, groups={**there.groups, name: leaky})).actions
    assert change.details == ("close 22 from 0.0.0.0/0",)


def test_behind_a_network_load_balancer_the_nodes_let_clients_and_checks_in() -> None:
    front = {"type": "network", "allow_from": ["198.51.100.0/24"]}
    (group,) = wanted(load_balancer={"front": front}).groups
    assert group.rules == (Rule(80, "10.0.0.0/16"), Rule(80, "198.51.100.0/24"))


# --- auto scaling ---


def test_with_scaling_the_group_serves_before_plain_nodes_go() -> None:
    shall = wanted(scaling=SCALING)
    shown = plan(shall, settled(shall)).actions
    assert [type(one) for one in shown] == [PutScaling, AwaitService, Terminate]
    assert [one.why for one in shown if isinstance(one, Terminate)] == ["an auto scaling group takes over"]


def test_without_scaling_plain_nodes_serve_before_the_group_goes() -> None:
    shall = wanted()
    kept = tuple(replace(one, group="amibake-shop-web") for one in fresh(shall, 2))
    there = replace(settled(shall), nodes=kept, scaling={"web": _group(shall)})
    shown = plan(shall, there).actions
    assert [type(one) for one in shown] == [Launch, AwaitService, RemoveScaling]


def test_a_group_as_wanted_is_left_alone_whatever_number_it_came_to() -> None:
    shall = wanted(scaling=SCALING)
    kept = tuple(replace(one, group="amibake-shop-web") for one in fresh(shall, 5))
    there = replace(settled(shall), nodes=kept, scaling={"web": _group(shall)})
    assert plan(shall, there).actions == ()


def test_other_limits_change_the_group_in_place() -> None:
    shall = wanted(scaling=SCALING)
    wider = wanted(scaling={**SCALING, "max": 9})
    there = replace(settled(shall), nodes=(), scaling={"web": _group(shall)})
    assert [one.sign for one in plan(wider, there).actions if isinstance(one, PutScaling)] == ["~"]


def _group(shall: Any) -> ActualScaling:
    return ActualScaling("amibake-shop-web", "web", digest_of(shall.kinds[0], shall), 2, 6, 2)
