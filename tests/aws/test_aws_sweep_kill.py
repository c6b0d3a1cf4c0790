"""A bake that is killed, whenever it is, and a sweep: nothing temporary is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloud_fixture import ROOT, Desk, environment, invoke, leftovers

from aws.errors import OutOfPatience
from aws.patience import Patience, wait_for

pytestmark = pytest.mark.machines

SPEC = """
name = "killed"
base = "debian-13"
[verify]
tests = ["test_true.py"]
bucket = true
[[step]]
file = "/etc/marked"
content = "x"
"""
TEST = "def test_it_is_there(host):\n    assert host.file('/etc/marked').exists\n"
MOMENTS = 5
SEED = "AMIBAKE_TEST_SEED"
"""To kill at the moments of an earlier run, as far as two bakes are alike."""


@dataclass(frozen=True)
class Bench:
    """A bake that can be begun again and again, and how long the whole of it takes here."""

    env: dict[str, str]
    spec: Path
    seed: str
    whole_seconds: float = 0

    def begun(self, said: Path) -> subprocess.Popen[bytes]:
        argv = [str(Path(sys.executable).parent / "invoke"), "bake", f"--spec={self.spec}", "--force"]
        with said.open("w") as out:
            return subprocess.Popen(argv, cwd=ROOT, env=self.env, stdout=out, stderr=out)

    def moment(self, nth: int) -> float:
        """A random one of the n-th part of the whole: so that each part has one."""
        return self.whole_seconds * (nth + random.Random(f"{self.seed}-{nth}").random()) / MOMENTS  # noqa: S311


@pytest.fixture(scope="module")
def bench(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("killed")
    (folder / "killed.toml").write_text(SPEC)
    (folder / "test_true.py").write_text(TEST)
    with environment(desk.site):
        env = {**os.environ, "AMIBAKE_STATE": str(folder / "state")}
    seed = os.environ.get(SEED) or f"{random.SystemRandom().getrandbits(32):x}"
    measured = Bench(env, folder / "killed.toml", seed)
    started = time.monotonic()
    assert measured.begun(folder / "said").wait() == 0, (folder / "said").read_text()
    return Bench(env, measured.spec, seed, time.monotonic() - started)


@pytest.mark.parametrize("nth", range(MOMENTS))
def test_a_killed_bake_leaves_nothing_that_a_sweep_does_not_take(
    desk: Desk, bench: Bench, tmp_path: Path, nth: int
) -> None:
    before, moment = (set(leftovers(desk.cloud)), orphans(desk)), bench.moment(nth)
    said = tmp_path / "said"
    with bench.begun(said) as bake:
        time.sleep(moment)
        bake.kill()
    swept = invoke("sweep", "--older-than=0s", "--json", env=bench.env)
    story = f"{SEED}={bench.seed}: killed after {moment:.2f} of {bench.whole_seconds:.2f} s"
    story += f"\n{said.read_text()}\n{swept.stdout}{swept.stderr}"
    assert swept.returncode == 0, story
    # What the bake itself had told to end may take a moment more to do so.
    assert soon(lambda: (set(leftovers(desk.cloud)), orphans(desk)) == before), story


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold while what was asked for before comes to its end."""
    with suppress(OutOfPatience):
        return wait_for("it to hold", lambda: holds() or None, Patience(0.2, 20))
    return False


def orphans(desk: Desk) -> set[str]:
    """Snapshots that no image stands on."""
    images = desk.cloud.ec2.describe_images(Owners=["self"])["Images"]
    used = {volume["Ebs"]["SnapshotId"] for one in images for volume in one["BlockDeviceMappings"]}
    snapshots = desk.cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {one["SnapshotId"] for one in snapshots} - used
