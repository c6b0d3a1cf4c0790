"""Launching: batches and tokens, and other zones where one has no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fleet_wanted import GROUND
from moto_fixture import refusal

from fleet.errors import NoCapacity
from fleet.launch_templates import ActualTemplate
from fleet.launching import launch

if TYPE_CHECKING:
    from aws.session import Cloud

WEB = ActualTemplate("lt-1", "amibake-shop-web", "web", "d", 3)


class Ec2:
    """Launches as many as a subnet has room for, at least one or none at all."""

    def __init__(self, **room: int) -> None:
        self.room = {name.replace("_", "-"): count for name, count in room.items()}
        self.asked: list[dict[str, Any]] = []

    def describe_instances(self, **_: Any) -> Any:
        """All that was launched is seen at once."""

    def run_instances(self, **asked: Any) -> Any:
        self.asked.append(asked)
        subnet = asked["SubnetId"]
        count = min(asked["MaxCount"], self.room[subnet])
        if not count:
            raise refusal("InsufficientInstanceCapacity")
        self.room[subnet] -= count
        return {"Instances": [{"InstanceId": f"i-{subnet}-{self.room[subnet] + n}"} for n in range(count)]}


def cloud_of(ec2: Ec2) -> Cloud:
    from aws.session import Cloud

    made: Any = ec2
    return Cloud(made, "eu-central-1", "1")


def launched(ec2: Ec2, notes: list[str], **zones: int) -> tuple[str, ...]:
    wanted = {f"eu-central-1{letter}": count for letter, count in zones.items()}
    return launch(cloud_of(ec2), WEB, GROUND, wanted, "run", notes.append)


def test_each_zone_gets_its_nodes_from_the_templates_version() -> None:
    ec2 = Ec2(subnet_a=9, subnet_b=9)
    assert len(launched(ec2, [], a=2, b=1)) == 3
    assert [(one["SubnetId"], one["MaxCount"]) for one in ec2.asked] == [("subnet-a", 2), ("subnet-b", 1)]
    assert {one["LaunchTemplate"]["Version"] for one in ec2.asked} == {"3"}


def test_many_nodes_go_in_batches_each_with_a_token_of_its_own() -> None:
    ec2 = Ec2(subnet_a=1000)
    assert len(launched(ec2, [], a=250)) == 250
    assert [one["MaxCount"] for one in ec2.asked] == [100, 100, 50]
    assert len({one["ClientToken"] for one in ec2.asked}) == 3


def test_the_same_run_asks_with_the_same_tokens() -> None:
    first, second = Ec2(subnet_a=9), Ec2(subnet_a=9)
    launched(first, [], a=2)
    launched(second, [], a=2)
    assert first.asked[0]["ClientToken"] == second.asked[0]["ClientToken"]


def test_a_zone_without_room_leaves_its_nodes_to_the_others() -> None:
    notes: list[str] = []
    ec2 = Ec2(subnet_a=0, subnet_b=9)
    assert len(launched(ec2, notes, a=2, b=2)) == 4
    assert notes == ["eu-central-1a has no room for 2 of 2 nodes"]
    assert ec2.room["subnet-b"] == 5


def test_a_zone_with_room_for_some_takes_those() -> None:
    ec2 = Ec2(subnet_a=1, subnet_b=9)
    assert len(launched(ec2, [], a=3)) == 3
    assert ec2.room == {"subnet-a": 0, "subnet-b": 7}


def test_no_room_anywhere_is_told_with_what_was_launched() -> None:
    with pytest.raises(NoCapacity, match=r"no zone has room for 2 of 4 nodes; 2 were launched"):
        launched(Ec2(subnet_a=1, subnet_b=1), [], a=2, b=2)


def test_what_has_nothing_to_do_with_room_is_passed_on() -> None:
    class Forbidden(Ec2):
        def run_instances(self, **asked: Any) -> Any:
            raise refusal("UnauthorizedOperation")

    with pytest.raises(Exception, match="UnauthorizedOperation"):
        launched(Forbidden(), [], a=1)
