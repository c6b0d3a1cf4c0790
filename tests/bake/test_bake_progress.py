from __future__ import annotations

import io

import pytest
from rich.console import Console

from bake.progress import Progress


def test_a_question_is_asked_as_it_is_written_brackets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(" y \n"))
    assert Progress(Console(file=seen)).ask("Keep it? [y/N]") == "y"
    assert "Keep it? [y/N]" in seen.getvalue()


def test_an_answer_that_never_comes_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert Progress(Console(file=io.StringIO())).ask("Keep it?") == ""
