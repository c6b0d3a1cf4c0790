"""Nodes as people visit, command and restart them: what is printed, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from fleet_door import Door, ids

from fleet import bootstrap_tasks, shell
from fleet.node import described
from fleet.reach import Ended, Hear, Target

if TYPE_CHECKING:
    from aws.session import Cloud

WELL = '{"instance_id": "", "state": "operational", "scripts": []}'


# --- fleet.ssh ---


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    made: list[tuple[str, str, str]] = []

    def opened(node: Any, user: str, private: str, command: str = "") -> int:
        assert "PRIVATE KEY" in private
        made.append((node.id, user, command))
        return 3 if command == "false" else 0

    monkeypatch.setattr(shell, "opened", opened)
    return made


def test_a_command_on_a_node_hands_on_how_it_ended(
    up: Door, mock_cloud: Cloud, visits: list[tuple[str, str, str]]
) -> None:
    first = ids(mock_cloud)[0]
    assert up.invoke("fleet.ssh", f"--node={first[:12]}", "--command=uptime").code == 0
    failed = up.invoke("fleet.ssh", f"--node={first}", "--command=false", "--user=root", "--json")
    assert (failed.code, failed.document["exit_code"]) == (2, 3)
    assert visits == [(first, "admin", "uptime"), (first, "root", "false")]


@pytest.mark.parametrize(
    ("node", "said"),
    [("i-nowhere", "has no node 'i-nowhere'"), ("i-0000", "has 2 nodes 'i-0000'"), ("", "2 running nodes: ")],
)
def test_a_node_that_is_none_or_several_is_not_visited(
    up: Door, visits: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch, node: str, said: str
) -> None:
    from fleet_wanted import node as made_up

    from fleet import node_tasks

    monkeypatch.setattr(node_tasks, "described", lambda *_: (made_up(1), made_up(2)))
    told = up.invoke("fleet.ssh", *([f"--node={node}"] if node else []))
    assert (told.code, visits) == (1, [])
    assert said in told.err
    assert "next" in told.err


# --- fleet.run ---


class Reached:
    """Nodes that do as they are told, but for those that are deaf."""

    def __init__(self, deaf: str = "") -> None:
        self.deaf = deaf
        self.heard: list[Sequence[str]] = []

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        self.heard.append(argv)
        if target.instance_id == self.deaf:
            return Ended(255, "", "Connection refused")
        return Ended(0, WELL, "")


def test_a_script_runs_on_all_nodes_and_one_that_fails_is_exit_code_two(
    up: Door, mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ids(mock_cloud)
    nodes = Reached(deaf=bad)
    monkeypatch.setattr(bootstrap_tasks, "_over_ssh", lambda *_: nodes)
    told = up.invoke("fleet.run", "purge-cache")
    assert told.code == 2
    assert "1 of 2 nodes well" in told.out
    assert all(one in told.out for one in (good, bad))
    assert all("purge-cache" in argv for argv in nodes.heard)
    by_id = {
        one["instance_id"]: one for one in up.invoke("fleet.run", "purge-cache", "--json").document["nodes"]
    }
    assert set(by_id) == {good, bad}


def test_a_script_runs_on_one_node_alone(
    up: Door, mock_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Reached()
    monkeypatch.setattr(bootstrap_tasks, "_over_ssh", lambda *_: nodes)
    told = up.invoke("fleet.run", "purge-cache", f"--node={ids(mock_cloud)[0]}", "--json")
    assert (told.code, len(told.document["nodes"]), len(nodes.heard)) == (0, 1, 1)


def test_a_script_has_nowhere_to_run_where_nothing_is_up(door: Door) -> None:
    told = door.invoke("fleet.run", "purge-cache")
    assert told.code == 1
    assert "no node of shop runs" in told.err


# --- fleet.history ---


def test_the_history_names_each_command_and_what_it_changed(up: Door) -> None:
    up.invoke("fleet.stop", "--count=1")
    told = up.invoke("fleet.history")
    assert told.code == 0
    assert "invoke fleet.up" in told.out
    entries = up.invoke("fleet.history", "--json").document["entries"]
    assert [one["command"] for one in entries] == ["invoke fleet.up", "invoke fleet.stop"]
    assert [one["outcome"] for one in entries] == ["done", "done"]
    assert entries[1]["changed"][0].startswith("~ drain and stop 1 node of web")


def test_a_deployment_that_nobody_touched_has_no_history(door: Door) -> None:
    assert "nothing was done to shop yet" in door.invoke("fleet.history").out


# --- fleet.restart ---


def restarted(told: Any) -> list[str]:
    return [one for one in told.document["changed"] if one.startswith("~ start")]


def test_a_restart_is_of_all_of_some_or_of_one(up: Door, mock_cloud: Cloud) -> None:
    first = ids(mock_cloud)[0]
    assert len(restarted(up.invoke("fleet.restart", "--json"))) == 2
    assert len(restarted(up.invoke("fleet.restart", "--count=1", "--json"))) == 1
    (only,) = restarted(up.invoke("fleet.restart", f"--node={first}", "--json"))
    assert first in only
    assert len(restarted(up.invoke("fleet.restart", "--template=web", "--json"))) == 2


def test_a_restart_of_a_template_that_is_none_is_refused(up: Door) -> None:
    told = up.invoke("fleet.restart", "--template=batch")
    assert told.code == 1
    assert "no node is of a template 'batch'" in told.err


def test_a_restart_that_is_only_tried_stops_nobody(up: Door, mock_cloud: Cloud) -> None:
    told = up.invoke("fleet.restart", "--count=1", "--dry-run")
    assert told.code == 0
    assert "drain and stop 1 node of web" in told.out
    assert {one.ec2_state for one in described(mock_cloud, "shop")} == {"running"}
