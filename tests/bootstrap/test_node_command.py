from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.command import main
from bootstrap.state import Result, State, save

if TYPE_CHECKING:
    from bootstrap.node import Node

Output = pytest.CaptureFixture[str]
JOBS = {
    "reboot": "1 reboot.target start waiting\n2 shutdown.target start waiting\n3 x.service stop running\n",
    "shutdown": "1 poweroff.target start waiting\n2 shutdown.target start waiting\n",
    "": "7 node-decommission.service stop running\n8 reboot.target stop waiting\n",
}


def test_a_boot_that_succeeds_exits_0_and_one_that_does_not_1(node: Node, scripts: Any) -> None:
    assert main(["boot"], node) == 0
    scripts.failing("first", "no")
    assert main(["boot"], node) == 1


def test_boot_prints_one_json_document_for_the_desk(node: Node, scripts: Any, capsys: Output) -> None:
    scripts.changing("first", "wrote /x")
    assert main(["boot", "--json"], node) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.keys() >= {"instance_id", "state", "reason", "scripts"}
    assert document["scripts"][0] == {"name": "first", "changed": ["wrote /x"], "seconds": 0.0, "error": ""}


def test_run_takes_inputs_and_exits_by_its_script(node: Node, scripts: Any, capsys: Output) -> None:
    scripts.add("first", "Inputs: {A: {}, B: {}}")
    assert main(["run", "first", "--input", "A=text:1=2", "--input", "B=blank", "--json"], node) == 0
    assert (scripts.ran[0].environment["A"], scripts.ran[0].environment["B"]) == ("1=2", "")
    scripts.failing("first", "no")
    assert main(["run", "first"], node) == 1


def test_an_input_without_a_value_is_refused_without_repeating_it(node: Node, capsys: Output) -> None:
    assert main(["run", "first", "--input", "A"], node) == 1
    assert "--input A: has no value\nwrite it like" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["reboot", "shutdown"])
def test_when_the_machine_goes_down_the_reason_is_systemds(node: Node, scripts: Any, reason: str) -> None:
    assert main(["decommission", "--at-shutdown"], node, lambda _: JOBS[reason]) == 0
    assert scripts.ran[-1].environment["DECOM_REASON"] == reason


def test_stopping_the_unit_alone_takes_no_node_out_of_service(node: Node, scripts: Any) -> None:
    assert main(["decommission", "--at-shutdown"], node, lambda _: JOBS[""]) == 0
    assert scripts.names == []


def test_a_node_is_taken_out_of_service_by_hand(node: Node, scripts: Any) -> None:
    assert main(["decommission"], node) == 0
    assert scripts.ran[-1].environment["DECOM_REASON"] == "manual"


def test_status_of_a_node_that_never_booted_names_the_next_step(node: Node, capsys: Output) -> None:
    assert main(["status"], node) == 1
    assert "systemctl status node-bootstrap" in capsys.readouterr().err


def test_status_json_is_the_state_file(node: Node, capsys: Output) -> None:
    main(["boot"], node)
    capsys.readouterr()
    assert main(["status", "--json"], node) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(node.places.state.read_text())


def test_status_for_people_shows_reason_and_scripts(node: Node, capsys: Output) -> None:
    failed = Result("second", ("wrote /x",), 0.25, "no bucket")
    save(
        State("stranded", "2026-01-02", "second: no bucket", "i-1", (Result("first"), failed)),
        node.places.state,
    )
    assert main(["status"], node) == 1
    assert capsys.readouterr().out == (
        "stranded since 2026-01-02 on i-1\n  reason: second: no bucket\n"
        "  first: nothing to do (0.000 s)\n  second: failed: no bucket (0.250 s)\n"
    )


def test_a_booting_node_is_not_operational_yet(node: Node) -> None:
    save(State("booting", "2026-01-02"), node.places.state)
    assert main(["status"], node) == 1


def test_a_state_file_of_rubbish_is_an_error_not_a_state(node: Node, capsys: Output) -> None:
    main(["boot"], node)
    node.places.state.write_text("{}")
    assert main(["status"], node) == 1
    assert "is no state" in capsys.readouterr().err


def test_the_list_shows_scripts_with_their_run_lists(node: Node, scripts: Any, capsys: Output) -> None:
    scripts.add("second", 'Packages: "apt:jq yum:jq"')
    assert main(["list", "--json"], node) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["second"]["run_lists"] == ["boot", "operational"]
    assert (found["second"]["packages"], found["second"]["debian_packages"]) == (["apt:jq", "yum:jq"], ["jq"])


def test_inputs_show_what_is_missing_and_of_a_secret_only_its_name(
    node: Node, scripts: Any, capsys: Output
) -> None:
    scripts.add("second", "Inputs: {PASSWORD: {Required: true}, KEY: {Required: true}}")
    node.places.inputs.write_text('{"BUCKET": "text:photos", "PASSWORD": "cred:web/password"}')
    assert main(["inputs"], node) == 1
    assert capsys.readouterr().out.splitlines() == [
        "BUCKET                   text:photos",
        "KEY                      ignore  <- is required",
        "PASSWORD                 cred:web/password",
        "PREFIX                   text:originals/",
    ]


def test_who_may_not_keep_a_state_is_told_to_be_root(
    node: Node, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("[Errno 13] Permission denied: '/run/amibake'")

    monkeypatch.setattr("bootstrap.boot.visit", refuse)
    assert main(["boot"], node) == 1
    assert "run it as root" in capsys.readouterr().err
