from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import SecretError
from bootstrap.runner import HIDDEN, Hiding, Runner
from bootstrap.shelf import Shelf
from bootstrap.state import Result


@pytest.fixture
def run(scripts: Any, clock: Any, said: list[str]) -> Any:
    def ran(name: str, given: dict[str, str] | None = None, secret: Any = pytest.fail, **more: Any) -> Result:
        shelf = Shelf(scripts.folder)
        environment = {"AWS_REGION": "eu-central-1", "EDITOR": "ed"}
        runner = Runner(
            shelf, scripts, clock, said.append, given or {}, environment, secret, lambda: None, 60, **more
        )
        return runner.run(shelf.take(name))

    return ran


def test_a_script_gets_its_own_inputs_and_the_runners_word_and_nothing_else(run: Any, scripts: Any) -> None:
    scripts.add("first", "Inputs: {A: {Default: 'text:a'}, B: {Default: blank}, C: {}}")
    run("first", {"OTHER": "text:x"}, passed={"RS_PACKAGES": "jq"})
    told = scripts.ran[0].environment
    assert {name: told.get(name) for name in ("A", "B", "C", "OTHER", "EDITOR")} == {
        "A": "a", "B": "", "C": None, "OTHER": None, "EDITOR": None,
    }  # fmt: skip
    assert (told["RS_ATTACH_DIR"], told["RS_PACKAGES"]) == (str(scripts.folder / "attachments"), "jq")
    assert json.loads(told["BOOTSTRAP_GIVEN"]) == {"OTHER": "text:x"}
    assert told["PATH"].startswith("/usr/local/sbin:")


def test_each_script_has_an_empty_folder_that_is_gone_afterwards(run: Any, scripts: Any) -> None:
    found: list[list[Path]] = []

    def look(order: Any, _: Any) -> int:
        found.append(list(order.folder.iterdir()))
        return 0

    scripts.does["first"] = look
    run("first")
    assert found == [[]]
    assert not scripts.ran[0].folder.exists()


def test_a_secret_is_never_said_nor_kept(run: Any, scripts: Any, said: list[str]) -> None:
    scripts.add("first", "Inputs: {PASSWORD: {}}")

    def leak(order: Any, hear: Any) -> int:
        hear(f"password is {order.environment['PASSWORD']}!")
        Path(order.environment["BOOTSTRAP_CHANGES"]).write_text("set hunter2 as password\n")
        return 1

    scripts.does["first"] = leak
    result = run("first", {"PASSWORD": "cred:web"}, lambda *_: "hunter2")
    assert "hunter2" not in repr((result, said))
    assert result.error == f"password is {HIDDEN}!"
    assert result.changed == (f"set {HIDDEN} as password",)


def test_a_secret_of_several_lines_is_hidden_line_by_line() -> None:
    hide = Hiding(["-----BEGIN-----\nabcdef\n"])
    assert hide("x abcdef y") == f"x {HIDDEN} y"


def test_a_short_text_is_not_taken_for_a_secret() -> None:
    assert Hiding(["a", ""])("banana") == "banana"


def test_a_secret_that_cannot_be_read_fails_its_script_with_the_next_step(run: Any, scripts: Any) -> None:
    scripts.add("first", "Inputs: {PASSWORD: {}}")

    def refuse(kind: str, name: str) -> str:
        raise SecretError(f"{kind}:{name} cannot be read", "put it there")

    assert run("first", {"PASSWORD": "cred:web"}, refuse).error == "cred:web cannot be read (put it there)"
    assert scripts.ran == []


def test_a_script_without_its_attachments_does_not_run(scripts: Any) -> None:
    scripts.add("first", "Attachments: [app.conf]")
    with pytest.raises(Exception, match=r"first: its attachments are not there: app\.conf"):
        Shelf(scripts.folder).take("first")
    (scripts.folder / "attachments").mkdir()
    (scripts.folder / "attachments" / "app.conf").touch()
    assert Shelf(scripts.folder).take("first").header.attachments == ("app.conf",)


def test_a_script_that_may_not_be_executed_is_named(scripts: Any) -> None:
    (scripts.folder / "first").chmod(0o644)
    with pytest.raises(Exception, match="may not be executed"):
        Shelf(scripts.folder).take("first")
