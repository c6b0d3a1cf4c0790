from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bootstrap.command import main
from bootstrap.state import State, save

if TYPE_CHECKING:
    import pytest

    from bootstrap.boot import Node


def test_boot_without_metadata_is_still_operational_and_says_why_no_tag(node: Node, said: list[str]) -> None:
    assert main(["boot"], node) == 0
    assert any(line.startswith("tags: not set: the instance metadata service") for line in said)


def test_boot_of_a_stranded_node_exits_1(node: Node, web: Any) -> None:
    web.answers.clear()
    assert main(["boot"], node) == 1


def test_status_of_a_node_that_never_booted_names_the_next_step(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"], node) == 1
    assert "systemctl status node-bootstrap" in capsys.readouterr().err


def test_status_json_is_the_state_file(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    main(["boot"], node)
    assert main(["status", "--json"], node) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(node.state.read_text())


def test_status_for_people_shows_reason_steps_and_changes(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    save(State("stranded", "2026-01-02", "no bucket", "i-1", ("wrote /x",), {"render": 0.1}), node.state)
    assert main(["status"], node) == 1
    assert capsys.readouterr().out == (
        "stranded since 2026-01-02 on i-1\n  reason: no bucket\n  render: 0.1 s\n  changed: wrote /x\n"
    )


def test_a_booting_node_is_not_operational_yet(node: Node) -> None:
    save(State("booting", "2026-01-02"), node.state)
    assert main(["status"], node) == 1


def test_a_state_file_of_rubbish_is_an_error_not_a_state(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    save(State("booting", "2026-01-02"), node.state)
    node.state.write_text("{}")
    assert main(["status"], node) == 1
    assert "is no state" in capsys.readouterr().err
