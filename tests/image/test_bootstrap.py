from __future__ import annotations

import json
from typing import Any

UNIT = "node-bootstrap.service"


def test_the_node_is_operational(bootstrap_status: dict[str, Any]) -> None:
    assert (bootstrap_status["state"], bootstrap_status["reason"]) == ("operational", "")


def test_the_node_knows_who_it_is(bootstrap_status: dict[str, Any], instance_id: str) -> None:
    assert bootstrap_status["instance_id"] == instance_id


def test_the_unit_is_active_and_comes_with_every_boot(host: Any) -> None:
    service = host.service(UNIT)
    assert (service.is_running, service.is_enabled) == (True, True)


def test_the_steps_seconds_are_on_record(bootstrap_status: dict[str, Any], record_property: Any) -> None:
    for step, seconds in bootstrap_status["seconds"].items():
        record_property(f"bootstrap_{step}_seconds", seconds)
    assert bootstrap_status["seconds"].keys() >= {"render", "services", "health"}


def test_the_instance_tag_says_operational(aws: Any, instance_id: str) -> None:
    wanted = [{"Name": "resource-id", "Values": [instance_id]}, {"Name": "key", "Values": ["bootstrap:*"]}]
    found = aws.client("ec2").describe_tags(Filters=wanted)["Tags"]
    tags = {tag["Key"]: tag["Value"] for tag in found}
    assert tags == {"bootstrap:state": "operational", "bootstrap:reason": ""}


def test_a_second_boot_changes_nothing(host: Any, bootstrap_status: dict[str, Any]) -> None:
    # by the unit, so that it sees the same environment as the first
    host.run_expect([0], f"systemctl restart {UNIT}")
    again = json.loads(host.check_output("node-bootstrap status --json"))
    assert (again["state"], again["changed"]) == ("operational", [])
    assert again["since"] == bootstrap_status["since"]
