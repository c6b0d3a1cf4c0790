"""The watchdog bites whoever hangs, and nobody else."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from resizer.watchdog import EXIT_CODE, watched


def test_it_bites_while_the_block_hangs() -> None:
    bitten = threading.Event()
    with watched(0.01, bitten.set):
        assert bitten.wait(60)


def test_it_leaves_in_peace_who_is_done() -> None:
    bitten = threading.Event()
    with watched(0.2, bitten.set):
        pass
    assert not bitten.wait(0.4)


def test_it_leaves_in_peace_who_failed() -> None:
    bitten = threading.Event()
    with pytest.raises(ZeroDivisionError), watched(0.2, bitten.set):
        _ = 1 // 0
    assert not bitten.wait(0.4)


@pytest.mark.machines
def test_it_ends_the_process() -> None:
    program = "import time; from resizer.watchdog import watched\nwith watched(0.2): time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == EXIT_CODE
