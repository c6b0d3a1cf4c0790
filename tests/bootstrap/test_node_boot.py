from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.boot import boot, decommission, run
from bootstrap.errors import InputsError, ScriptError
from bootstrap.execution import TIMED_OUT
from bootstrap.state import load

if TYPE_CHECKING:
    from bootstrap.node import Node

Tags = list[dict[str, str]]


def states(told: Tags) -> list[str]:
    return [each["bootstrap:state"] for each in told]


def test_a_first_boot_runs_the_list_in_order_and_ends_operational(
    node: Node, scripts: Any, told: Tags, said: list[str]
) -> None:
    scripts.changing("first", "wrote /x", "started y")
    state = boot(node)
    assert (state.state, state.reason, scripts.names) == ("operational", "", ["first", "second"])
    assert [(one.name, one.changed) for one in state.scripts] == [
        ("first", ("wrote /x", "started y")),
        ("second", ()),
    ]
    assert states(told) == ["booting", "operational"]
    assert said == [
        "state: booting",
        "first: wrote /x, started y (0.000 s)",
        "second: nothing to do (0.000 s)",
        "state: operational",
    ]


def test_a_second_boot_keeps_since_and_tells_aws_nothing(node: Node, clock: Any, told: Tags) -> None:
    first = boot(node)
    clock.sleep(60)
    second = boot(node)
    assert second.since == first.since
    assert states(told) == ["booting", "operational"]


def test_scripts_are_told_the_runs_own_token_for_the_metadata(node: Node, scripts: Any) -> None:
    boot(node)
    assert [one.environment["BOOTSTRAP_METADATA_TOKEN"] for one in scripts.ran] == ["token", "token"]


def test_the_state_is_kept_as_the_json_that_the_desk_reads(node: Node, scripts: Any) -> None:
    scripts.failing("second", "no bucket")
    state = boot(node)
    document = json.loads(node.places.state.read_text())
    assert load(node.places.state) == state
    assert document["state"] == "stranded"
    assert document["instance_id"] == "i-0123456789abcdef0"
    assert document["scripts"][1] == {"name": "second", "changed": [], "seconds": 0.0, "error": "no bucket"}


def test_a_failing_script_strands_the_node_with_its_last_words_and_ends_the_boot(
    node: Node, scripts: Any, told: Tags
) -> None:
    scripts.failing("first", "looking", "error: there is no bucket (make one)", "")
    state = boot(node)
    assert (state.state, state.reason) == ("stranded", "first: there is no bucket (make one)")
    assert scripts.names == ["first"]
    assert told[-1] == {
        "bootstrap:state": "stranded",
        "bootstrap:since": state.since,
        "bootstrap:reason": state.reason,
    }


def test_a_silent_failure_is_named_by_its_code(node: Node, scripts: Any) -> None:
    scripts.does["first"] = lambda *_: 3
    assert boot(node).reason == "first: exit code 3"


def test_a_killed_script_is_named_by_its_signal(node: Node, scripts: Any) -> None:
    scripts.does["first"] = lambda *_: -9
    assert boot(node).reason == "first: killed by signal 9"


def test_a_script_that_takes_too_long_is_told_apart(node: Node, scripts: Any) -> None:
    scripts.does["first"] = lambda *_: TIMED_OUT
    assert boot(node).reason == "first: took longer than 900 s and was ended"


def test_a_mended_node_becomes_operational_by_booting_again(node: Node, scripts: Any, told: Tags) -> None:
    scripts.failing("first", "no")
    boot(node)
    del scripts.does["first"]
    assert boot(node).state == "operational"
    assert states(told) == ["booting", "stranded", "booting", "operational"]


def test_missing_inputs_strand_the_node_before_any_script_runs(node: Node, scripts: Any) -> None:
    scripts.add("second", "Inputs: {KEY: {Required: true}}")
    node.places.inputs.unlink()
    state = boot(node)
    assert "BUCKET is required (bootstrap.toml); KEY is required (second)" in state.reason
    assert scripts.names == []


def test_a_script_that_is_not_there_strands_the_node_before_any_runs(node: Node, scripts: Any) -> None:
    (node.places.scripts / "last").unlink()
    assert boot(node).reason.startswith("last: there is no such script in ")
    assert scripts.names == []


def test_settings_of_rubbish_strand_the_node(node: Node) -> None:
    node.places.settings.write_text("services = 1")
    assert "bootstrap.toml: services: is a int" in boot(node).reason


def test_a_bug_strands_the_node_too_and_the_journal_has_all_of_it(
    node: Node, scripts: Any, said: list[str]
) -> None:
    def break_down(*_: object) -> int:
        raise ZeroDivisionError("by zero")

    scripts.does["first"] = break_down
    assert boot(node).reason == "unexpected ZeroDivisionError: by zero"
    assert any("Traceback" in line for line in said)


def test_the_node_may_be_launched_with_run_lists_of_its_own(node: Node, scripts: Any) -> None:
    node.places.run_lists.write_text('{"boot": ["last"]}')
    boot(node)
    assert scripts.names == ["last"]


def test_run_lists_of_rubbish_strand_the_node(node: Node) -> None:
    node.places.run_lists.write_text('{"boot": "last"}')
    assert "run_lists.boot: is a str, give it a list" in boot(node).reason


def test_inputs_that_no_script_declares_are_said_once(node: Node, said: list[str]) -> None:
    node.places.inputs.write_text('{"BUCKET": "text:b", "BUKET": "text:b"}')
    assert boot(node).state == "operational"
    assert "inputs: BUKET is declared by no script here, not used" in said


def test_a_node_without_metadata_boots_all_the_same_and_tells_nobody(
    node: Node, web: Any, told: Tags, said: list[str]
) -> None:
    web.answers = {"http://127.0.0.1/health": web.answers["http://127.0.0.1/health"]}
    state = boot(node)
    assert (state.state, state.instance_id, told) == ("operational", "", [])
    assert any(line.startswith("identity: the instance metadata service does not answer") for line in said)


def test_metadata_that_answers_late_is_waited_for_where_cloud_init_has_seen_it(
    node: Node, web: Any, clock: Any
) -> None:
    node.places.cloud_id.write_text("aws\n")
    token = "http://169.254.169.254/latest/api/token"
    late = web.answers.pop(token)
    refused = web.__call__

    def answer(method: str, url: str, *rest: Any) -> Any:
        if clock.monotonic() > 60:
            web.answers[token] = late
        return refused(method, url, *rest)

    object.__setattr__(node, "ask", answer)
    assert boot(node).instance_id == "i-0123456789abcdef0"


def test_a_node_that_cannot_tell_aws_says_so_and_tells_it_at_the_next_boot(
    node: Node, told: Tags, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = __import__("bootstrap.announcement", fromlist=["tag"]).tag

    def refuse(*_: object) -> None:
        raise OSError("no way out")

    monkeypatch.setattr("bootstrap.announcement.tag", refuse)
    assert not boot(node).told
    assert "state: not told to AWS: no way out" in capsys.readouterr().err
    monkeypatch.setattr("bootstrap.announcement.tag", heard)
    assert boot(node).told
    assert states(told) == ["operational"]


def test_what_another_instance_left_in_the_image_is_not_this_ones_state(
    node: Node, web: Any, told: Tags
) -> None:
    boot(node)
    web.answers["http://169.254.169.254/latest/meta-data/instance-id"][0].__dict__["body"] = "i-other"
    node.places.inputs.write_text('{"BUCKET": "text:mine"}')
    assert boot(node).instance_id == "i-other"
    assert states(told) == ["booting", "operational", "booting", "operational"]


def test_inputs_of_another_instance_are_removed_and_not_used(node: Node, web: Any, said: list[str]) -> None:
    boot(node)
    web.answers["http://169.254.169.254/latest/meta-data/instance-id"][0].__dict__["body"] = "i-other"
    assert "BUCKET is required" in boot(node).reason
    assert not node.places.inputs.exists()
    assert (
        f"{node.places.inputs}: was i-0123456789abcdef0's, of which this node's image was made; removed"
        in said
    )


def test_leaving_runs_the_list_and_says_why(node: Node, scripts: Any, told: Tags) -> None:
    boot(node)
    state = decommission(node, "shutdown")
    assert (state.state, scripts.names[-1]) == ("decommissioned", "last")
    assert scripts.ran[-1].environment["DECOM_REASON"] == "shutdown"
    assert states(told)[2:] == ["decommissioning", "decommissioned"]


def test_leaving_goes_on_after_a_script_that_fails(node: Node, scripts: Any) -> None:
    node.places.run_lists.write_text('{"decommission": ["first", "last"]}')
    scripts.failing("first", "no balancer")
    state = decommission(node, "shutdown")
    assert (state.state, state.reason) == ("decommissioned", "first: no balancer")
    assert scripts.names == ["first", "last"]


def test_a_single_script_runs_with_inputs_of_its_own_and_leaves_the_state(
    node: Node, scripts: Any, told: Tags
) -> None:
    boot(node)
    scripts.add("second", "Inputs: {KEY: {Default: 'text:no'}}")
    state = run(node, "second", {"KEY": "text:yes"})
    assert scripts.ran[-1].environment["KEY"] == "yes"
    assert (state.state, [one.name for one in state.scripts]) == ("operational", ["second"])
    assert [one.name for one in load(node.places.state).scripts] == ["first", "second"]
    assert len(told) == 2


def test_a_script_that_does_not_exist_cannot_be_run_and_the_others_are_named(node: Node) -> None:
    with pytest.raises(ScriptError, match="nope: there is no such script") as caught:
        run(node, "nope", {})
    assert caught.value.hint.startswith("there are: first, last, second")


def test_a_single_script_with_missing_inputs_is_not_run(node: Node, scripts: Any) -> None:
    scripts.add("second", "Inputs: {KEY: {Required: true}}")
    with pytest.raises(InputsError, match=r"KEY is required \(second\)"):
        run(node, "second", {})
    assert scripts.names == []


def test_a_dry_run_runs_only_scripts_that_heed_it_and_keeps_no_state(
    node: Node, scripts: Any, told: Tags
) -> None:
    scripts.add("second", body='test "$BOOTSTRAP_DRY_RUN" || exit')
    scripts.changing("second", "wrote /x")
    state = boot(node, dry_run=True)
    assert [(one.name, one.changed) for one in state.scripts] == [
        ("first", ("would run",)),
        ("second", ("wrote /x",)),
    ]
    assert scripts.ran[0].environment["BOOTSTRAP_DRY_RUN"] == "1"
    assert (told, node.places.state.exists(), node.places.record.exists()) == ([], False, False)
