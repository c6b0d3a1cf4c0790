"""What Auto Scaling decides, as tables: no machine, no moto, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from localcloud.scaling_decisions import decide, outcome, victims
from localcloud.scaling_model import (
    ABANDON,
    CONTINUE,
    LAUNCHING,
    TERMINATING,
    Action,
    End,
    Forget,
    Group,
    Hold,
    Hook,
    Launch,
    Member,
    Retire,
    Serve,
    Wait,
)

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
UP = Hook("up", LAUNCHING, timeout=60, default=ABANDON)
DOWN = Hook("down", TERMINATING, timeout=60, default=CONTINUE)


def group(desired: int, **more: Any) -> Group:
    return Group("web", desired, **{"zones": (A, B, C), "config": "lt:2", **more})


def member(name: str, zone: str = A, **more: Any) -> Member:
    return Member(name, zone, **{"config": "lt:2", **more})


def waiting(deadline: float, *, result: str = "", default: str = ABANDON) -> Wait:
    return Wait("up", "token", 60, default, deadline, 6000, result)


@pytest.mark.parametrize(
    ("desired", "there", "wanted"),
    [
        (0, (), {}),
        (1, (), {A: 1}),
        (3, (), {A: 1, B: 1, C: 1}),
        (7, (), {A: 3, B: 2, C: 2}),
        (3, (A,), {B: 1, C: 1}),
        (4, (A, A, B), {C: 1}),
        (5, (A, A, B), {B: 1, C: 1}),
        (3, (A, B, C), {}),
    ],
)
def test_new_instances_go_where_there_are_fewest(
    desired: int, there: Iterable[str], wanted: dict[str, int]
) -> None:
    members = [member(f"i-{number}", zone) for number, zone in enumerate(there)]
    assert launches(decide(group(desired), members, 0)) == Counter(wanted)


def test_a_zone_that_just_refused_is_passed_over() -> None:
    assert launches(decide(group(4, closed=frozenset({B})), [], 0)) == {A: 2, C: 2}


def test_nothing_is_launched_when_every_zone_refuses() -> None:
    assert decide(group(4, closed=frozenset({A, B, C})), [], 0) == ()


def test_where_one_has_just_failed_to_come_up_no_other_is_launched() -> None:
    there = [member("i-1", A, state="Pending", machine="terminated")]
    assert decide(group(1), there, 0) == (Forget("i-1"), Launch(B))
    assert decide(group(1, zones=(A,)), there, 0) == (Forget("i-1"),)


def test_a_suspended_launch_launches_nothing() -> None:
    assert decide(group(4, suspended=frozenset({"Launch"})), [], 0) == ()


@pytest.mark.parametrize(
    ("who", "hooks", "does"),
    [
        ({"state": "Pending", "machine": "pending"}, (), None),
        ({"state": "Pending", "machine": "running"}, (), Serve("i-1")),
        ({"state": "Pending", "machine": "pending"}, (UP,), Hold("i-1", LAUNCHING)),
        ({"state": "Pending", "machine": "pending"}, (DOWN,), None),
        ({"state": "Pending", "machine": "terminated"}, (), Forget("i-1")),
        ({"state": "Pending", "machine": "stopped"}, (), Retire("i-1", "dead")),
        ({"state": "Pending:Wait", "waits": (waiting(60),)}, (UP,), None),
        ({"state": "Pending:Wait", "waits": (waiting(60, result=CONTINUE),)}, (UP,), Serve("i-1")),
        (
            {"state": "Pending:Wait", "waits": (waiting(60, result=CONTINUE),), "machine": "pending"},
            (UP,),
            None,
        ),
        ({"state": "Pending:Wait", "waits": (waiting(60, result=ABANDON),)}, (), Retire("i-1", "abandoned")),
        ({"state": "Pending:Wait", "waits": (waiting(10),)}, (UP,), Retire("i-1", "abandoned")),
        ({"state": "Pending:Wait", "waits": (waiting(10, default=CONTINUE),)}, (UP,), Serve("i-1")),
        (
            {"state": "Pending:Wait", "waits": (waiting(60, result=CONTINUE), waiting(60))},
            (UP,),
            None,
        ),
        ({"machine": "running"}, (), None),
        ({"machine": "stopped"}, (), Retire("i-1", "dead")),
        ({"machine": "terminated"}, (), Retire("i-1", "dead")),
        ({"unhealthy": "elb"}, (), Retire("i-1", "elb")),
        ({"unhealthy": "user", "protected": True}, (), Retire("i-1", "user")),
        ({"state": "Terminating", "draining": True}, (DOWN,), None),
        ({"state": "Terminating"}, (DOWN,), Hold("i-1", TERMINATING)),
        ({"state": "Terminating"}, (UP,), End("i-1")),
        ({"state": "Terminating", "machine": "stopped", "draining": True}, (DOWN,), End("i-1")),
        ({"state": "Terminating:Wait", "waits": (waiting(60),)}, (), None),
        ({"state": "Terminating:Wait", "waits": (waiting(10),)}, (), End("i-1")),
        ({"state": "Terminating:Wait", "waits": (waiting(60, result=ABANDON),)}, (), End("i-1")),
        ({"state": "Terminating:Wait", "waits": (waiting(60),), "machine": "terminated"}, (), End("i-1")),
        ({"state": "Terminating:Proceed", "machine": "shutting-down"}, (), None),
        ({"state": "Terminating:Proceed", "machine": "terminated"}, (), Forget("i-1")),
        ({"state": "Standby", "unhealthy": "elb"}, (), None),
        ({"state": "Standby", "machine": "stopped"}, (), None),
        ({"state": "Standby", "machine": "terminated"}, (), Forget("i-1")),
    ],
)
def test_a_member_takes_its_next_step(who: dict[str, Any], hooks: tuple[Hook, ...], does: Action) -> None:
    one = member("i-1", **who)
    # No launches: only what happens to the member itself.
    still = group(1, hooks=hooks, suspended=frozenset({"Launch", "AZRebalance"}))
    acts = [act for act in decide(still, [one], 20) if not (isinstance(act, Retire) and act.why == "size")]
    assert acts == ([does] if does else [])


@pytest.mark.parametrize("process", ["ReplaceUnhealthy", "Terminate"])
def test_an_unhealthy_member_stays_while_the_process_is_suspended(process: str) -> None:
    assert decide(group(1, suspended=frozenset({process})), [member("i-1", unhealthy="elb")], 0) == ()


def test_a_dead_member_stays_while_health_checks_are_suspended() -> None:
    assert decide(group(1, suspended=frozenset({"HealthCheck"})), [member("i-1", machine="stopped")], 0) == ()


def test_a_member_that_leaves_is_replaced_in_its_zone_at_once() -> None:
    there = [member("i-1", A), member("i-2", B, unhealthy="elb"), member("i-3", C)]
    assert decide(group(3), there, 0) == (Retire("i-2", "elb"), Launch(B))


@pytest.mark.parametrize(
    ("there", "desired", "wanted"),
    [
        # The fullest zone first.
        ([member("i-1", A), member("i-2", A), member("i-3", B)], 2, ["i-1"]),
        ([member("i-1", A), member("i-2", B), member("i-3", B)], 2, ["i-2"]),
        # In it, what was launched from another template, then the oldest.
        ([member("i-1", A), member("i-2", A, config="lt:1"), member("i-3", B)], 2, ["i-2"]),
        ([member("i-1", A, launched=9), member("i-2", A, launched=5), member("i-3", B)], 2, ["i-2"]),
        # Never a protected one, even when its zone is the fullest.
        ([member("i-1", A, protected=True), member("i-2", A, protected=True), member("i-3", B)], 2, ["i-3"]),
        ([member("i-1", A, protected=True)], 0, []),
        # A zone that the group has left is emptied first.
        ([member("i-1", "us-east-1f"), member("i-2", A), member("i-3", A)], 2, ["i-1"]),
        # One after the other from the zone that is the fullest then.
        ([member(f"i-{n}", zone) for n, zone in enumerate((A, A, A, B, B, C))], 3, ["i-0", "i-1", "i-3"]),
    ],
)
def test_a_scale_in_takes_those(there: list[Member], desired: int, wanted: list[str]) -> None:
    # `now` is 10: all are of the first hour, so that the oldest are nearest to its end.
    assert [act.id for act in decide(group(desired), there, 10) if isinstance(act, Retire)] == wanted


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("OldestInstance", "i-old"),
        ("NewestInstance", "i-new"),
        ("OldestLaunchTemplate", "i-other"),
        ("ClosestToNextInstanceHour", "i-late"),
    ],
)
def test_termination_policies_are_heeded(policy: str, wanted: str) -> None:
    there = [
        member("i-old", launched=200),
        member("i-late", launched=3700),
        member("i-other", launched=5000, config="lt:1"),
        member("i-new", launched=6000),
    ]
    (first,) = victims(group(3, zones=(A,), policies=(policy,)), there, 1, 7299)
    assert first.id == wanted


def test_a_suspended_terminate_ends_nobody() -> None:
    assert decide(group(0, suspended=frozenset({"Terminate"})), [member("i-1")], 0) == ()


def test_zones_are_balanced_by_launching_before_ending() -> None:
    there = [member("i-1", A), member("i-2", A), member("i-3", A)]
    assert decide(group(3), there, 0) == (Launch(B, "balance"),)
    arriving = [*there, member("i-4", B, state="Pending", surplus=True, machine="pending")]
    assert decide(group(3), arriving, 0) == ()
    arrived = [*there, member("i-4", B)]
    assert decide(group(3), arrived, 0) == (Retire("i-1", "size"),)


@pytest.mark.parametrize(
    "how",
    [
        {"suspended": frozenset({"AZRebalance"})},
        {"suspended": frozenset({"Launch"})},
        {"closed": frozenset({B, C})},
        {"refreshing": True},
        {"zones": (A,)},
    ],
)
def test_zones_are_left_as_they_are(how: dict[str, Any]) -> None:
    assert decide(group(2, **how), [member("i-1", A), member("i-2", A)], 0) == ()


def test_one_more_in_a_zone_is_balance_enough() -> None:
    assert decide(group(2, zones=(A, B)), [member("i-1", A), member("i-2", B)], 0) == ()
    assert decide(group(3, zones=(A, B)), [member("i-1"), member("i-2"), member("i-3", B)], 0) == ()


def test_members_in_a_zone_that_the_group_has_left_are_moved() -> None:
    assert decide(group(1, zones=(B,)), [member("i-1", A)], 0) == (Launch(B, "balance"),)


def test_a_surge_launches_more_than_desired() -> None:
    assert launches(decide(group(2, surge=1), [member("i-1", A), member("i-2", B)], 0)) == {C: 1}


def test_a_standby_member_does_not_count() -> None:
    assert launches(decide(group(1), [member("i-1", A, state="Standby")], 0)) == {A: 1}


def test_a_group_that_is_deleted_ends_all_without_waiting() -> None:
    there = [
        member("i-1", protected=True),
        member("i-2", state="Pending:Wait", waits=(waiting(60),)),
        member("i-3", state="Terminating:Wait", waits=(waiting(60),)),
        member("i-4", state="Terminating", draining=True),
        member("i-5", state="Standby"),
    ]
    assert decide(group(3, deleting=True, hooks=(UP, DOWN)), there, 0) == (
        Retire("i-1", "deleted"),
        Retire("i-2", "deleted"),
        End("i-3"),
        End("i-4"),
        Retire("i-5", "deleted"),
    )


def test_what_is_decided_is_settled_once_done() -> None:
    """However a group begins, doing what is decided again and again comes to rest with the right number."""
    for desired in range(6):
        members = [member("i-0", A), member("i-1", A, unhealthy="elb"), member("i-2", B, state="Pending")]
        wanted = group(desired, hooks=(UP, DOWN))
        for now in range(40):
            actions = decide(wanted, members, now)
            if not actions and all(one.state == "InService" for one in members):
                break
            members = done(members, actions, now)
        assert len(members) == desired
        filled = Counter(one.zone for one in members)
        assert max(filled.values(), default=0) - min((filled[zone] for zone in (A, B, C)), default=0) <= 1


def test_the_first_abandoned_hook_decides() -> None:
    assert outcome([waiting(60, result=ABANDON), waiting(60)], 0) == ABANDON
    assert outcome([waiting(60, result=CONTINUE), waiting(60)], 0) == ""
    assert outcome([waiting(60, result=CONTINUE), waiting(60, result=CONTINUE)], 0) == CONTINUE


def test_a_heartbeat_lengthens_a_wait_but_not_for_ever() -> None:
    wait = Wait.begun(Hook("up", LAUNCHING, timeout=60), "token", 1000)
    assert wait.outcome(1059) == ""
    assert wait.outcome(1060) == ABANDON
    assert wait.beaten(1050).outcome(1109) == ""
    assert wait.beaten(6990).deadline == 1000 + 60 * 100
    slow = Wait.begun(Hook("up", LAUNCHING, timeout=7200), "token", 0)
    assert slow.beaten(172700).deadline == 172800


def launches(actions: Iterable[Action]) -> Counter[str]:
    return Counter(act.zone for act in actions if isinstance(act, Launch))


def done(members: list[Member], actions: Iterable[Action], now: float) -> list[Member]:
    """The members after actions, where machines run and end, and hooks are completed, at once."""
    by_id = {one.id: one for one in members}
    for act in actions:
        match act:
            case Launch(zone, why):
                name = f"i-{now}-{len(by_id)}"
                surplus = why == "balance"
                by_id[name] = member(name, zone, state="Pending", surplus=surplus, launched=now)
            case Hold(name, transition):
                state = "Pending:Wait" if transition == LAUNCHING else "Terminating:Wait"
                by_id[name] = replace(by_id[name], state=state, waits=(waiting(now + 60, result=CONTINUE),))
            case Serve(name):
                by_id[name] = replace(by_id[name], state="InService", surplus=False)
            case Retire(name, _):
                by_id[name] = replace(by_id[name], state="Terminating")
            case End(name):
                by_id[name] = replace(by_id[name], state="Terminating:Proceed", machine="terminated")
            case Forget(name):
                del by_id[name]
    return list(by_id.values())
