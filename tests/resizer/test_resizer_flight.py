"""Single flight and the gate: one works, the rest share; nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import pytest

import resizer.flight
from resizer.errors import BusyError
from resizer.flight import Flight, Landed
from resizer.gate import Gate

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 30


def test_what_work_returns_is_returned(tmp_path: Path) -> None:
    flight: Flight[int] = Flight(tmp_path / "locks", PATIENCE_SECONDS)
    assert flight.run("a", lambda: 7) == Landed(7, led=True)
    assert flight.run("a", lambda: 8) == Landed(8, led=True)


def test_those_who_come_while_one_works_share_what_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flight: Flight[int] = Flight(tmp_path, PATIENCE_SECONDS)
    begun, release = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert release.wait(PATIENCE_SECONDS)
        return 7

    def waiting(*arguments: Any) -> Any:
        release.set()
        return wait(*arguments)

    monkeypatch.setattr(resizer.flight, "wait", waiting)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(flight.run, "a", work)
        assert begun.wait(PATIENCE_SECONDS)
        follower = pool.submit(flight.run, "a", lambda: pytest.fail("worked twice"))
        assert follower.result() == Landed(7, led=False)
        assert leader.result() == Landed(7, led=True)


def test_another_name_does_not_wait(tmp_path: Path) -> None:
    flight: Flight[int] = Flight(tmp_path, PATIENCE_SECONDS)
    assert flight.run("a", lambda: flight.run("b", lambda: 8).value) == Landed(8, led=True)


def test_a_failure_is_shared_and_not_remembered(tmp_path: Path) -> None:
    flight: Flight[int] = Flight(tmp_path, PATIENCE_SECONDS)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        flight.run("a", fail)
    assert flight.run("a", lambda: 7).value == 7


@pytest.mark.parametrize("same_process", [True, False])
def test_whoever_has_waited_long_enough_goes_ahead_alone(tmp_path: Path, *, same_process: bool) -> None:
    first: Flight[int] = Flight(tmp_path, PATIENCE_SECONDS)
    second: Flight[int] = Flight(tmp_path, 0.05)
    if same_process:
        second._flying = first._flying
    begun, release = threading.Event(), threading.Event()

    def stuck() -> int:
        begun.set()
        assert release.wait(PATIENCE_SECONDS)
        return 7

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(first.run, "a", stuck)
        assert begun.wait(PATIENCE_SECONDS)
        assert second.run("a", lambda: 8) == Landed(8, led=True)
        release.set()
        assert leader.result() == Landed(7, led=True)


def test_processes_of_one_node_work_one_after_the_other(tmp_path: Path) -> None:
    # flock knows open files, not processes: flights of one process exclude each other just as well.
    flights: list[Flight[int]] = [Flight(tmp_path, PATIENCE_SECONDS) for _ in range(4)]
    inside: list[int] = []
    most: list[int] = []

    def work() -> int:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)  # room for a second one to come in
        inside.pop()
        return 7

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda flight: [flight.run("a", work) for _ in range(5)], flights))
    assert len(most) == 20
    assert max(most) == 1


def test_without_a_place_for_locks_the_work_is_done_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    flight: Flight[int] = Flight(tmp_path / "file" / "locks", PATIENCE_SECONDS)
    assert flight.run("a", lambda: 7) == Landed(7, led=True)
    assert "No lock for 'a'" in caplog.text


def test_an_oserror_of_the_work_is_its_own(tmp_path: Path) -> None:
    flight: Flight[int] = Flight(tmp_path, PATIENCE_SECONDS)

    def fail() -> int:
        raise OSError("of the work")

    with pytest.raises(OSError, match="of the work"):
        flight.run("a", fail)
    with pytest.raises(OSError, match="of the work"):
        flight.run("a", fail)


def test_the_gate_admits_as_many_as_it_has_places() -> None:
    gate = Gate(2, 0)
    with gate.passage(), gate.passage(), pytest.raises(BusyError) as caught, gate.passage():
        pytest.fail("a third was admitted")
    assert caught.value.headers == (("Retry-After", "1"),)


def test_the_gate_opens_again_after_a_failure() -> None:
    gate = Gate(1, 0)
    with pytest.raises(ValueError, match="broken"), gate.passage():
        raise ValueError("broken")
    with gate.passage():
        pass
