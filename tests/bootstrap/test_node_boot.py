from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.boot import boot
from bootstrap.web import Answer

if TYPE_CHECKING:
    from bootstrap.boot import Node
    from bootstrap.state import State

HEALTH = "http://127.0.0.1/health"


@pytest.fixture
def published() -> list[State]:
    return []


def booted(node: Node, published: list[State]) -> State:
    return boot(node, "i-1", published.append)


def test_a_first_boot_renders_reloads_and_ends_operational(
    node: Node, systemd: Any, published: list[State]
) -> None:
    state = booted(node, published)
    target = node.settings.parent / "app.toml"
    assert state.state == "operational"
    assert state.changed == (f"wrote {target}", "reloaded apache2.service")
    assert target.read_text() == 'bucket = "photos"\nprefix = "originals/"\n'
    assert systemd.ran == ["reload-or-restart apache2.service"]


def test_a_second_boot_changes_nothing_and_keeps_since(
    node: Node, systemd: Any, clock: Any, published: list[State]
) -> None:
    first = booted(node, published)
    clock.sleep(60)
    second = booted(node, published)
    assert second.changed == ()
    assert second.since == first.since
    assert systemd.ran == ["reload-or-restart apache2.service"]


def test_an_operational_node_never_looks_booting_again(node: Node, published: list[State]) -> None:
    booted(node, published)
    booted(node, published)
    assert [each.state for each in published] == ["booting", "operational", "operational"]


def test_a_boot_killed_between_writing_and_reloading_reloads_the_next_time(
    node: Node, systemd: Any, published: list[State]
) -> None:
    systemd.refuses = True
    assert booted(node, published).state == "stranded"
    systemd.refuses = False
    assert booted(node, published).changed == ("reloaded apache2.service",)


def test_an_inactive_service_is_started_once_and_not_reloaded(
    node: Node, systemd: Any, published: list[State]
) -> None:
    systemd.units["apache2.service"] = ("inactive", datetime.min.replace(tzinfo=UTC))
    assert "started apache2.service" in booted(node, published).changed
    assert systemd.ran == ["start apache2.service"]


def test_a_changed_input_rewrites_the_file_and_reloads(
    node: Node, systemd: Any, published: list[State]
) -> None:
    booted(node, published)
    node.inputs.write_text('{"BUCKET": "text:other"}')
    systemd.units["apache2.service"] = ("active", datetime(2026, 1, 1, tzinfo=UTC))
    changed = booted(node, published).changed
    assert changed == (f"rewrote {node.settings.parent / 'app.toml'} (content)", "reloaded apache2.service")


def test_the_health_url_strands_the_node_when_its_budget_is_spent(
    node: Node, web: Any, published: list[State]
) -> None:
    web.answers[HEALTH] = [Answer(503)]
    state = booted(node, published)
    assert state.state == "stranded"
    assert "did not answer 200 within 3 s; last: status 503" in state.reason
    assert state.seconds.keys() == {"render", "services", "health"}


def test_a_slow_application_is_waited_for(node: Node, web: Any, published: list[State]) -> None:
    web.answers[HEALTH] = [Answer(503), Answer(503), Answer(200)]
    assert booted(node, published).state == "operational"


def test_a_missing_input_strands_the_node_before_a_service_is_touched(
    node: Node, systemd: Any, published: list[State]
) -> None:
    node.inputs.unlink()
    state = booted(node, published)
    assert "BUCKET is required" in state.reason
    assert systemd.ran == []
    assert published[-1] == state


def test_a_unit_that_is_not_installed_strands_the_node(
    node: Node, systemd: Any, published: list[State]
) -> None:
    systemd.units.clear()
    assert "apache2.service is not-found" in booted(node, published).reason


def test_settings_that_cannot_be_read_strand_the_node(node: Node, published: list[State]) -> None:
    node.settings.write_text("services = 7")
    assert "bootstrap.toml: services: is a int, give it a list" in booted(node, published).reason


def test_a_bug_strands_the_node_and_leaves_its_trace_in_the_journal(
    node: Node, web: Any, said: list[str], published: list[State]
) -> None:
    web.answers[HEALTH] = [None]
    assert "unexpected AttributeError" in booted(node, published).reason
    assert any("Traceback" in line for line in said)


def test_a_stranded_node_that_is_mended_becomes_operational(
    node: Node, web: Any, published: list[State]
) -> None:
    web.answers[HEALTH] = []
    assert booted(node, published).state == "stranded"
    web.answers[HEALTH] = [Answer(200)]
    state = booted(node, published)
    assert (state.state, state.reason) == ("operational", "")


def test_an_undeclared_input_is_said_and_not_used(
    node: Node, said: list[str], published: list[State]
) -> None:
    node.inputs.write_text('{"BUCKET": "text:photos", "TYPO": "text:secret"}')
    assert booted(node, published).state == "operational"
    assert "inputs: TYPO is not declared by this image, not used" in said


def test_every_step_has_one_journal_line(node: Node, said: list[str], published: list[State]) -> None:
    booted(node, published)
    assert [line.split(":")[0] for line in said] == ["state", "render", "services", "health", "state"]


def test_the_state_file_is_the_documented_json_and_readable_by_all(
    node: Node, published: list[State]
) -> None:
    booted(node, published)
    document = json.loads(node.state.read_text())
    assert document.keys() == {"state", "since", "reason", "instance_id", "changed", "seconds"}
    assert document["instance_id"] == "i-1"
    assert os.stat(node.state).st_mode & 0o777 == 0o644  # noqa: PTH116 - the mode of the file itself
