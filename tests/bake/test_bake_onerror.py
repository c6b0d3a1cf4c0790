from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aws.keys import SshKey
from aws.ownership import Run
from aws.session import Cloud
from bake.builder import Builder, _attended
from bake.care import Care, pause_at, pauses
from bake.errors import BakeError, MachineLost, NoSuchStep, NoTerminal, Outrun
from bake.kitchen import Kitchen
from bake.machine import Machine, Result
from bake.making import made
from bake.progress import Progress
from bake.shelf import Shelf
from bake.ssh import Login
from bake.steps.file import File

LAUNCHED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@dataclass
class Ec2:
    tagged: list[Any] = field(default_factory=list)
    untagged: list[Any] = field(default_factory=list)

    def describe_instances(self, **_: Any) -> Any:
        return {"Reservations": [{"Instances": [{"InstanceId": "i-1", "LaunchTime": LAUNCHED}]}]}

    def create_tags(self, **asked: Any) -> None:
        self.tagged.append(asked)

    def delete_tags(self, **asked: Any) -> None:
        self.untagged.append(asked)


class Answering(Progress):
    def __init__(self, answer: str = "") -> None:
        self.said = io.StringIO()
        super().__init__(Console(file=self.said, width=500))
        self.answer = answer
        self.asked: list[str] = []

    def ask(self, question: str) -> str:
        self.asked.append(question)
        return self.answer


def builder(tmp_path: Path, care: Care, progress: Progress | None = None) -> tuple[Builder, Ec2]:
    ec2 = Ec2()
    client: Any = ec2
    kitchen = Kitchen(
        Cloud(client, "r", "1"), Run(), Shelf(tmp_path / "images"), progress or Answering(), care=care
    )
    key = SshKey.generate()
    login = Login("192.0.2.1", "admin", pkey=key.private, host_key=SshKey.generate().public)
    return Builder(kitchen, "i-1", "sg-1", login, key), ec2


def ended(site: Builder, why: Exception | None) -> list[str]:
    """What is removed at the end of a builder's block."""
    removed: list[str] = []
    with ExitStack() as stack:
        stack.callback(removed.append, "machine")
        with suppress(BakeError), _attended(site, stack):
            if why:
                raise why
    return removed


def test_after_an_error_the_builder_goes_unless_it_is_to_be_kept(tmp_path: Path) -> None:
    assert ended(builder(tmp_path, Care())[0], BakeError("x")) == ["machine"]
    assert ended(builder(tmp_path, Care("keep"))[0], BakeError("x")) == []
    assert ended(builder(tmp_path, Care("keep"))[0], None) == ["machine"]


@pytest.mark.parametrize(("answer", "goes"), [("y", []), ("", ["machine"]), ("n", ["machine"])])
def test_a_person_who_is_asked_decides(tmp_path: Path, answer: str, goes: list[str]) -> None:
    progress = Answering(answer)
    assert ended(builder(tmp_path, Care("ask"), progress)[0], BakeError("broken")) == goes
    assert "broken" in progress.said.getvalue()


def test_who_is_outrun_keeps_nothing_whatever_was_asked(tmp_path: Path) -> None:
    assert ended(builder(tmp_path, Care("keep", keep_builder=True))[0], Outrun("x")) == ["machine"]


def test_an_interrupted_bake_keeps_nothing(tmp_path: Path) -> None:
    removed: list[str] = []
    site, _ = builder(tmp_path, Care("keep"))
    with ExitStack() as stack:
        stack.callback(removed.append, "machine")
        with suppress(KeyboardInterrupt), _attended(site, stack):
            raise KeyboardInterrupt
    assert removed == ["machine"]


def test_what_is_kept_claims_nothing_more_and_belongs_to_no_run(tmp_path: Path) -> None:
    site, ec2 = builder(tmp_path, Care("keep"))
    ended(site, BakeError("x"))
    (tags,) = ec2.tagged
    assert tags["Resources"] == ["i-1", "sg-1"]
    assert {"Key": "amibake:run", "Value": "kept-i-1"} in tags["Tags"]
    assert ec2.untagged == [{"Resources": ["i-1"], "Tags": [{"Key": "amibake:fingerprint"}]}]


def test_it_is_kept_until_it_ends_itself_so_long_after_its_boot(tmp_path: Path) -> None:
    progress = Answering()
    site, _ = builder(tmp_path, Care("keep"), progress)
    ended(site, BakeError("x"))
    assert "i-1 is kept until 14:00 UTC" in progress.said.getvalue()


def test_the_line_that_logs_in_is_told_and_its_key_is_its_owners_alone(tmp_path: Path) -> None:
    progress = Answering()
    site, _ = builder(tmp_path, Care("keep"), progress)
    ended(site, BakeError("x"))
    folder = tmp_path / "builders" / "i-1"
    assert f"ssh -F /dev/null -i {folder / 'key'}" in progress.said.getvalue()
    assert [oct(path.stat().st_mode)[-3:] for path in (folder, folder / "key")] == ["700", "600"]
    assert (folder / "known_hosts").read_text().startswith("192.0.2.1 ssh-ed25519 ")


def test_the_key_of_a_builder_that_was_only_paused_is_forgotten(tmp_path: Path) -> None:
    site, _ = builder(tmp_path, Care())
    site.access.write(site.login, site.key)
    ended(site, None)
    assert not site.access.folder.exists()


@pytest.mark.parametrize("asked", [("ask", ""), ("cleanup", "apache")])
def test_questions_are_refused_where_nobody_can_answer(asked: tuple[str, str]) -> None:
    with pytest.raises(NoTerminal):
        Care.wanted(*asked, keep_builder=False, terminal=False)
    Care.wanted(*asked, keep_builder=False, terminal=True)


def test_an_unknown_way_to_end_is_refused_with_those_there_are() -> None:
    with pytest.raises(BakeError) as caught:
        Care.wanted("retry", "", keep_builder=False, terminal=True)
    assert caught.value.hint == "choose one of: cleanup, keep, ask"


STEPS = (File("/etc/a", b""), File("/etc/b", b""), File("/srv/b", b""))


@pytest.mark.parametrize(
    ("wanted", "at"), [("1", 0), ("3", 2), ("/B", 1), ("srv", 2), ("4", None), ("", None)]
)
def test_a_step_is_found_by_number_or_by_words(wanted: str, at: int | None) -> None:
    assert pause_at(STEPS, wanted) == at


def test_a_number_counts_in_the_top_layer_and_words_in_all() -> None:
    assert pauses([STEPS, STEPS], "2") == (None, 1)
    assert pauses([STEPS, STEPS[:1]], "srv") == (2, None)
    with pytest.raises(NoSuchStep, match="1 to 3"):
        pauses([STEPS, STEPS], "0")


@dataclass
class Losing:
    """A machine that is lost while something is applied, as often as it was told."""

    losses: int
    have: set[str] = field(default_factory=set)
    logins: int = 0

    def run(self, script: str, *, timeout_seconds: float | None = None) -> Result:
        if "probe 0" in script:
            names = [name for name in ("/etc/a", "/etc/b", "/srv/b") if name in script]
            lines = [f"probe {at} {int(name not in self.have)}" for at, name in enumerate(names)]
            return Result(0, "\n".join(lines))
        if "dpkg-query" in script:
            return Result(0, "ii  bash 5.2\n")
        self.have.add(next(name for name in ("/etc/a", "/etc/b", "/srv/b") if name in script))
        if self.losses and "/etc/b" in script:
            self.losses -= 1
            self.have.discard("/etc/b")
            raise MachineLost("gone")
        return Result(0)

    def put(self, content: bytes, to: str) -> None:
        pass

    @contextmanager
    def reached(self) -> Iterator[Machine]:
        self.logins += 1
        yield self


def test_a_machine_that_reboots_is_reached_again_and_goes_on_from_where_it_stands(tmp_path: Path) -> None:
    site: Any = Losing(1)
    kitchen = builder(tmp_path, Care())[0].kitchen
    with made(kitchen, site, STEPS, "web") as (_, report, installed):
        assert report.changed == (STEPS[1].describe(), STEPS[2].describe())
        assert installed == {"bash": "5.2"}
    assert site.logins == 2


def test_a_machine_lost_twice_is_lost(tmp_path: Path) -> None:
    site: Any = Losing(2)
    kitchen = builder(tmp_path, Care())[0].kitchen
    with pytest.raises(MachineLost), made(kitchen, site, STEPS, "web"):
        pytest.fail("it was lost twice")
    assert site.logins == 2


@pytest.mark.parametrize(("pause", "before"), [(0, "/etc/a"), (2, "/srv/b")])
def test_a_pause_shows_the_step_and_waits(tmp_path: Path, pause: int, before: str) -> None:
    site, _ = builder(tmp_path, Care())
    progress = Answering()
    machine: Any = Losing(0)

    @dataclass(frozen=True)
    class Near(Builder):
        def reached(self) -> Any:
            return machine.reached()

    near = Near(site.kitchen, site.instance_id, site.group_id, site.login, site.key)
    kitchen = Kitchen(site.kitchen.cloud, Run(), site.kitchen.shelf, progress)
    with made(kitchen, near, STEPS, "web", pause):
        pass
    assert progress.asked == ["Press Enter to go on"]
    assert f"paused before: file {before}" in progress.said.getvalue()
