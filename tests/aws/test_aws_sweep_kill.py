"""A bake that is killed, whenever it is, and a sweep: nothing temporary is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cloud_fixture import Desk, environment, leftovers

pytestmark = pytest.mark.machines

ROOT = Path(__file__).parent.parent.parent
INVOKE = str(Path(sys.executable).parent / "invoke")

SPEC = """
name = "killed"
base = "debian-13"
[verify]
tests = ["test_long.py"]
bucket = true
[[step]]
command = "sleep 2; touch /etc/marked"
unless = "test -e /etc/marked"
"""
TEST = "import time\n\ndef test_that_takes_its_time(host):\n    time.sleep(20)\n"


@pytest.mark.parametrize("word", ["launch a builder", "reach", "boot 2 fresh nodes"])
def test_a_killed_bake_leaves_nothing_that_a_sweep_does_not_take(
    desk: Desk, tmp_path: Path, word: str
) -> None:
    spec = tmp_path / "killed.toml"
    spec.write_text(SPEC)
    (tmp_path / "test_long.py").write_text(TEST)
    before = set(leftovers(desk.cloud))
    with environment(desk.site):
        env = {**os.environ, "AMIBAKE_STATE": str(tmp_path / "state")}
        said = tmp_path / "said"
        with (
            said.open("w") as out,
            subprocess.Popen(
                [INVOKE, "bake", f"--spec={spec}", "--force"], cwd=ROOT, env=env, stdout=out, stderr=out
            ) as bake,
        ):
            until_said(said, bake, f"✓ {word}")
            bake.kill()
        assert set(leftovers(desk.cloud)) > before
        done = subprocess.run(
            [INVOKE, "sweep", "--older-than=0s", "--json"],
            cwd=ROOT, env=env, capture_output=True, text=True, check=True,
        )  # fmt: skip
    removed = {one["kind"] for one in json.loads(done.stdout)["removed"]}
    assert removed >= {"instance", "key-pair", "security-group"}
    assert set(leftovers(desk.cloud)) == before


def until_said(said: Path, bake: subprocess.Popen[bytes], words: str) -> None:
    deadline = time.monotonic() + 120
    while words not in said.read_text():
        assert bake.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)
