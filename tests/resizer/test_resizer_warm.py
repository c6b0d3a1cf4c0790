"""Warming asks for every result once, a few at a time, and goes on where it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from resizer.client import url
from resizer.errors import ToolError
from resizer.warm import TRIES, Answer, Journal, Warmed, Warmer, keys

MADE = Answer(200, "render")


def wanted(*names: str) -> list[tuple[str, Callable[[], str]]]:
    return [(f"thumb/{name}", partial(url, "http://node", name, preset="thumb")) for name in names]


def warmed(journal: Path | None, fetch: Callable[[str], Answer], *names: str) -> Warmed:
    with Journal(journal) as kept:
        return Warmer(fetch, 3, sleep=lambda _: None).run(wanted(*names), kept)


def test_every_result_is_asked_for_once() -> None:
    asked: list[str] = []

    def fetch(link: str) -> Answer:
        asked.append(link)
        return Answer(200, "apache" if link.endswith("0.jpg") else "render")

    done = warmed(None, fetch, *[f"{number}.jpg" for number in range(50)])
    assert sorted(asked) == sorted(f"http://node/thumb/{number}.jpg" for number in range(50))
    assert done == Warmed({"apache": 5, "render": 45}, 0, 0, ())
    assert done.done == 50


def test_no_more_than_agreed_are_asked_for_at_once() -> None:
    under_way: list[int] = []
    most = 0
    guard = threading.Lock()
    full = threading.Barrier(3)

    def fetch(_: str) -> Answer:
        nonlocal most
        with guard:
            under_way.append(1)
            most = max(most, len(under_way))
        full.wait(10)
        with guard:
            under_way.pop()
        return MADE

    warmed(None, fetch, *[f"{number}.jpg" for number in range(9)])
    assert most == 3


def test_the_journal_remembers_what_was_done_and_not_what_failed(tmp_path: Path) -> None:
    journal = tmp_path / "done"
    first = warmed(journal, lambda link: Answer(404, "") if link.endswith("b") else MADE, "a", "b", "c")
    assert first == Warmed({"render": 2}, 0, 1, ("404 thumb/b",))
    asked: list[str] = []

    def fetch(link: str) -> Answer:
        asked.append(link)
        return MADE

    assert warmed(journal, fetch, "a", "b", "c") == Warmed({"render": 1}, 2, 0, ())
    assert asked == ["http://node/thumb/b"]


def test_a_torn_line_of_the_journal_is_done_again(tmp_path: Path) -> None:
    journal = tmp_path / "done"
    journal.write_text("thumb/a\nthumb/b")
    assert warmed(journal, lambda _: MADE, "a", "b", "bc") == Warmed({"render": 2}, 1, 0, ())
    assert sorted(journal.read_text().split()) == ["thumb/a", "thumb/b", "thumb/bc"]


def test_a_node_that_is_full_is_asked_again_when_it_said() -> None:
    answers = [Answer(503, "", 7.0), Answer(0, "", 1.0), MADE]
    slept: list[float] = []
    with Journal(None) as journal:
        done = Warmer(lambda _: answers.pop(0), 1, sleep=slept.append).run(wanted("a"), journal)
    assert done.by_state == {"render": 1}
    assert slept == [7.0, 1.0]


def test_one_that_stays_full_has_failed() -> None:
    asked: list[str] = []

    def fetch(link: str) -> Answer:
        asked.append(link)
        return Answer(0, "")

    assert warmed(None, fetch, "a") == Warmed({}, 0, 1, ("no answer thumb/a",))
    assert len(asked) == TRIES


def test_a_key_that_no_url_can_name_has_failed_without_a_request() -> None:
    assert warmed(None, lambda _: MADE, "../a", "b") == Warmed({"render": 1}, 0, 1, ("400 thumb/../a",))


def test_an_interruption_ends_it_with_the_journal_closed(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    journal = Journal(tmp_path / "done")
    with pytest.raises(KeyboardInterrupt), journal:
        Warmer(lambda _: MADE, 1, stop).run(wanted("a", "b", "c", "d"), journal)
    assert (tmp_path / "done").read_text() == "thumb/a\n"
    assert journal._file is not None
    assert journal._file.closed


def test_keys_are_lines(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes("a b.jpg\r\n\nä/b.jpg\n".encode())
    assert list(keys(tmp_path / "keys")) == ["a b.jpg", "ä/b.jpg"]


@pytest.mark.parametrize("content", [None, b"\xff\n"])
def test_a_file_of_keys_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(ToolError, match="keys: cannot be read") as caught:
        list(keys(tmp_path / "keys"))
    assert caught.value.hint


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No such file"), Journal(tmp_path / "absent" / "done"):
        pass
