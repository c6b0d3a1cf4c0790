from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from bake.cleanup import clean
from bake.converge import converge, probe_script
from bake.errors import CleanupIncomplete, MachineError, NotConverged, StepFailed
from bake.machine import Machine, Result
from bake.steps.step import must


@dataclass(frozen=True)
class Flag:
    """Sets `name`, and clears `clears`; a broken one sets nothing."""

    name: str
    clears: str = ""
    broken: bool = False
    fails: bool = False

    def describe(self) -> str:
        return f"flag {self.name}"

    def probe(self) -> str:
        return f"test -e /{self.name}"

    def apply(self, machine: Machine) -> None:
        must(self, machine, f"apply {'fail' if self.fails else 'ok'}")
        if isinstance(machine, Scripted):
            machine.have -= {self.clears}
            machine.have |= set() if self.broken else {self.name}


@dataclass
class Scripted:
    """Answers probe scripts from the set of flags it has."""

    have: set[str] = field(default_factory=set)
    scripts: list[str] = field(default_factory=list)
    silent: bool = False

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        self.scripts.append(script)
        if script.startswith("apply"):
            return Result(7, "", "no\nluck") if "fail" in script else Result(0)
        names = re.findall(r"test -e /(\w+)", script)
        held = [name in self.have for name in [*names, ""]].index(False)
        lines = [f"probe {number} {int(number == held)}" for number in range(min(held + 1, len(names)))]
        return Result(0, "" if self.silent else "\n".join(lines))

    def put(self, content: bytes, to: str) -> None:
        raise AssertionError


def test_where_nothing_differs_one_round_trip_says_so() -> None:
    machine = Scripted({"a", "b", "c"})
    report = converge(machine, [Flag("a"), Flag("b"), Flag("c")])
    assert (report.changed, len(machine.scripts)) == ((), 1)


def test_only_what_differs_is_applied_and_all_is_reported_in_order() -> None:
    machine, heard = Scripted({"b"}), []
    report = converge(machine, [Flag("a"), Flag("b"), Flag("c")], on_step=lambda o: heard.append(o.step))
    assert report.changed == ("flag a", "flag c")
    assert heard == ["flag a", "flag b", "flag c"]
    assert machine.have == {"a", "b", "c"}


def test_what_is_to_be_done_costs_one_look_each_and_one_at_the_end() -> None:
    machine = Scripted({"b"})
    converge(machine, [Flag("a"), Flag("b"), Flag("c"), Flag("d")])
    looks = [re.findall(r"test -e /(\w+)", script) for script in machine.scripts if "test -e" in script]
    assert looks == [["a", "b", "c", "d"], ["a", "b", "c", "d"], ["c", "d"], ["d"], ["a", "b", "c", "d"]]


def test_a_second_run_changes_nothing() -> None:
    machine = Scripted()
    converge(machine, [Flag("a"), Flag("b")])
    assert converge(machine, [Flag("a"), Flag("b")]).changed == ()


def test_what_an_earlier_step_undid_is_applied_though_it_was_so_at_first() -> None:
    machine = Scripted({"b"})
    assert converge(machine, [Flag("a", clears="b"), Flag("b")]).changed == ("flag a", "flag b")


def test_a_step_that_does_not_take_is_found_out() -> None:
    with pytest.raises(NotConverged, match="flag a: it was applied without an error"):
        converge(Scripted(), [Flag("a", broken=True)])


def test_a_step_undone_by_a_later_one_is_found_out() -> None:
    with pytest.raises(NotConverged, match="flag a: it was so, and a later step undid it"):
        converge(Scripted(), [Flag("a"), Flag("b", clears="a")])


def test_a_failing_step_is_named_with_its_last_words_and_ends_the_run() -> None:
    machine = Scripted()
    with pytest.raises(StepFailed, match=r"flag a: exit code 7\n    no\n    luck"):
        converge(machine, [Flag("a", fails=True), Flag("b")])
    assert machine.have == set()


def test_a_machine_that_answers_no_probe_is_an_error_not_a_change() -> None:
    with pytest.raises(MachineError, match="1 probes gave 0 answers"):
        converge(Scripted(silent=True), [Flag("a")])


def test_no_probe_can_break_out_of_its_own_shell() -> None:
    step = Flag("a'; exit 1; '")
    assert probe_script([step]).startswith("sh -c 'test -e /a'\"'\"'; exit 1; '\"'\"'' >/dev/null")


class Cleaned:
    def __init__(self, result: Result) -> None:
        self.result = result

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        return self.result

    def put(self, content: bytes, to: str) -> None:
        raise AssertionError


def test_a_clean_machine_passes_the_clean_up() -> None:
    clean(Cleaned(Result(0, "clean-up ended\n")))


def test_what_is_left_is_named() -> None:
    with pytest.raises(CleanupIncomplete, match=r"left: /etc/hostname, /var/log/x"):
        clean(Cleaned(Result(0, "/etc/hostname\n/var/log/x\nclean-up ended\n")))


@pytest.mark.parametrize("result", [Result(1, "clean-up ended\n"), Result(0, ""), Result(0, "/a\n")])
def test_a_clean_up_that_did_not_end_is_no_clean_up(result: Result) -> None:
    with pytest.raises(CleanupIncomplete, match="did not run to its end"):
        clean(Cleaned(result))
