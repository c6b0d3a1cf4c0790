from __future__ import annotations

import json
import re
from typing import Any

import pytest

SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001}


def test_the_system_runs_and_no_unit_has_failed(host: Any) -> None:
    failed = host.check_output("systemctl list-units --failed --plain --no-legend")
    assert failed == ""
    assert host.run("systemctl is-system-running").stdout.strip() in ("running", "degraded")


def test_no_unit_was_left_out_for_an_ordering_cycle(host: Any) -> None:
    assert "ordering cycle" not in host.check_output("journalctl --boot --no-pager --quiet _PID=1")


@pytest.fixture(scope="module")
def cloud_init(host: Any) -> dict[str, Any]:
    """What cloud-init says when it is done; to ask it takes half a second."""
    return dict(json.loads(host.run_expect([0, 2], "cloud-init status --wait --format json").stdout))


def test_cloud_init_is_done_and_met_no_error(cloud_init: dict[str, Any]) -> None:
    found = [cloud_init[name] for name in ("status", "errors", "recoverable_errors")]
    assert found == ["done", [], {}]


def test_cloud_init_found_ec2(cloud_init: dict[str, Any]) -> None:
    assert cloud_init["datasource"].startswith("ec2")


def test_cloud_init_works_for_the_instance_that_the_metadata_service_names(
    host: Any, instance_id: str
) -> None:
    assert host.file("/var/lib/cloud/data/instance-id").content_string.strip() == instance_id


def test_the_boot_has_finished_and_its_seconds_are_on_record(host: Any, record_property: Any) -> None:
    shown = host.check_output("systemd-analyze time").splitlines()[0]
    parts = re.findall(r"([\d.]+)(h|min|ms|us|s)\b", shown.rpartition("=")[2])
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    record_property("boot_seconds", round(seconds, 3))
    assert seconds > 0, shown


def test_the_clock_is_utc(host: Any) -> None:
    assert host.check_output("date +%Z") == "UTC"


def test_a_login_starts_no_services_of_its_user(host: Any) -> None:
    assert host.check_output("loginctl list-sessions --no-legend") != ""
    assert host.check_output("systemctl list-units --plain --no-legend 'user@*'") == ""
