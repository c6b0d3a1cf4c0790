"""HAProxy as a process of its own: what it is told, even as it is only beginning, it heeds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cgroups import ControlGroup, unified_mount
from localcloud.lb_process import HAProxy
from localcloud.process import run

pytestmark = pytest.mark.machines

TURNS = 5
CONFIG = """
global
    stats socket {folder}/stats mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend {name}
    bind *:8080
"""


@pytest.fixture
def haproxy() -> Iterator[HAProxy]:
    name = f"amitest-lb-{os.getpid()}"
    group = ControlGroup(unified_mount() / name)
    with tempfile.TemporaryDirectory(prefix="lb-") as folder:  # a socket's path must be short
        run(["ip", "netns", "add", name])
        group.path.mkdir()
        process = HAProxy(Path(folder) / "lb", name, group)
        try:
            yield process
        finally:
            process.stop()
            run(["ip", "netns", "delete", name])


def config(process: HAProxy, name: str) -> str:
    return CONFIG.format(folder=process.folder, name=name)


@pytest.mark.parametrize("_turn", range(TURNS))
def test_a_configuration_that_comes_right_after_the_first_is_taken(haproxy: HAProxy, _turn: int) -> None:
    log = haproxy.start(config(haproxy, "first"), {})
    try:
        haproxy.reload(config(haproxy, "second"), {})
        names = {row.split(",")[0] for row in haproxy.ask("show stat").splitlines()}
        assert "second" in names
        assert "first" not in names
    finally:
        os.close(log)
