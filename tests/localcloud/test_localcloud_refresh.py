"""Instance refresh, turn by turn, on groups that exist in this file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localcloud.refresh import ROLLING_BACK, Preferences, Refresh, advance, rolled_back
from localcloud.scaling_decisions import decide
from localcloud.scaling_model import End, Forget, Group, Launch, Member, Retire, Serve

WARMUP = 5.0


def refresh_of(number: int, **preferences: Any) -> tuple[Refresh, list[Member]]:
    members = [Member(f"old-{n}", "a", launched=n) for n in range(number)]
    wanted = Preferences(**{"warmup": WARMUP, **preferences})
    return Refresh("r", "web", 0, wanted, frozenset(one.id for one in members)), members


class Run:
    """A group under refresh, whose machines run and end at once."""

    def __init__(self, refresh: Refresh, members: list[Member], desired: int) -> None:
        self.refresh, self.members, self.desired = refresh, members, desired
        self.now = 100.0
        self.fewest, self.most = desired, desired
        self.launched = 0
        self.alarmed: tuple[str, ...] = ()

    def turn(self) -> None:
        surge = 0
        if self.refresh.active:
            turn = advance(self.refresh, self.members, self.desired, self.alarmed, self.now)
            self.refresh, surge = turn.refresh, turn.surge
            self._do([Retire(name, "refresh") for name in turn.retire])
        group = Group("web", self.desired, zones=("a",), surge=surge, refreshing=self.refresh.active)
        for _ in range(4):
            self._do(decide(group, self.members, self.now))
        serving = [one for one in self.members if one.state == "InService"]
        warm = [one for one in serving if one.id in self.refresh.old or self._warm(one)]
        self.fewest = min(self.fewest, len(warm))
        self.most = max(self.most, len(serving))
        self.now += 1

    def until_over(self) -> None:
        for _ in range(600):
            if not self.refresh.active:
                return
            self.turn()
        pytest.fail(f"it did not end: {self.refresh}")

    def _warm(self, member: Member) -> bool:
        return self.now - member.in_service >= WARMUP

    def _do(self, actions: Any) -> None:
        by_id = {one.id: one for one in self.members}
        for act in actions:
            match act:
                case Launch():
                    self.launched += 1
                    name = f"new-{self.launched}"
                    by_id[name] = Member(name, "a", "Pending", self.now, refresh=self.refresh.mark)
                case Serve(name):
                    by_id[name] = replace(by_id[name], state="InService", in_service=self.now)
                case Retire(name, _):
                    by_id[name] = replace(by_id[name], state="Terminating")
                case End(name):
                    by_id[name] = replace(by_id[name], state="Terminating:Proceed", machine="terminated")
                case Forget(name):
                    del by_id[name]
        self.members = list(by_id.values())


@pytest.mark.parametrize(
    ("number", "preferences", "fewest", "most"),
    [
        (4, {"min_healthy": 50}, 2, 4),
        (4, {"min_healthy": 90}, 3, 4),  # rounding must not forbid all: one at a time
        (4, {"min_healthy": 100}, 3, 4),
        (4, {"min_healthy": 100, "max_healthy": 125}, 4, 5),
        (4, {"min_healthy": 100, "max_healthy": 200}, 4, 8),
        (4, {"min_healthy": 0}, 0, 4),
        (1, {"min_healthy": 90}, 0, 1),
        (1, {"min_healthy": 100, "max_healthy": 110}, 1, 2),
        (10, {"min_healthy": 90}, 9, 10),
        (10, {"min_healthy": 75}, 8, 10),
    ],
)
def test_all_are_replaced_while_enough_serve(
    number: int, preferences: dict[str, Any], fewest: int, most: int
) -> None:
    run = Run(*refresh_of(number, **preferences), desired=number)
    run.until_over()
    assert (run.refresh.status, run.refresh.percent, run.refresh.left) == ("Successful", 100, 0)
    assert all(one.id.startswith("new-") and one.state == "InService" for one in run.members)
    assert len(run.members) == number
    assert run.launched == number
    assert (run.fewest, run.most) == (fewest, most)


def test_an_instance_counts_only_after_its_warmup() -> None:
    run = Run(*refresh_of(2, min_healthy=50, warmup=50.0), desired=2)
    for _ in range(40):
        run.turn()
    assert (run.launched, run.refresh.percent) == (1, 0)
    run.until_over()
    assert run.now > 100 + 2 * 50


def test_nothing_to_replace_is_success_at_once() -> None:
    refresh, members = refresh_of(2)
    turn = advance(replace(refresh, old=frozenset()), members, 2, (), 100)
    assert (turn.refresh.status, turn.refresh.ended) == ("Successful", 100)


def test_a_checkpoint_makes_it_pause() -> None:
    run = Run(*refresh_of(4, min_healthy=75, checkpoints=(50, 100), checkpoint_delay=60.0), desired=4)
    for _ in range(60):
        run.turn()
    assert (run.refresh.percent, run.refresh.status, run.launched) == (50, "InProgress", 2)
    run.until_over()
    assert run.refresh.status == "Successful"
    assert run.now > 160


def test_none_comes_before_a_checkpoint_but_those_that_it_counts() -> None:
    wanted = {"min_healthy": 100, "max_healthy": 150, "checkpoints": (50, 100), "checkpoint_delay": 60.0}
    run = Run(*refresh_of(2, **wanted), desired=2)
    for _ in range(40):
        run.turn()
    assert (run.refresh.percent, run.launched, len(run.members)) == (50, 1, 2)
    run.until_over()
    assert (run.refresh.status, run.launched) == ("Successful", 2)


def test_a_cancelled_refresh_ends_and_leaves_the_rest() -> None:
    run = Run(*refresh_of(4), desired=4)
    run.turn()
    run.refresh = replace(run.refresh, status="Cancelling")
    run.until_over()
    assert run.refresh.status == "Cancelled"
    assert run.launched == 1


def test_an_alarm_fails_it() -> None:
    run = Run(*refresh_of(4, alarms=("errors",)), desired=4)
    run.turn()
    run.alarmed = ("errors", "another")
    run.turn()
    assert run.refresh.status == "Failed"
    assert "errors" in run.refresh.reason


def test_an_alarm_of_somebody_elses_does_not() -> None:
    run = Run(*refresh_of(1, alarms=("errors",)), desired=1)
    run.alarmed = ("another",)
    run.until_over()
    assert run.refresh.status == "Successful"


def test_an_alarm_rolls_it_back_when_it_may() -> None:
    run = Run(*refresh_of(4, min_healthy=50, alarms=("errors",), auto_rollback=True), desired=4)
    for _ in range(8):
        run.turn()
    assert run.launched == 4
    run.alarmed = ("errors",)
    run.turn()
    assert run.refresh.status == ROLLING_BACK
    run.until_over()
    assert run.refresh.status == "RollbackSuccessful"
    assert not [one for one in run.members if one.refresh == "r"]
    assert len(run.members) == 4
    assert run.refresh.rollback is not None
    assert run.refresh.rollback["PercentageCompleteOnRollback"] == 50


def test_a_rollback_leaves_what_was_not_replaced_yet() -> None:
    refresh, members = refresh_of(3)
    there = [*members[1:], Member("new", "a", refresh="r")]
    assert rolled_back(refresh, there, 9, "asked for").old == {"new"}


def test_it_fails_when_nothing_moves_for_an_hour() -> None:
    refresh, members = refresh_of(1)
    there = [Member("new", "a", "Pending", machine="pending")]
    turn = advance(refresh, members, 1, (), 100)
    assert turn.retire == ("old-0",)
    turn = advance(turn.refresh, there, 1, (), 3600)
    assert turn.refresh.status == "InProgress"
    assert advance(turn.refresh, there, 1, (), 3701).refresh.status == "Failed"


def test_a_protected_instance_is_waited_for_skipped_or_replaced() -> None:
    refresh, (first, second) = refresh_of(2)
    members = [replace(first, protected=True), second]
    waits = advance(refresh, members, 2, (), 100)
    assert waits.retire == ("old-1",)
    alone = advance(waits.refresh, [members[0], Member("new", "a")], 2, (), 200)
    assert (alone.retire, alone.refresh.status) == ((), "InProgress")
    assert "protected" in alone.refresh.reason
    ignoring = replace(refresh, preferences=replace(refresh.preferences, protected="Ignore"))
    assert advance(ignoring, [members[0], Member("new", "a")], 2, (), 200).refresh.status == "Successful"
    taking = replace(refresh, preferences=replace(refresh.preferences, protected="Refresh"))
    assert advance(taking, members, 2, (), 100).retire == ("old-0",)


@pytest.mark.parametrize(("standby", "retired"), [("Wait", ()), ("Terminate", ("old-0",)), ("Ignore", ())])
def test_an_instance_in_standby_is_waited_for_ended_or_skipped(
    standby: str, retired: tuple[str, ...]
) -> None:
    refresh, (first,) = refresh_of(1, standby=standby)
    members = [replace(first, state="Standby"), Member("new", "a")]
    turn = advance(refresh, members, 1, (), 100)
    assert turn.retire == retired
    assert turn.refresh.active == (standby != "Ignore")


def test_it_bakes_before_it_is_successful() -> None:
    run = Run(*refresh_of(1, bake=30.0), desired=1)
    for _ in range(10):
        run.turn()
    assert (run.refresh.status, run.refresh.percent) == ("Baking", 100)
    run.until_over()
    assert run.refresh.status == "Successful"
    assert run.now > 130
