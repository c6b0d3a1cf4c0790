from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import SettingsError
from bootstrap.header import InputSpec
from bootstrap.settings import Render, Settings, load, parse

LEAST: dict[str, Any] = {"services": [], "health_url": "http://127.0.0.1/health"}


def test_the_least_settings_have_defaults() -> None:
    assert parse(LEAST) == Settings((), "http://127.0.0.1/health", 30, (), ())


def test_all_settings_become_frozen_values(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.toml"
    path.write_text(
        """
        services = ["apache2.service"]
        health_url = "http://127.0.0.1:8080/health?deep=1"
        health_budget_seconds = 5
        [inputs.A]
        required = true
        default = "env:X"
        description = "the a"
        [[render]]
        template = "/t"
        target = "/x"
        mode = "0600"
        owner = "www-data"
        group = "adm"
        """
    )
    assert load(path) == Settings(
        ("apache2.service",),
        "http://127.0.0.1:8080/health?deep=1",
        5,
        (InputSpec("A", "the a", required=True, default="env:X"),),
        (Render(Path("/t"), Path("/x"), 0o600, "www-data", "adm"),),
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": 1}, "the top level: unknown key colour; known are services"),
        ({"services": "apache2"}, "services: is a str, give it a list"),
        ({"services": ["apache2"]}, "services: 'apache2' is no unit name"),
        ({"services": ["--now.service x"]}, "is no unit name"),
        ({"health_url": "https://x/health"}, "health_url: .* is no address like"),
        ({"health_budget_seconds": True}, "health_budget_seconds: is a bool, give it a int"),
        ({"health_budget_seconds": 541}, "541 is not between 1 and 540"),
        ({"inputs": {"lower": {}}}, "inputs.lower: is no input name"),
        ({"inputs": {"A": {"default": "x"}}}, "inputs.A.default: has no known type"),
        ({"inputs": {"A": {"needed": True}}}, "inputs.A: unknown key needed"),
        ({"inputs": {"A": "text:x"}}, "inputs.A: is no table"),
        ({"render": [{"template": "/t"}]}, r"render\[0\].target: is missing, give it a str"),
        ({"render": [{"template": "t", "target": "/x"}]}, r"render\[0\].template: 't' is no absolute path"),
        ({"render": [{"template": "/t", "target": "/x", "mode": "644"}]}, "mode: '644' is no file mode"),
    ],
)
def test_what_is_not_right_is_named_by_key(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(LEAST | change)


def test_a_missing_health_url_is_named() -> None:
    with pytest.raises(SettingsError, match="health_url: is missing, give it a str"):
        parse({"services": []})


@pytest.mark.parametrize("text", [None, "services = ["])
def test_an_unreadable_file_is_named_with_a_next_step(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "bootstrap.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=r"bootstrap\.toml") as caught:
        load(path)
    assert "README" in caught.value.hint
