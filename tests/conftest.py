"""Unit tests are sealed: they spawn nothing and dial nothing."""

from __future__ import annotations

import socket
import subprocess
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
