"""The front desk: what is said where, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from invoke.collection import Collection
from invoke.config import Config
from invoke.context import Context
from invoke.program import Program
from invoke.tasks import task
from moto_fixture import refusal

import tasks
from aws.errors import OutOfPatience
from bake.errors import BakeError, SpecError
from fleet.errors import NotServing
from localcloud import control
from localcloud.errors import DaemonTrouble

ROOT = Path(tasks.__file__).parent


@dataclass(frozen=True)
class Done:
    degraded: bool = False

    def document(self) -> dict[str, str]:
        return {"done": "yes"}

    def __rich__(self) -> str:
        return "it is done"


def call(body: Any, **options: Any) -> None:
    wrapped = tasks.at_the_desk(task(body), cloud="cloud" in options)
    wrapped.body(Context(Config()), **options)


def returning(outcome: object) -> Any:
    def body(_: Context) -> object:
        return outcome

    return body


def raising(why: BaseException) -> Any:
    def body(_: Context) -> NoReturn:
        raise why

    return body


def ended(capsys: pytest.CaptureFixture[str], body: Any, **options: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        call(body, **options)
    heard = capsys.readouterr()
    return caught.value.code, heard.out, heard.err  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def heard_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error as it is now, as pytest has put its own in place."""
    from rich.console import Console

    monkeypatch.setattr(tasks, "_stderr", Console(stderr=True, width=200))


@pytest.mark.parametrize("error", [BakeError, OutOfPatience, NotServing, DaemonTrouble])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_rooms_error_is_a_sentence_and_a_next_step_on_standard_error(
    capsys: pytest.CaptureFixture[str], error: Any, as_json: bool
) -> None:
    why = raising(error("the [/oven] is cold", "light it"))
    assert ended(capsys, why, json=as_json) == (1, "", "error the [/oven] is cold\nnext  light it\n")


def test_an_error_of_awss_own_is_told_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, raising(refusal("UnauthorizedOperation")))
    assert (code, out) == (1, "")
    assert err.startswith("error AWS refused: ")
    assert "UnauthorizedOperation" in err
    assert "next" in err


def test_an_interruption_is_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, raising(KeyboardInterrupt()))
    assert (code, out) == (1, "")
    assert "interrupted" in err


def test_a_bug_is_not_dressed_up_as_an_error_of_the_users() -> None:
    with pytest.raises(ZeroDivisionError):
        call(raising(ZeroDivisionError()))


def test_json_is_one_document_and_nothing_else_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    call(returning(Done()), json=True)
    assert json.loads(capsys.readouterr().out) == {"done": "yes"}


def test_people_read_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    call(returning(Done()))
    assert capsys.readouterr().out == "it is done\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_usable_but_degraded_is_shown_and_ends_with_two(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    code, out, _ = ended(capsys, returning(Done(degraded=True)), json=as_json)
    assert code == 2
    assert out


def test_a_cloud_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, returning(Done()), cloud="azure")
    assert (code, out) == (1, "")
    assert err == "error there is no cloud 'azure'\nnext  choose one of: local, aws\n"


# --- the commands themselves ---


def test_a_flag_that_may_be_repeated_is_heard_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: Context, host: Sequence[str] = ()) -> Done:
        assert host == ["a", "b"]
        return Done()

    program = Program(namespace=Collection(tasks.at_the_desk(task(body, iterable=["host"]), cloud=False)))
    program.run(["invoke", "body", "--host", "a", "--host", "b"], exit=False)
    assert capsys.readouterr().out == "it is done\n"


def test_help_is_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: Context, key: str) -> Done:
        raise AssertionError(key)

    program = Program(namespace=Collection(tasks.at_the_desk(task(body, positional=["key"]), cloud=True)))
    with pytest.raises(SystemExit):
        program.run(["invoke", "body", "--help"], exit=False)
    assert "invoke --help TASK" in capsys.readouterr().err


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("PROFILE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION", "ENDPOINT_URL")
    for name in names:
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(ROOT)


def invoke(*argv: str) -> int:
    program = Program(namespace=tasks.ns, version="0")
    try:
        program.run(["invoke", *argv], exit=True)
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


EVERY = {"images", "fleet", "dns", "bootstrap", "lb", "resizer", "local", "bench"}


@pytest.mark.parametrize(
    ("words", "brought"),
    [
        ((), EVERY),
        (("--list",), EVERY),
        (("--help", "fleet.up"), {"fleet"}),
        (("bake", "--force"), set()),
        (("bootstrap", "--host", "10.0.0.1", "lb.health"), {"bootstrap", "lb"}),
        (("nonsense",), EVERY),
        (("--complete", "--", "invoke", "bake"), EVERY),
    ],
)
def test_a_command_line_brings_the_collections_it_names(words: tuple[str, ...], brought: set[str]) -> None:
    found = tasks.collection(words)
    assert set(found.collections) == brought
    assert {"bake", "verify", "sweep", "test"} <= set(found.tasks)


@pytest.mark.parametrize("argv", [("images",), ("bake",), ("verify",), ("demo",)])
def test_without_credentials_every_command_says_so_once(
    nobody: None, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert invoke(*argv, "--cloud", "aws") == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.count("error ") == 1
    assert "no AWS credentials were found" in heard.err


@pytest.fixture
def no_cloud(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local cloud does not run: asked whether it does, it says no."""
    monkeypatch.setattr(control, "status", lambda _: {"running": False})


def test_a_dry_run_prints_the_plan_and_touches_no_cloud(
    no_cloud: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("bake", "--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [layer["spec"] for layer in shown["layers"]] == ["base.toml", "libraries.toml", "resizer.toml"]
    assert all(layer["steps"] for layer in shown["layers"])


def test_a_plan_is_told_to_people_as_it_is(
    no_cloud: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = tmp_path / "x.toml"
    step = '[[step]]\ncommand = "echo [/etc/x] [bold]"\nunless = "true"\n'
    spec.write_text(f'name = "x"\nbase = "debian-13"\n{step}')
    assert invoke("bake", "--dry-run", "--spec", str(spec)) == 0
    assert "would ensure command echo [/etc/x] [bold]" in capsys.readouterr().out


def test_a_spec_that_is_not_there_is_named(no_cloud: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("bake", "--dry-run", "--spec", "bake/none.toml") == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    assert "bake/none.toml: there is no such spec file" in heard.err


@pytest.mark.parametrize("name", sorted(tasks.ns.task_names))
def test_no_flag_takes_its_value_apart(name: str) -> None:
    kinds = {one.name: one.kind for one in tasks.ns[name].get_arguments()}
    assert [flag for flag, kind in kinds.items() if kind is tuple] == []


@pytest.mark.parametrize("name", sorted(tasks.ns.task_names))
def test_every_task_says_what_it_does(name: str) -> None:
    assert tasks.ns[name].__doc__


def test_a_spec_error_is_one_of_the_errors_that_the_desk_knows() -> None:
    assert issubclass(SpecError, tasks.ROOT_ERRORS)
    assert sys.modules["tasks"] is tasks
