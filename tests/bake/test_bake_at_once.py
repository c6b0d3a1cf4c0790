"""Two bakes of the same content at the same time, each a process of its own, as from two shells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cloud_fixture import ROOT, Desk, environment, invoke, leftovers

from aws.patience import Patience, wait_for
from localcloud import control

pytestmark = pytest.mark.machines

SUITE = """
[verify]
tests = ["test_true.py"]
"""
ENOUGH = Patience(0.1, 120)


@dataclass(frozen=True)
class Baking:
    """A bake that runs, and where its two outputs go."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def document(self) -> dict[str, Any]:
        assert self.process.wait(180) == 0, self.said
        return dict(json.loads((self.folder / "document").read_text()))


@contextmanager
def baking(spec: Path, env: dict[str, str], folder: Path) -> Iterator[Baking]:
    folder.mkdir()
    argv = [str(Path(sys.executable).parent / "invoke"), "bake", f"--spec={spec}", "--json"]
    with (
        (folder / "document").open("w") as out,
        (folder / "said").open("w") as err,
        subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=err) as process,
    ):
        try:
            yield Baking(process, folder)
        finally:
            process.kill()


@pytest.fixture
def small(write: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """A spec that is soon baked and proven."""

    def small(name: str) -> Path:
        (tmp_path / "test_true.py").write_text("def test_it_is_there(host):\n    assert host.exists('sh')\n")
        return write(SUITE, name)

    return small


@pytest.fixture
def shell(desk: Desk, tmp_path: Path) -> dict[str, str]:
    with environment(desk.site):
        return {**os.environ, "AMIBAKE_STATE": str(tmp_path / "state")}


def test_two_bakes_at_once_are_one_image(
    desk: Desk, small: Callable[[str], Path], shell: dict[str, str], tmp_path: Path
) -> None:
    spec, before = small("twins"), set(leftovers(desk.cloud))
    with baking(spec, shell, tmp_path / "one") as one, baking(spec, shell, tmp_path / "two") as two:
        first, second = one.document, two.document
    assert first["image_id"] == second["image_id"]
    assert (first["state"], second["state"]) == ("verified", "verified")
    assert images(desk, first["fingerprint"]) == [first["image_id"]]
    assert set(leftovers(desk.cloud)) == before


def test_when_the_first_of_two_bakes_is_killed_the_second_takes_over(
    desk: Desk, small: Callable[[str], Path], shell: dict[str, str], tmp_path: Path
) -> None:
    spec, before = small("heir"), set(leftovers(desk.cloud))
    with baking(spec, shell, tmp_path / "one") as one:
        wait_for("its builder", lambda: "✓ launch a builder" in one.said or None, ENOUGH)
        one.process.send_signal(signal.SIGSTOP)
        (first,) = builders(desk, before)
        with baking(spec, shell, tmp_path / "two") as two:
            since = time.time()
            wait_for("the second to wait", lambda: looks(desk, since) > 2 or None, ENOUGH)
            assert builders(desk, before) == [first]
            one.process.kill()
            document = two.document
    assert f"whose {first} is making this image" in two.said
    assert first in builders(desk, before)
    swept = invoke("sweep", "--json", env=shell)
    assert {one["kind"] for one in json.loads(swept.stdout)["removed"]} >= {"instance", "key-pair"}
    assert images(desk, document["fingerprint"]) == [document["image_id"]]
    assert set(leftovers(desk.cloud)) == before


def images(desk: Desk, fingerprint: str) -> list[str]:
    wanted: Any = [{"Name": "tag:amibake:fingerprint", "Values": [fingerprint]}]
    return [one["ImageId"] for one in desk.cloud.ec2.describe_images(Filters=wanted)["Images"]]


def builders(desk: Desk, before: set[str]) -> list[str]:
    return [found for found in leftovers(desk.cloud) if found.startswith("i-") and found not in before]


def looks(desk: Desk, since: float) -> int:
    """How often instances were asked for: only by the second bake, while the first is halted."""
    asked = control.calls(desk.site, since)
    return sum(call["action"] == "DescribeInstances" for call in asked)
