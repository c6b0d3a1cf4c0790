"""Unit tests are sealed: they spawn nothing and dial nothing."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest

pytest_plugins = ["cloud_fixture", "moto_fixture"]


def _refuse(what: str) -> Any:
    def refuse(*args: object, **_: object) -> NoReturn:
        pytest.fail(f"a unit test {what}: {args[:2]}; mark it `machines` if it needs the real thing")

    return refuse


@pytest.fixture(autouse=True)
def sealed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail any unmarked test that starts a process or opens a connection."""
    if "machines" not in request.keywords:
        monkeypatch.setattr(subprocess, "Popen", _refuse("started a process"))
        monkeypatch.setattr(socket.socket, "connect", _refuse("dialled"))


@pytest.fixture(autouse=True)
def scratch_place(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path | None:
    """A place for scratch folders of the test's own: a sweep that is tried must not see other runs'."""
    if "machines" in request.keywords:
        return None
    place = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place
