"""A store that is down is left alone for a while; uploads happen in order, and never in the way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from moto_fixture import FakeClock

from resizer.blob import Blob
from resizer.breaker import FAILURES, REST_SECONDS, Breaker
from resizer.errors import MissingError, StoreDeniedError, StoreError, StoreTimeoutError
from resizer.folder import FolderStore
from resizer.uploads import Uploads

if TYPE_CHECKING:
    from pathlib import Path

    from resizer.errors import RefusalError


class Ill(FolderStore):
    """A store that fails as it is told to, and counts its calls."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fault: RefusalError | None = None
        self.calls = 0

    def read(self, key: str, max_bytes: int) -> Blob:
        self.calls += 1
        if self.fault:
            raise self.fault
        return super().read(key, max_bytes)


def test_after_some_failures_in_a_row_a_store_is_asked_but_once_in_a_while(tmp_path: Path) -> None:
    clock, ill = FakeClock(), Ill(tmp_path)
    ill.write("a", Blob(b"x", 1), "image/png")
    store = Breaker(ill, clock.monotonic)
    ill.fault = StoreTimeoutError("Late.", "")
    for _ in range(FAILURES):
        with pytest.raises(StoreTimeoutError):
            store.read("a", 9)
    for _ in range(10):
        with pytest.raises(StoreError, match="left alone"):
            store.read("a", 9)
    assert ill.calls == FAILURES
    clock.sleep(REST_SECONDS)
    with pytest.raises(StoreTimeoutError):
        store.read("a", 9)
    with pytest.raises(StoreError, match="left alone"):
        store.etag("a")
    clock.sleep(REST_SECONDS)
    ill.fault = None
    assert store.read("a", 9).data == b"x"
    assert store.etag("a")


@pytest.mark.parametrize("fault", [MissingError("No.", ""), StoreDeniedError("No.", "")])
def test_a_store_that_answers_is_not_down(tmp_path: Path, fault: RefusalError) -> None:
    ill = Ill(tmp_path)
    store = Breaker(ill)
    ill.fault = fault
    for _ in range(3 * FAILURES):
        with pytest.raises(type(fault)):
            store.read("a", 9)
    assert ill.calls == 3 * FAILURES


def test_a_breaker_keeps_the_contract_of_what_it_guards(tmp_path: Path) -> None:
    store = Breaker(FolderStore(tmp_path))
    store.write("r/w1/a", Blob(b"x", 1, source="s"), "image/png")
    assert (store.names("r/"), store.folders("r/")) == (["r/w1/a"], ["w1"])
    store.delete(["r/w1/a"])
    assert store.names("r/") == []


def test_tasks_are_done_in_order_and_a_failure_stops_none(caplog: pytest.LogCaptureFixture) -> None:
    uploads, done = Uploads(10), []

    def fail() -> None:
        raise StoreError("Full.", "Empty it.")

    def bug() -> None:
        raise ZeroDivisionError

    tasks = [lambda: done.append(1), fail, bug, lambda: done.append(2)]
    assert all(uploads.add("a thing", task) for task in tasks)
    assert uploads.finish(30)
    assert done == [1, 2]
    assert "did not take a thing: Full. Empty it." in caplog.text


def test_what_does_not_fit_is_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    uploads, release = Uploads(1), threading.Event()
    begun = threading.Event()
    uploads.add("first", lambda: (begun.set(), release.wait(30)))
    assert begun.wait(30)
    assert [uploads.add(name, lambda: None) for name in ("second", "third", "fourth")] == [True, False, False]
    assert not uploads.finish(0.01)
    release.set()
    assert uploads.finish(30)
    assert caplog.text.count("dropped") == 1
