"""Boot scripts on many nodes at once: the dead do not hold up the living, and everyone is heard."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from threading import Barrier
from typing import Any

import pytest
from rich.console import Console

from fleet.bootstrap_view import Board, Bootstrapped, board
from fleet.bootstrapping import AS_UNIT, Outcome, run
from fleet.node_order import order
from fleet.node_report import ScriptRun, Step
from fleet.reach import Ended, Hear, NodeLost, Target, Unreachable

ONE, TWO, THREE = (Target(f"10.0.0.{number}", f"i-{number}") for number in (1, 2, 3))
WELL = {"name": "hostname", "changed": ["named it web"], "seconds": 0.1, "error": ""}
SAME = {**WELL, "changed": []}
SICK = {**WELL, "name": "register", "changed": [], "error": "no load balancer"}


def answer(*scripts: Any, state: str = "operational", reason: str = "") -> str:
    return json.dumps({"instance_id": "i-x", "state": state, "reason": reason, "scripts": scripts})


class Scripted:
    """Nodes that answer what the test says, by id and command."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
        assert tuple(argv[: len(AS_UNIT)]) == AS_UNIT
        argv = argv[len(AS_UNIT) :]
        self.asked.append((target.instance_id, *argv[1:]))
        said = self.answers[target.instance_id.replace("-", "")]
        if isinstance(said, dict):
            said = said[argv[2] if argv[1] == "run" else argv[1]]
        if isinstance(said, Exception):
            raise said
        hear("hostname| looking")
        hear("hostname: nothing to do (0.100 s)")
        hear("state: operational")
        return said if isinstance(said, Ended) else Ended(0, said, "")


def test_what_became_of_each_node_is_told_in_their_order() -> None:
    reach = Scripted(i1=answer(WELL), i2=answer(SAME))
    first, second = run(order(), [ONE, TWO], reach, clock=lambda: 0.0)
    assert first == Outcome(ONE, "operational", "", (ScriptRun("hostname", ("named it web",), 0.1),))
    assert (second.target, second.scripts[0].changed, second.error) == (TWO, (), "")


def test_all_nodes_are_told_at_once() -> None:
    meeting = Barrier(3, timeout=20)

    class Meeting:
        def run(self, target: Target, argv: Sequence[str], hear: Hear) -> Ended:
            meeting.wait()
            return Ended(0, answer(), "")

    assert [one.error for one in run(order(), [ONE, TWO, THREE], Meeting())] == ["", "", ""]


@pytest.mark.parametrize("why", [Unreachable("i-1: timed out", "does it run?"), NodeLost("dropped")])
def test_a_dead_node_does_not_hold_up_the_others_and_says_why(why: Exception) -> None:
    dead, living = run(order(), [ONE, TWO], Scripted(i1=why, i2=answer(WELL)))
    assert str(why) in dead.error
    assert (living.state, living.error) == ("operational", "")
    assert Bootstrapped("boot", (dead, living)).degraded


def test_a_failing_script_is_named() -> None:
    stranded = Ended(1, answer(WELL, SICK, state="stranded", reason="register: no load balancer"), "")
    (one,) = run(order(), [ONE], Scripted(i1=stranded))
    assert one.error == "register: no load balancer"
    assert one.state == "stranded"


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(127, "", "sh: node-bootstrap: not found"), "is this node of a baked image"),
        (
            Ended(1, "", "Failed to find executable node-bootstrap: No such file or directory"),
            "is this node of a baked image",
        ),
        (Ended(1, "", "disk full\n"), "disk full"),
        (Ended(0, "hello", ""), "is no report"),
        (Ended(1, answer(state="stranded", reason="inputs: BUCKET is required"), ""), "BUCKET is required"),
    ],
)
def test_a_node_that_does_not_do_as_told_says_why(ended: Ended, said: str) -> None:
    (one,) = run(order(), [ONE], Scripted(i1=ended))
    assert said in one.error


def test_the_operational_list_is_the_nodes_own_and_ends_at_the_first_failure() -> None:
    of_lists = {"a": ["boot", "operational"], "x": ["boot"], "b": ["operational"], "c": ["operational"]}
    lists = json.dumps([{"name": name, "run_lists": lists} for name, lists in of_lists.items()])
    said = {
        "list": lists,
        "a": answer({**WELL, "name": "a"}),
        "b": Ended(1, answer({**SICK, "name": "b"}), ""),
    }
    reach = Scripted(i1=said)
    (one,) = run(order("operational", inputs=["X=text:1"]), [ONE], reach)
    assert one.error == "b: no load balancer"
    assert [script.name for script in one.scripts] == ["a", "b"]
    assert reach.asked == [
        ("i-1", "list", "--json"),
        ("i-1", "run", "a", "--input", "X=text:1", "--json"),
        ("i-1", "run", "b", "--input", "X=text:1", "--json"),
    ]


def test_nobody_to_tell_is_no_failure() -> None:
    assert run(order(), [], Scripted()) == ()


# --- what people see ---


def drawn(what: Any) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_has_a_row_for_each_node_and_a_column_for_each_script() -> None:
    shown = Board([ONE, TWO])
    shown.note(ONE, Step("hostname", 0.1))
    shown.note(TWO, Step("apache"))
    head, first, second = drawn(shown).splitlines()
    assert head.split() == ["node", "hostname", "apache", "state"]
    assert first.split() == ["i-1", "=", "0.1", "s", "…"]
    assert second.split() == ["i-2", "…", "…"]
    shown.note(TWO, Outcome(TWO, "operational", "", (ScriptRun("apache", ("started",), 2.0),)))
    assert drawn(shown).splitlines()[2].split() == ["i-2", "✓", "2.0", "s", "operational"]


def test_without_a_terminal_every_script_is_a_line() -> None:
    console = Console(width=160, file=io.StringIO())
    with board([ONE], console) as watch:
        run(order(), [ONE], Scripted(i1=answer(SAME)), watch)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.splitlines() == ["  i-1: hostname = 0.1 s", "  i-1: operational"]


def test_the_end_tells_what_changed_and_what_did_not() -> None:
    changed = Outcome(ONE, "operational", "", (ScriptRun("hostname", ("named it [web]",)),))
    same = Outcome(TWO, "operational", "", (ScriptRun("hostname"),))
    failed = Outcome(THREE, error="timed out")
    told = drawn(Bootstrapped("run list boot", (changed, same, failed)))
    assert "2 of 3 nodes well" in told
    assert "hostname: named it [web]" in told
    assert "nothing to change" in told
    assert "failed" in told
    assert "timed out" in told
    assert "would: named it" in drawn(Bootstrapped("run list boot", (changed,), dry_run=True))


def test_the_document_has_every_nodes_scripts() -> None:
    one = Outcome(ONE, "operational", "", (ScriptRun("hostname", ("named it web",), 0.1),), seconds=1.23456)
    assert Bootstrapped("boot", (one,)).document() == {
        "nodes": [
            {
                "instance_id": "i-1",
                "address": "10.0.0.1",
                "state": "operational",
                "reason": "",
                "scripts": [WELL],
                "error": "",
                "seconds": 1.235,
            }
        ],
        "dry_run": False,
    }
