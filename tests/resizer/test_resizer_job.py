"""Jobs on the wire: what is asked and answered survives it, and nothing else gets through."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from resizer_picture import encoded, opened, quarters

from resizer import job
from resizer.errors import NotAnImageError, RefusalError, TooSlowError, UndecodableError
from resizer.job import Done, Frame, Job
from resizer.limits import Limits
from resizer.options import Options
from resizer.photograph import photograph
from resizer.pixels import Rendering
from resizer.renderer import hand_over, taken_over

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD = Options(30, 20, "pad", (1, 2, 3), 70, "webp", blur=1.5, gray=True, rotate=90, version="x")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_job_is_understood_as_it_was_asked(pair: Any) -> None:
    asked = Job(ODD, "webp", Limits(max_pixels=7, formats=frozenset({"png", "gif"})), 900)
    job.send(pair[0], Frame(job.asked(asked)))
    assert job.understood(job.receive(pair[1]).head) == asked


@pytest.mark.parametrize("master", [None, Rendering(b"m" * 70_000, "image/jpeg", 9, 8)])
def test_what_was_done_is_heard_as_it_was_told(pair: Any, master: Rendering | None) -> None:
    done = Done(Rendering(b"r" * 500_000, "image/webp", 30, 20), master, 0.25)
    sender = threading.Thread(target=job.send, args=(pair[0], job.told(done)))
    sender.start()
    assert job.heard(job.receive(pair[1])) == done
    sender.join()


@pytest.mark.parametrize("error", [TooSlowError("Slow.", "Wait."), NotAnImageError("ä", "")])
def test_a_refusal_is_raised_at_the_other_end(pair: Any, error: RefusalError) -> None:
    job.send(pair[0], job.refused(error))
    with pytest.raises(type(error), match=str(error)) as caught:
        job.heard(job.receive(pair[1]))
    assert caught.value.hint == error.hint


@pytest.mark.parametrize("name", ["ResizerError", "os", "nothing", ""])
def test_only_refusals_are_raised(name: str) -> None:
    with pytest.raises(ValueError, match="no such refusal"):
        job.heard(Frame({"error": name, "sentence": "", "hint": ""}))


def test_an_answer_cut_short_is_an_end(pair: Any) -> None:
    pair[0].sendall(b"\x00\x00\x00\x10{")
    pair[0].close()
    with pytest.raises(EOFError):
        job.receive(pair[1])


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_an_original_is_handed_over_whole(pair: Any, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    hand_over(pair[0], data)
    assert taken_over(pair[1]) == data


def test_nothing_handed_over_is_an_end(pair: Any) -> None:
    pair[0].close()
    with pytest.raises(EOFError):
        taken_over(pair[1])


def test_work_with_a_master_gives_both_and_the_same_size() -> None:
    data = photograph(2400, 1600)
    plain = job.work(Job(Options(width=300), "jpeg", Limits()), data)
    both = job.work(Job(Options(width=300), "jpeg", Limits(), 1600), data)
    assert plain.master is None
    assert both.master is not None
    assert both.master.width == 300
    assert opened(both.result.data).size == opened(plain.result.data).size == (300, 200)


def test_work_refuses_what_rendering_refuses() -> None:
    with pytest.raises(UndecodableError):
        job.work(Job(Options(width=30), "jpeg", Limits()), encoded(quarters(90, 60))[:-300])
