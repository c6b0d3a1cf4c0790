"""Two processes of a node want the same result, and the one that makes it is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from resizer_picture import opened

from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.machines
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
LONGER_THAN_ANY_PATIENCE = 60
WANTED = "/unsafe/w2000,f_avif/a.jpg"
SERVER = """
import sys
from pathlib import Path
from resizer import development
with development.server(Path(sys.argv[1]), 0) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """Two that read it share one cache, and with it its locks."""
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / "a.jpg").write_bytes(photograph(2400, 1600))
    toml = tmp_path / "resizer.toml"
    toml.write_text(
        f'folder = "{tmp_path}/originals"\ncache_dir = "{tmp_path}/cache"\nunsigned = true\n'
        f"flight_seconds = {LONGER_THAN_ANY_PATIENCE}\n"
    )
    return toml


@contextlib.contextmanager
def serving(toml: Path) -> Iterator[tuple[int, int]]:
    """A process that serves: its id and its port."""
    argv = [sys.executable, "-c", SERVER, str(toml)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def answered(port: int) -> tuple[int, str, bytes] | None:
    """Status, who found it, and the image; None if the connection ends before that."""
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        try:
            connection.request("GET", WANTED)
            response = connection.getresponse()
            return response.status, str(response.getheader("X-Resizer")), response.read()
        except (ConnectionError, HTTPException):
            return None


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.002)


def is_locked(locks: Path) -> bool:
    for path in locks.glob("*"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def has_open(process: int, folder: Path) -> bool:
    """Tell whether a process has a file of this folder open; the descriptors of a running one come and go."""
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if descriptor.readlink().parent == folder:
                return True
    return False


def test_whoever_waits_for_one_that_is_killed_goes_on_at_once(configured: Path) -> None:
    locks = configured.parent / "cache" / ".locks"
    with (
        serving(configured) as (leader, first),
        serving(configured) as (follower, second),
        ThreadPoolExecutor(2) as pool,
    ):
        lost = pool.submit(answered, first)
        until(lambda: is_locked(locks), "the first one works")
        os.kill(leader, signal.SIGSTOP)  # in the midst of it, for as long as the second one takes to come
        found = pool.submit(answered, second)
        until(lambda: has_open(follower, locks), "the second one waits for the lock")
        assert not found.done()
        os.kill(leader, signal.SIGKILL)
        assert lost.result() is None
        answer = found.result()
    assert answer is not None
    status, origin, body = answer
    assert (status, origin, opened(body).size) == (200, "render", (2000, 1333))
