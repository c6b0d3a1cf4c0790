from __future__ import annotations

import json
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from localcloud.state import Backends, Gate, State


class Body:
    """An S3 object as far as its content goes."""

    def __init__(self, name: str, value: bytes) -> None:
        self.name = name
        self.disposed = False
        self._value_buffer = value

    @property
    def value(self) -> bytes:
        return self._value_buffer

    @value.setter
    def value(self, value: bytes) -> None:
        self._value_buffer = value

    @property
    def etag(self) -> int:
        return hash(self.value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name = state["name"]
        self.disposed = state["disposed"]
        self.value = state["value"]


class Store(defaultdict[str, list[str]]):
    """A dictionary of defaults that is made with more than a default, as moto's are."""

    def __init__(self, region: str) -> None:
        super().__init__(list)
        self.region = region


class Unpicklable:
    def __reduce__(self) -> str:
        raise TypeError("a key that only its library can hold")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def held() -> Backends:
    return {"ec2": {"1": {"us-east-1": {"instances": ["i-1"]}}}}


@pytest.fixture
def state(tmp_path: Path, held: Backends, told: list[str]) -> State:
    return State(tmp_path / "state", Body, lambda: held, told.append)


def again(state: State) -> State:
    """The state as the next run of the daemon finds it."""
    return State(state.file.parent, Body, dict, state._notice)


def test_the_first_run_starts_with_nothing_and_says_nothing(state: State, told: list[str]) -> None:
    assert state.load() == {}
    assert told == []


def test_what_was_saved_comes_back(state: State, held: Backends) -> None:
    assert state.save()
    assert again(state).load() == held


def test_two_services_that_share_a_thing_share_it_again(state: State, held: Backends) -> None:
    shared = ["i-1"]
    held |= {"ec2": {"it": shared}, "autoscaling": {"it": shared}}
    state.save()
    found = again(state).load()
    assert found["ec2"]["it"] is found["autoscaling"]["it"]


def test_defaults_of_dictionaries_come_back_too(state: State, held: Backends) -> None:
    store = Store("us-east-1")
    store["/a"].append("1")
    held["ssm"] = {"parameters": store, "tags": defaultdict(lambda: defaultdict(dict), {"a": {}})}
    state.save()
    found = again(state).load()["ssm"]
    assert found["parameters"] == {"/a": ["1"]}
    assert found["parameters"].region == "us-east-1"
    assert found["parameters"]["/new"] == []
    assert found["tags"]["new"]["x"] == {}


def test_a_body_lies_in_a_file_of_its_own_and_is_written_once(state: State, held: Backends) -> None:
    held["s3"] = {"object": Body("a", b"content" * 1000)}
    state.save()
    (file,) = (state.file.parent / "bodies").iterdir()
    written = file.stat().st_mtime_ns, file.stat().st_ino
    assert b"contentcontent" not in state.file.read_bytes()
    assert state.save()
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written
    assert again(state).load()["s3"]["object"].value == b"content" * 1000


def test_a_body_that_changed_replaces_its_file_and_a_removed_one_takes_it_away(
    state: State, held: Backends
) -> None:
    body = Body("a", b"old")
    held["s3"] = {"object": body}
    state.save()
    body.value = b"new"
    state.save()
    assert [path.read_bytes() for path in (state.file.parent / "bodies").iterdir()] == [b"new"]
    del held["s3"]
    state.save()
    assert list((state.file.parent / "bodies").iterdir()) == []


def test_a_restored_body_is_not_written_again(state: State, held: Backends) -> None:
    held["s3"] = {"object": Body("a", b"content")}
    state.save()
    second = again(state)
    found = second.load()
    second._collect = lambda: found
    before = {path.name for path in (state.file.parent / "bodies").iterdir()}
    second.save()
    assert {path.name for path in (state.file.parent / "bodies").iterdir()} == before


def test_a_service_that_cannot_be_kept_is_named_once_and_keeps_no_other_from_being_kept(
    state: State, held: Backends, told: list[str]
) -> None:
    held["kms"] = {"key": Unpicklable()}
    assert state.save()
    assert state.save()
    assert told == ["what kms holds cannot be kept: it ends with this run of the local cloud"]
    assert set(again(state).load()) == {"ec2"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\x00\xff" + content,
        lambda content: content[:-5],
        lambda content: content + b"more",
        lambda content: b'{"format": 1}\n' + content.partition(b"\n")[2],
        lambda content: b"[1, 2]\n",
    ],
    ids=["empty", "no header", "cut short", "too long", "no checksum", "another document"],
)
def test_a_damaged_file_is_moved_aside_with_one_notice(state: State, told: list[str], damage: Any) -> None:
    state.save()
    state.file.write_bytes(damage(state.file.read_bytes()))
    assert again(state).load() == {}
    assert len(told) == 1
    (aside,) = state.file.parent.parent.iterdir()
    assert str(aside) in told[0]
    assert "images" in told[0]
    assert (aside / "cloud").exists()
    assert again(state).load() == {}
    assert len(told) == 1


def test_the_file_of_another_moto_is_moved_aside_and_both_versions_are_named(
    state: State, told: list[str]
) -> None:
    state.save()
    header, _, content = state.file.read_bytes().partition(b"\n")
    other = {**json.loads(header), "moto": "0.0.1"}
    state.file.write_bytes(json.dumps(other).encode() + b"\n" + content)
    assert again(state).load() == {}
    assert told[0].startswith("the saved state is of moto 0.0.1, and this is moto 5")


def test_a_full_disk_is_told_once_and_what_was_saved_before_stays(
    state: State, held: Backends, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state.save()
    before = dict(held)
    held["iam"] = {"roles": ["node"]}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        assert not state.save()
        assert not state.save()
    (told_once,) = told
    assert "No space left on device" in told_once
    assert again(state).load() == before
    assert state.save()
    assert again(state).load() == held


def test_what_is_touched_at_the_end_is_saved_at_the_end(state: State, held: Backends) -> None:
    with state.keeping():
        held["iam"] = {"roles": ["node"]}
        state.touch()
    assert again(state).load() == held


def test_the_end_saves_also_when_the_block_fails(state: State, held: Backends) -> None:
    held["iam"] = {"roles": ["node"]}
    with pytest.raises(KeyError), state.keeping():
        raise KeyError
    assert again(state).load() == held


def test_a_change_waits_while_the_state_is_read() -> None:
    gate, entered = Gate(), threading.Event()

    def change() -> None:
        with gate.passing():
            entered.set()

    with gate.shut(patience_seconds=1):
        changing = threading.Thread(target=change)
        changing.start()
        assert not entered.wait(0.05)
    changing.join()
    assert entered.is_set()


def test_a_reader_does_not_wait_forever_for_a_slow_request() -> None:
    gate = Gate()
    with gate.passing(), gate.shut(patience_seconds=0.01):
        pass
    with gate.passing():
        pass


def test_a_request_that_fails_does_not_keep_the_reader_waiting() -> None:
    gate = Gate()
    with pytest.raises(KeyError), gate.passing():
        raise KeyError
    assert gate._inside == 0
