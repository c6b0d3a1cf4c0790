"""`local.…` as they are called, where that takes no machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invoke.context import Context

from localcloud import control, tasks
from localcloud.errors import LocalCloudError
from localcloud.site import Site


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local cloud that keeps something, and is not running."""
    home, cache = tmp_path / "home", tmp_path / "cache"
    for folder in (home, cache):
        folder.mkdir()
        (folder / "kept").write_text("something")
    monkeypatch.setattr(tasks, "site_from_environment", lambda: replace(Site(), home=home, cache=cache))
    monkeypatch.setattr(control, "down", lambda _: [])
    return home


def answering(monkeypatch: pytest.MonkeyPatch, answer: str, *, at_a_terminal: bool = True) -> list[str]:
    """Have a person answer; returns what was asked."""
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: at_a_terminal, raising=False)
    monkeypatch.setattr("builtins.input", lambda: asked.append(answer) or answer)
    return asked


@pytest.mark.parametrize(("answer", "at_a_terminal"), [("no", True), ("", True), ("yes", False)])
def test_a_reset_that_nobody_agrees_to_removes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, at_a_terminal: bool
) -> None:
    answering(monkeypatch, answer, at_a_terminal=at_a_terminal)
    with pytest.raises(LocalCloudError, match="nothing was removed") as caught:
        tasks.reset.body(Context())
    assert "--yes" in caught.value.hint
    assert (home / "kept").exists()


def test_a_reset_asks_on_standard_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answering(monkeypatch, "yes") == []
    monkeypatch.setattr(tasks, "_stderr", tasks.Console(stderr=True, width=500))
    tasks.reset.body(Context())
    heard = capsys.readouterr()
    assert heard.out == ""
    assert f"below {home}? Type yes:" in heard.err
    assert not home.exists()


def test_a_reset_with_yes_asks_nobody_and_keeps_public_images_unless_they_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, "no")
    tasks.reset.body(Context(), yes=True)
    assert (asked, home.exists(), (home.parent / "cache").exists()) == ([], False, True)
    tasks.reset.body(Context(), yes=True, public=True)
    assert not (home.parent / "cache").exists()
