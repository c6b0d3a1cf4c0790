"""The lock: one command at a time, whoever dies."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from aws.desk import process_id
from aws.ownership import Run, moment
from fleet import lock
from fleet.errors import Interrupted, Locked
from fleet.lock import Holder, locked
from fleet.naming import Names

if TYPE_CHECKING:
    from moto_fixture import FakeClock

    from aws.session import Cloud

SHOP = Names("shop")
LOCK = "/amibake/fleet/shop/lock"
DEAD = process_id().rpartition("-")[0] + "-000001-0000"
ELSEWHERE = "far-away-abcdef-42-000001-0000"


def held_by(cloud: Cloud, run: str, *, minutes: int = 10) -> Holder:
    now = datetime.now(UTC)
    holder = Holder(run, "invoke fleet.up", moment(now), moment(now + timedelta(minutes=minutes)))
    value = json.dumps(dataclasses.asdict(holder))
    cloud.ssm.put_parameter(Name=LOCK, Value=value, Type="String", Overwrite=True)
    return holder


def holder(cloud: Cloud) -> str:
    return str(json.loads(cloud.ssm.get_parameter(Name=LOCK)["Parameter"]["Value"])["run"])


def test_a_second_command_is_refused_with_who_holds_the_lock(mock_cloud: Cloud) -> None:
    first = Run()
    with locked(mock_cloud, SHOP, first, "invoke fleet.up"):
        with pytest.raises(Locked) as caught, locked(mock_cloud, SHOP, Run(), "invoke fleet.scale"):
            pytest.fail("two at once")
        assert f"`invoke fleet.up` of {first.id}" in str(caught.value)
        assert "fleet.down" in caught.value.hint


def test_the_lock_is_gone_afterwards_however_the_command_ends(mock_cloud: Cloud) -> None:
    with pytest.raises(RuntimeError, match="mid-way"), locked(mock_cloud, SHOP, Run(), "up"):
        raise RuntimeError("mid-way")
    with locked(mock_cloud, SHOP, Run(), "up") as hold:
        assert holder(mock_cloud) == hold.holder.run


def test_another_deployment_has_a_lock_of_its_own(mock_cloud: Cloud) -> None:
    with locked(mock_cloud, SHOP, Run(), "up"), locked(mock_cloud, Names("other"), Run(), "up") as hold:
        assert hold.names.deployment == "other"


def test_the_lock_of_a_dead_process_is_taken_over_at_once(mock_cloud: Cloud) -> None:
    held_by(mock_cloud, DEAD)
    run = Run()
    with locked(mock_cloud, SHOP, run, "up"):
        assert holder(mock_cloud) == run.id


def test_the_lock_of_another_desk_holds_until_it_is_not_renewed(mock_cloud: Cloud) -> None:
    held_by(mock_cloud, ELSEWHERE)
    with pytest.raises(Locked), locked(mock_cloud, SHOP, Run(), "up"):
        pytest.fail("taken from another desk")
    held_by(mock_cloud, ELSEWHERE, minutes=-1)
    with locked(mock_cloud, SHOP, Run(), "up") as hold:
        assert holder(mock_cloud) == hold.holder.run


def test_of_two_who_take_over_at_once_the_first_writer_has_it(
    mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(mock_cloud, DEAD)
    first = Holder.now(Run(), "first")
    write = lock._write

    def overtaken(cloud: Cloud, names: Names, leaf: str, mine: Holder, *, overwrite: bool) -> int:
        if overwrite and mine.command == "second":
            write(cloud, names, leaf, first, overwrite=True)
        return write(cloud, names, leaf, mine, overwrite=overwrite)

    monkeypatch.setattr(lock, "_write", overtaken)
    with pytest.raises(Locked, match="`first`"), locked(mock_cloud, SHOP, Run(), "second"):
        pytest.fail("two at once")
    assert holder(mock_cloud) == first.run


def test_a_long_command_renews_its_lock(mock_cloud: Cloud, clock: FakeClock) -> None:
    with locked(mock_cloud, SHOP, Run(), "up", clock=clock) as hold:
        before = mock_cloud.ssm.get_parameter(Name=LOCK)["Parameter"]["Version"]
        hold.check()
        assert mock_cloud.ssm.get_parameter(Name=LOCK)["Parameter"]["Version"] == before
        clock.now += 61
        hold.check()
        assert mock_cloud.ssm.get_parameter(Name=LOCK)["Parameter"]["Version"] == before + 1


def test_who_insists_has_the_holder_give_way(mock_cloud: Cloud, clock: FakeClock) -> None:
    working = locked(mock_cloud, SHOP, Run(), "invoke fleet.up")
    up = working.__enter__()

    class Meanwhile(type(clock)):  # type: ignore[misc]
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            with pytest.raises(Interrupted, match=r"gave way to `invoke fleet\.down`"):
                up.check()
            working.__exit__(None, None, None)

    run = Run()
    with locked(mock_cloud, SHOP, run, "invoke fleet.down", insist=True, clock=Meanwhile()) as hold:
        assert holder(mock_cloud) == run.id
        hold.check()


def test_a_holder_that_does_not_give_way_is_told(mock_cloud: Cloud, clock: FakeClock) -> None:
    with locked(mock_cloud, SHOP, Run(), "invoke fleet.up"):
        with (
            pytest.raises(Locked, match=r"`invoke fleet\.up`"),
            locked(mock_cloud, SHOP, Run(), "invoke fleet.down", insist=True, clock=clock),
        ):
            pytest.fail("two at once")
        assert clock.now >= 120
