"""The entry for mod_wsgi builds the application from the file that the environment names."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from resizer_node import Node
from resizer_picture import encoded, opened

from resizer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def imported(monkeypatch: pytest.MonkeyPatch, toml: Path) -> Any:
    monkeypatch.setenv("RESIZER_CONFIG", str(toml))
    monkeypatch.delitem(sys.modules, "resizer.wsgi", raising=False)
    return importlib.import_module("resizer.wsgi")


def test_the_application_serves_the_configured_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: Node
) -> None:
    node.upload("a.jpg", encoded(Image.new("RGB", (90, 60))))
    toml = tmp_path / "resizer.toml"
    toml.write_text(f'folder = "{node.store.root}"\ncache_dir = "{tmp_path}/other"\npresets = "w30=w30"\n')
    node.application = imported(monkeypatch, toml).application
    assert opened(node.get("/w30/a.jpg").body).size == (30, 20)
    assert len(list((tmp_path / "other").glob("??/??/*-,w30.jpeg"))) == 1


def test_a_configuration_that_is_not_there_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="absent"):
        imported(monkeypatch, tmp_path / "absent.toml")
