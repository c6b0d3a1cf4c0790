"""How long something is waited for, and what is forgiven meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from moto_fixture import FakeClock

from aws.errors import OutOfPatience
from aws.ownership import EXPIRES, RUN, Run, specification, tag_list, tags_of
from aws.patience import SETTLING, Backoff, Patience, settled, wait_for


def test_what_is_seen_at_once_costs_no_time(clock: FakeClock) -> None:
    assert wait_for("it", lambda: "seen", Patience(1, 10), clock) == "seen"
    assert clock.slept == []


def test_false_and_zero_are_something_seen(clock: FakeClock) -> None:
    assert wait_for("it", lambda: 0, Patience(1, 10), clock) == 0


def test_a_look_every_delay_until_it_is_there(clock: FakeClock) -> None:
    looks = iter([None, None, "there"])
    assert wait_for("it", lambda: next(looks), Patience(2, 10), clock) == "there"
    assert clock.slept == [2, 2]


def test_when_the_budget_is_spent_the_error_names_what_was_waited_for(clock: FakeClock) -> None:
    with pytest.raises(OutOfPatience, match="ami-1: becoming available took more than 10 s"):
        wait_for("ami-1: becoming available", lambda: None, Patience(3, 10), clock)
    assert 10 <= clock.now < 14


def test_there_is_a_last_look_when_the_budget_is_spent(clock: FakeClock) -> None:
    assert wait_for("it", lambda: "late" if clock.now >= 10 else None, Patience(10, 10), clock) == "late"


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "DescribeImages")


def _failing(times: int, code: str) -> object:
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise _error(code)
        return "answer"

    return call


def test_a_call_is_made_again_while_it_fails_with_a_forgiven_code(clock: FakeClock) -> None:
    assert settled("it", _failing(3, "InvalidAMIID.NotFound"), {"InvalidAMIID.NotFound"}, clock) == "answer"
    assert len(clock.slept) == 3


def test_pauses_are_random_shares_of_a_delay_that_doubles_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[tuple[float, float]] = []
    monkeypatch.setattr("random.uniform", lambda low, high: shares.append((low, high)) or high / 2)
    backoff = Backoff(delay_seconds=8, budget_seconds=120)
    assert [backoff.pause(looks) for looks in (1, 2, 3, 4, 5, 6, 60)] == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert {low for low, _ in shares} == {0}


def test_a_code_that_is_not_forgiven_is_raised_at_once(clock: FakeClock) -> None:
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        settled("it", _failing(1, "UnauthorizedOperation"), {"InvalidAMIID.NotFound"}, clock)
    assert clock.slept == []


def test_a_call_that_answers_nothing_has_answered(clock: FakeClock) -> None:
    assert settled("it", lambda: None, set(), clock) is None


def test_forgiveness_ends_with_the_budget(clock: FakeClock) -> None:
    with pytest.raises(OutOfPatience):
        settled("it", _failing(10_000, "DependencyViolation"), {"DependencyViolation"}, clock)
    assert clock.now >= SETTLING.budget_seconds


# --- whose things are ---

RUN_1 = Run("desk-1-abc", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_temporary_things_carry_their_run_and_their_end() -> None:
    tags = RUN_1.tags(more="yes")
    assert tags[RUN] == "desk-1-abc"
    assert tags[EXPIRES] == "2026-01-02T03:04:05Z"
    assert tags["more"] == "yes"


def test_no_two_runs_have_the_same_id_and_each_expires_later_than_now() -> None:
    assert len({Run().id for _ in range(20)}) == 20
    assert Run().expires > datetime.now(UTC)


def test_a_name_fits_every_service_however_long_the_desks_name_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "build-agent-" * 20)
    assert len(Run().new_name()) <= 63


def test_two_runs_of_a_desk_with_a_long_name_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "build-agent-" * 8)
    assert Run().name != Run().name


def test_a_name_is_one_that_a_bucket_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    from re import fullmatch

    monkeypatch.setattr("socket.gethostname", lambda: "Ann_s.Desk-")
    assert fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", Run().name.lower())


def test_tags_go_to_aws_and_come_back() -> None:
    assert tags_of({"Tags": tag_list({"a": "1", "b": "2"})}) == {"a": "1", "b": "2"}
    assert tags_of({}) == {}
    kinds = specification({"a": "1"}, "image", "snapshot")
    assert [one["ResourceType"] for one in kinds] == ["image", "snapshot"]
