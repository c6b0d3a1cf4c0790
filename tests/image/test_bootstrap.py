from __future__ import annotations

import json
from typing import Any

import pytest

UNIT = "node-bootstrap.service"
BOOT = ["hostname", "metrics", "cache-volume", "configure", "apache", "warm-cache", "register"]


@pytest.fixture(scope="module")
def scripts(host: Any) -> dict[str, dict[str, Any]]:
    """The boot scripts of the image; listing them reads and checks every header."""
    listed = json.loads(host.check_output("node-bootstrap list --json"))
    return {one["name"]: one for one in listed}


def test_the_node_is_operational(bootstrap_status: dict[str, Any]) -> None:
    assert (bootstrap_status["state"], bootstrap_status["reason"]) == ("operational", "")


def test_the_node_knows_who_it_is(bootstrap_status: dict[str, Any], instance_id: str) -> None:
    assert bootstrap_status["instance_id"] == instance_id


@pytest.mark.parametrize("unit", [UNIT, "node-decommission.service"])
def test_the_units_are_active_and_come_with_every_boot(host: Any, unit: str) -> None:
    service = host.service(unit)
    assert (service.is_running, service.is_enabled) == (True, True)


def test_the_node_is_taken_out_of_service_before_apache_and_the_network_go(host: Any) -> None:
    shown = host.check_output("systemctl show --property=After --value node-decommission.service")
    assert {"apache2.service", "network.target"} <= set(shown.split())


def test_every_script_of_the_boot_list_ran_and_its_seconds_are_on_record(
    bootstrap_status: dict[str, Any], scripts: dict[str, dict[str, Any]], record_property: Any
) -> None:
    ran = {one["name"]: one for one in bootstrap_status["scripts"]}
    assert list(ran) == [name for name in BOOT if "boot" in scripts[name]["run_lists"]]
    for name, one in ran.items():
        record_property(f"bootstrap_{name}_seconds", one["seconds"])
        assert one["error"] == ""


def test_packages_that_scripts_need_are_installed(host: Any, scripts: dict[str, dict[str, Any]]) -> None:
    wanted = {package for one in scripts.values() for package in one["debian_packages"]}
    assert {package for package in wanted if not host.package(package).is_installed} == set()


def test_no_input_is_missing(host: Any) -> None:
    inputs = json.loads(host.check_output("node-bootstrap inputs --json"))
    assert [one for one in inputs if one["fault"]] == []


def test_the_instance_tag_says_operational(
    aws: Any, instance_id: str, bootstrap_status: dict[str, Any]
) -> None:
    wanted = [{"Name": "resource-id", "Values": [instance_id]}, {"Name": "key", "Values": ["bootstrap:*"]}]
    found = aws.client("ec2").describe_tags(Filters=wanted)["Tags"]
    tags = {tag["Key"]: tag["Value"] for tag in found}
    assert tags == {
        "bootstrap:state": "operational",
        "bootstrap:since": bootstrap_status["since"],
        "bootstrap:reason": "",
    }


def test_a_dry_run_finds_nothing_to_do(host: Any) -> None:
    with_environment = ". /etc/profile; node-bootstrap boot --dry-run --json"
    foreseen = json.loads(host.check_output("bash -c %s", with_environment))
    assert [what for one in foreseen["scripts"] for what in one["changed"]] == []


def test_a_second_boot_changes_nothing(host: Any, bootstrap_status: dict[str, Any]) -> None:
    # by the unit, so that it sees the same environment as the first
    host.run_expect([0], f"systemctl restart {UNIT}")
    again = json.loads(host.check_output("node-bootstrap status --json"))
    assert again["state"] == "operational"
    assert [what for one in again["scripts"] for what in one["changed"]] == []
    assert again["since"] == bootstrap_status["since"]
