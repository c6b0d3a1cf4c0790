"""What nodes are told, and what they answer."""

from __future__ import annotations

import json

import pytest

from fleet import node_report
from fleet.node_order import Order, OrderError, order
from fleet.node_report import Report, ReportError, ScriptRun, Step
from fleet.reach import Ended, console_keys


@pytest.mark.parametrize(
    ("wanted", "argv"),
    [
        (order(), "node-bootstrap boot --json"),
        (order(dry_run=True), "node-bootstrap boot --dry-run --json"),
        (order("decommission"), "node-bootstrap decommission --json"),
        (order(script="register"), "node-bootstrap run register --json"),
        (
            order(script="register", inputs=["A=text:1", "B=array:[]"]),
            "node-bootstrap run register --input A=text:1 --input B=array:[] --json",
        ),
    ],
)
def test_an_order_is_one_command_on_the_node(wanted: Order, argv: str) -> None:
    assert " ".join(wanted.argv()) == argv


def test_scripts_of_the_operational_list_are_run_one_by_one() -> None:
    assert order("operational").argv("warm-cache") == ("node-bootstrap", "run", "warm-cache", "--json")


def test_only_the_boot_list_brings_nodes_into_operation() -> None:
    assert order().boots
    assert not order("operational").boots
    assert not order(script="register").boots


@pytest.mark.parametrize(
    "words",
    [
        {"run_list": "boot", "script": "register"},
        {"run_list": "start"},
        {"inputs": ["BUCKET"]},
        {"inputs": ["=text:a"]},
        {"inputs": ["BUCKET=photos"]},
        {"inputs": ["BUCKET=text:"]},
    ],
)
def test_an_order_that_cannot_be_told_is_refused_with_what_would_be_right(words: dict[str, str]) -> None:
    with pytest.raises(OrderError) as caught:
        order(**words)  # type: ignore[arg-type]
    assert caught.value.hint


def test_a_refusal_does_not_repeat_a_value_that_may_be_a_secret() -> None:
    with pytest.raises(OrderError) as caught:
        order(inputs=["PASSWORD=hunter2"])
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


DOCUMENT = {
    "instance_id": "i-1",
    "state": "operational",
    "reason": "",
    "scripts": [
        {"name": "hostname", "changed": ["named it web"], "seconds": 0.1, "error": ""},
        {"name": "apache", "changed": False, "seconds": 2, "error": None},
        {"name": "metrics", "changed": True, "seconds": 0, "error": "no group"},
    ],
}


def test_a_nodes_answer_is_read() -> None:
    read = node_report.report(json.dumps(DOCUMENT))
    assert read == Report(
        "i-1",
        "operational",
        "",
        (
            ScriptRun("hostname", ("named it web",), 0.1),
            ScriptRun("apache", (), 2.0),
            ScriptRun("metrics", ("changed",), 0.0, "no group"),
        ),
    )


@pytest.mark.parametrize(
    "text", ["", "operational since", "[]", '{"state": "operational"}', '{"scripts": 1}']
)
def test_an_answer_that_is_none_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ReportError, match="is no report"):
        node_report.report(text)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("hostname: nothing to do (0.010 s)", Step("hostname", 0.01)),
        ("apache: reloaded apache2.service, wrote /a (1.500 s)", Step("apache", 1.5, changed=True)),
        ("register: failed: no such load balancer (3.000 s)", Step("register", 3.0, failed=True)),
        ("warm-cache| fetched 3 of 9", Step("warm-cache")),
        ("state: booting", None),
        ("", None),
    ],
)
def test_a_line_that_a_node_writes_meanwhile_tells_of_a_script(line: str, step: Step | None) -> None:
    assert node_report.step(line) == step


def test_what_the_scripts_of_a_list_said_one_by_one_is_one_report() -> None:
    first = Report("i-1", "operational", "", (ScriptRun("a"),))
    last = Report("i-1", "stranded", "b failed", (ScriptRun("b", error="x"),))
    assert node_report.together([first, last]) == Report(
        "i-1", "stranded", "b failed", (*first.scripts, *last.scripts)
    )


def test_what_takes_a_node_out_of_service_is_not_run_with_the_operational_list() -> None:
    listed = {"register": ["boot", "operational"], "deregister": ["operational", "decommission"]}
    text = json.dumps([{"name": name, "run_lists": lists} for name, lists in listed.items()])
    assert node_report.operational(text) == ("register",)


@pytest.mark.parametrize("text", ["", "[1]", '[{"name": "a"}]'])
def test_run_lists_that_cannot_be_read_are_said_to_be_so(text: str) -> None:
    with pytest.raises(ReportError, match="cannot be read"):
        node_report.operational(text)


def test_the_reason_of_a_failure_is_the_end_of_what_was_complained_of() -> None:
    assert Ended(1, "", "a\nb\nc\n").last_words == "b c"
    assert Ended(1, "out", "").last_words == "out"
    assert Ended(7, "", "").last_words == "exit code 7"


CONSOLE = """
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AAAAold root@first
-----END SSH HOST KEY KEYS-----
[   12.0] cloud-init[500]: -----BEGIN SSH HOST KEY KEYS-----
[   12.0] cloud-init[500]: ecdsa-sha2-nistp256 AAAAE2Vj= root@web
[   12.0] cloud-init[500]: ssh-ed25519 AAAAC3Nz root@web
[   12.0] cloud-init[500]: -----END SSH HOST KEY KEYS-----
"""


def test_the_host_keys_of_the_latest_boot_are_read_from_a_console() -> None:
    assert console_keys(CONSOLE) == ("ecdsa-sha2-nistp256 AAAAE2Vj=", "ssh-ed25519 AAAAC3Nz")
    assert console_keys("nothing of the kind") == ()
