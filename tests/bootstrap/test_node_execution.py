"""Scripts as real processes of this computer."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bootstrap.execution import TIMED_OUT, Order, execute

pytestmark = pytest.mark.machines


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def ran(text: str, seconds: float = 30, **environment: str) -> tuple[int, list[str]]:
        path = tmp_path / "script"
        path.write_text(text)
        path.chmod(0o755)
        heard: list[str] = []
        order = Order(path, {"PATH": "/usr/bin:/bin", **environment}, tmp_path, seconds)
        return execute(order, heard.append, lambda: None), heard

    return ran


def test_lines_of_both_streams_are_heard_and_the_code_is_the_scripts(run: Any) -> None:
    code, heard = run("#!/bin/sh\necho out\necho err >&2\nprintf end\nexit 7\n")
    assert (code, heard) == (7, ["out", "err", "end"])


def test_a_script_sees_only_what_it_is_given_and_where_it_is(run: Any, tmp_path: Path) -> None:
    code, heard = run("#!/bin/sh\npwd\necho $WORD ${HOME-nothing}\n", WORD="word")
    assert (code, heard) == (0, [str(tmp_path), "word nothing"])


def test_a_script_of_this_python_runs_in_a_copy_and_leaves_no_trace_here(run: Any) -> None:
    text = f"#!{sys.executable}\nimport os, sys\nprint(os.environ['WORD'], __name__)\nsys.exit(3)\n"
    assert run(text, WORD="word") == (3, ["word __main__"])


def test_its_garbage_is_collected_though_the_runners_is_not(run: Any) -> None:
    gc.disable()
    try:
        assert run(f"#!{sys.executable}\nimport gc\nprint(gc.isenabled())\n") == (0, ["True"])
    finally:
        gc.enable()
        gc.unfreeze()


def test_an_error_in_such_a_script_is_an_exit_code_and_a_traceback(run: Any) -> None:
    code, heard = run(f"#!{sys.executable}\n1 / 0\n")
    assert (code, heard[-1]) == (1, "ZeroDivisionError: division by zero")


def test_a_script_that_takes_too_long_is_ended_with_all_it_started(run: Any) -> None:
    start = time.monotonic()
    code, heard = run("#!/bin/sh\nsleep 1000 &\necho $!\nsleep 1000\n", 1)
    assert code == TIMED_OUT
    assert time.monotonic() - start < 60
    deadline = time.monotonic() + 10
    while Path(f"/proc/{heard[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{heard[0]}/fd/0").exists()


def test_what_a_script_leaves_in_the_background_is_not_waited_for(run: Any) -> None:
    start = time.monotonic()
    assert run("#!/bin/sh\nsleep 30 &\necho done\n") == (0, ["done"])
    assert time.monotonic() - start < 20


def test_a_script_that_kills_itself_is_told_by_its_signal(run: Any) -> None:
    assert run("#!/bin/sh\nkill -KILL $$\n") == (-9, [])


def test_a_file_that_is_no_program_is_a_failure(run: Any) -> None:
    code, heard = run("no hashbang")
    assert code == 1
    assert "Exec format error" in heard[-1]
