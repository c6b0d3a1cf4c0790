"""Builders that are kept for a person: the printed line logs in, and a sweep takes them in the end."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cloud_fixture import Desk, invoke, leftovers

from aws.ownership import EXPIRES, moment, tag_list

pytestmark = pytest.mark.machines

Write = Callable[..., Path]

FAILING = '[[step]]\ncommand = "false"\nunless = "test -e /srv/done"\n'
PROVEN = '[verify]\ntests = ["test_true.py"]\n'


def kept_by(write: Write, env: dict[str, str], steps: str, exit_code: int, *flags: str) -> list[str]:
    """The line that a bake printed to log in with."""
    done = invoke("bake", f"--spec={write(steps, 'kept')}", *flags, env=env)
    assert done.returncode == exit_code, done.stderr
    (line,) = (line.strip() for line in done.stderr.splitlines() if line.strip().startswith("ssh "))
    return shlex.split(line)


def logs_in(line: list[str]) -> bool:
    ended = subprocess.run([*line, "true"], stdin=subprocess.DEVNULL, check=False, timeout=60)
    return ended.returncode == 0


def test_kept_builders_let_their_person_in_until_a_sweep_after_their_time(
    desk: Desk, write: Write, env: dict[str, str], tmp_path: Path
) -> None:
    before = set(leftovers(desk.cloud))
    (tmp_path / "test_true.py").write_text("def test_it_is_there(host):\n    assert host.exists('sh')\n")
    assert logs_in(kept_by(write, env, FAILING, 1, "--on-error=keep"))
    assert logs_in(kept_by(write, env, PROVEN, 0, "--keep-builder"))
    kept = set(leftovers(desk.cloud)) - before
    assert sorted(one.partition("-")[0] for one in kept) == ["i", "i", "sg", "sg"]
    assert swept(env, kept) == set()
    over = tag_list({EXPIRES: moment(datetime.now(UTC) - timedelta(seconds=1))})
    desk.cloud.ec2.create_tags(Resources=sorted(kept), Tags=over)
    assert swept(env, kept) == kept
    assert set(leftovers(desk.cloud)) == before


def swept(env: dict[str, str], kept: set[str]) -> set[str]:
    """Which of these a sweep removes."""
    done = invoke("sweep", "--older-than=0s", "--json", env=env)
    return kept & {one["id"] for one in json.loads(done.stdout)["removed"]}
