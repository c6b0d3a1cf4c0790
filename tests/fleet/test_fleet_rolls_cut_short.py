"""Roll-outs whose desk dies at any call that changes something: gone on with, they end as they were to."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from fleet_rolls import NAMES, Stage, stage_of

from fleet.errors import NotThere, RolledBack
from fleet.rollout import Pace

if TYPE_CHECKING:
    from aws.session import Cloud

CHANGES = (
    "RunInstances",
    "TerminateInstances",
    "CreateLaunchTemplateVersion",
    "ModifyLaunchTemplate",
    "CreateTags",
    "DeregisterInstancesFromLoadBalancer",
    "RegisterInstancesWithLoadBalancer",
    "PutParameter",
    "DeleteParameter",
)


class Killed(BaseException):
    """The desk is dead."""


class Death:
    """Kills the desk at its nth call that changes something."""

    def __init__(self, cloud: Cloud, nth: int) -> None:
        self.cloud, self.left = cloud, nth

    def __enter__(self) -> Self:
        for service in (self.cloud.ec2, self.cloud.ssm, self.cloud.elb):
            service.meta.events.register("before-call", self._strike)
        return self

    def __exit__(self, *_: object) -> None:
        for service in (self.cloud.ec2, self.cloud.ssm, self.cloud.elb):
            service.meta.events.unregister("before-call", self._strike)
        # A lock whose holder is dead counts for nothing; this one's holder is the test.
        with suppress(self.cloud.ssm.exceptions.ParameterNotFound):
            self.cloud.ssm.delete_parameter(Name=NAMES.parameter("lock"))

    def _strike(self, model: Any, **_: object) -> None:
        if model.name in CHANGES:
            self.left -= 1
            if self.left == 0:
                raise Killed


@pytest.fixture
def stage(mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A node of an old image in service."""
    return stage_of(1, mock_cloud, monkeypatch)


def gone_on_with(stage: Stage) -> None:
    """What somebody does who finds a roll-out cut short, or not begun."""
    file = stage.file(count=1)
    try:
        stage.resume(file)
    except NotThere:
        stage.roll(file=file)


@pytest.mark.parametrize("in_place", [False, True], ids=["surge", "in place"])
def test_killed_at_any_call_a_roll_out_is_gone_on_with(stage: Stage, *, in_place: bool) -> None:
    old, new, deaths = stage.old, stage.new, 0
    for nth in range(1, 100):
        file = stage.file(stage.old, count=1)
        with Death(stage.cloud, nth) as death:
            try:
                stage.roll(file=file, pace=Pace(in_place=in_place))
            except Killed:
                deaths += 1
        if death.left > 0:
            break
        gone_on_with(stage)
        assert stage.images == {"new": 1}
        assert not stage.under_way
        assert stage.launches_from == "new"
        stage.old, stage.new = stage.new, stage.old
    assert deaths > 10
    assert {old, new} == {stage.old, stage.new}


def test_killed_at_any_call_on_the_way_back_it_is_gone_on_with(stage: Stage) -> None:
    stage.clock.stranding = stage.new
    deaths = 0
    for nth in range(1, 100):
        with Death(stage.cloud, nth):
            try:
                stage.roll(file=stage.file(count=1))
            except Killed:
                deaths += 1
            except RolledBack:
                break
        with pytest.raises(RolledBack):
            gone_on_with(stage)
        assert stage.images == {"old": 1}
        assert not stage.under_way
        assert stage.launches_from == "old"
    assert deaths > 5
