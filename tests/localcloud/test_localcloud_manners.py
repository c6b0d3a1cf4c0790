"""What EC2 says of instances beyond their state, as far as it takes no machine to know."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from localcloud.checks import Checked, Health
from localcloud.metadata import _notices
from localcloud.templates import merged


def record(**more: object) -> SimpleNamespace:
    return SimpleNamespace(id="i-1", instance_type="t3.small", **more)


@pytest.mark.parametrize(
    ("health", "instance", "system"),
    [
        (Health.INITIALIZING, "initializing", "initializing"),
        (Health.OK, "ok", "ok"),
        (Health.IMPAIRED, "impaired", "ok"),
    ],
)
def test_an_instance_is_impaired_by_its_own_system_not_by_what_carries_it(
    health: Health, instance: str, system: str
) -> None:
    checked = Checked(record(), health)
    assert checked.instance_status["Status"] == instance
    assert checked.system_status["Status"] == system
    assert checked.instance_type == "t3.small"


def test_a_template_version_made_of_another_has_what_it_does_not_replace() -> None:
    source = {"ImageId": "ami-1", "MetadataOptions": {"HttpTokens": "required"}}
    assert merged(source, {"ImageId": "ami-2"}) == {
        "ImageId": "ami-2",
        "MetadataOptions": {"HttpTokens": "required"},
    }


def test_an_instance_nothing_is_about_to_happen_to_has_no_such_metadata() -> None:
    assert _notices(record()) == {}


@pytest.mark.parametrize(
    ("state", "target"),
    [
        ("InService", "InService"),
        ("Pending:Wait", "InService"),
        ("Terminating:Wait", "Terminated"),
        ("Standby", "Standby"),
        ("Warmed:Stopped", "Warmed:Stopped"),
    ],
)
def test_an_instance_of_a_group_is_told_where_it_goes(state: str, target: str) -> None:
    member = record()
    member.autoscaling_group = SimpleNamespace(
        instance_states=[SimpleNamespace(instance=member, lifecycle_state=state)]
    )
    assert _notices(member) == {"autoscaling": {"target-lifecycle-state": target}}


def test_an_instance_that_left_its_group_is_told_nothing() -> None:
    assert _notices(record(autoscaling_group=SimpleNamespace(instance_states=[]))) == {}


def test_a_spot_instance_is_told_of_its_end() -> None:
    told = _notices(record(interruption="2026-01-01T00:02:00Z"))["spot"]
    assert told["instance-action"] == '{"action": "terminate", "time": "2026-01-01T00:02:00Z"}'
