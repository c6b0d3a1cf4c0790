"""Bakes that cannot succeed, on real machines: one clear error each, and nothing left of the attempt."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cloud_fixture import environment, leftovers
from rich.console import Console

import tasks
from aws.keys import SshKey
from aws.ownership import Run
from aws.patience import Patience, wait_for
from bake import bakery, builder
from bake import image as images
from bake.errors import BakeError, BaseNotFound, NotConverged, SshUnreachable, StepFailed
from bake.kitchen import Kitchen
from bake.making import made
from bake.plan import plan
from bake.progress import Progress
from bake.shelf import Shelf
from bake.spec import load

if TYPE_CHECKING:
    from cloud_fixture import Desk

pytestmark = pytest.mark.machines

Write = Callable[..., Path]


@pytest.fixture
def kitchen(desk: Desk, tmp_path: Path) -> Iterator[Kitchen]:
    """A kitchen that must be clean when the test leaves it."""
    quiet, before = Progress(Console(file=io.StringIO())), leftovers(desk.cloud)
    yield Kitchen(desk.cloud, Run(), Shelf(tmp_path / "shelf"), quiet)
    assert _new(desk, before) == []


def _refused(kitchen: Kitchen, spec: Path, kind: type[BakeError]) -> BakeError:
    with pytest.raises(kind) as caught:
        bakery.bake(kitchen, spec)
    return caught.value


def test_a_package_that_does_not_exist_is_named(kitchen: Kitchen, write: Write) -> None:
    why = _refused(kitchen, write('[[step]]\npackages = ["nosuchpackage-x"]\n'), StepFailed)
    assert "packages nosuchpackage-x" in str(why)
    assert why.hint.endswith("nosuchpackage-x")


def test_a_step_that_does_not_do_what_it_checks_is_named(kitchen: Kitchen, write: Write) -> None:
    step = '[[step]]\ncommand = "echo did nothing"\nunless = "test -e /srv/done"\n'
    why = _refused(kitchen, write(step), NotConverged)
    assert "echo did nothing" in str(why)
    assert why.hint


def test_a_disk_that_is_full_is_told_as_such(kitchen: Kitchen, write: Write) -> None:
    step = '[[step]]\ncommand = "cat /etc/os-release > /dev/full"\nunless = "test -e /srv/done"\n'
    why = _refused(kitchen, write(step), StepFailed)
    assert "cat /etc/os-release > /dev/full" in str(why)
    assert "the builder's disk is full: raise `root_volume_gib`" in why.hint


def test_a_builder_that_reboots_while_converging_is_reached_again_and_goes_on(
    kitchen: Kitchen, write: Write
) -> None:
    path = write(_REBOOTING)
    spec, base = load(path), images.public(kitchen.cloud, "debian-13", "x86_64")
    with (
        builder.builder(kitchen, base, spec, "f" * 64) as site,
        made(kitchen, site, plan(spec), path.name) as (machine, report, installed),
    ):
        assert machine.run("cat /srv/boots /srv/twice").stdout.split() == ["first", "second"]
        assert len(report.changed) == 1
        assert installed["openssh-server"]


_REBOOTING = """
[[step]]
file = "/srv/boots"
content = "first\\n"
mode = "0600"
[[step]]
command = "if test -e /srv/been; then echo second >> /srv/twice; else touch /srv/been; reboot; sleep 60; fi"
unless = "test -e /srv/twice"
"""


def test_a_builder_ends_itself_after_its_limit_with_nobodys_help(desk: Desk) -> None:
    limited = builder.user_data(SshKey.generate(), 5)
    (instance_id,) = desk.ask(user_data=limited)
    ended = desk.wait_for(instance_id, "terminated")
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_builder_that_never_answers_is_told_with_its_console(
    kitchen: Kitchen, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_sshd(*_: object) -> str:
        return '#cloud-config\n{"bootcmd": [["systemctl", "mask", "--now", "ssh.service", "ssh.socket"]]}'

    monkeypatch.setattr(builder, "user_data", no_sshd)
    monkeypatch.setattr(builder, "SSH_BUDGET_SECONDS", 4)
    why = _refused(kitchen, write(), SshUnreachable)
    assert "no login within the budget" in str(why)
    assert "its console ends:" in str(why)
    assert why.hint


def test_a_base_that_does_not_exist_is_named_before_anything_is_made(kitchen: Kitchen, write: Write) -> None:
    why = _refused(kitchen, write(base="debian-99"), BaseNotFound)
    assert "debian-99" in str(why)
    assert why.hint


def test_a_bake_that_is_told_to_end_leaves_nothing(desk: Desk, write: Write, tmp_path: Path) -> None:
    spec = write('[[step]]\ncommand = "sleep 300"\nunless = "test -e /srv/done"\n')
    root, before = Path(tasks.__file__).parent, leftovers(desk.cloud)
    with environment(desk.site):
        state = {"AMIBAKE_STATE": str(tmp_path), "PYTHONPATH": str(root)}
        argv = [sys.executable, "-m", "invoke", "bake", "--spec", str(spec)]
        process = subprocess.Popen(
            argv,
            cwd=root,
            env={**os.environ, **state},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        wait_for("a builder", lambda: _builders(desk, before) or None, Patience(0.1, 30))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert _new(desk, before) == []


def _new(desk: Desk, before: list[str]) -> list[str]:
    """What is temporary and was not there before: another test may have a demonstration running."""
    return [one for one in leftovers(desk.cloud) if one not in before]


def _builders(desk: Desk, before: list[str]) -> list[str]:
    return [found for found in _new(desk, before) if found.startswith("i-") and _runs(desk, found)]


def _runs(desk: Desk, instance_id: str) -> bool:
    return bool(desk.describe(instance_id)["State"]["Name"] == "running")
