"""A crowd at once: one works, all are served."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from resizer_node import PHOTO, Node

from resizer.blob import Blob

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resizer.address import Address
    from resizer.cache import DiskCache

PATIENCE_SECONDS = 30


def crowd(nodes: list[Node], urls: list[str]) -> list[Any]:
    """Send all urls at once, round the nodes; the store answers once everyone has missed on the disk."""
    lookers: set[int] = set()
    released = threading.Event()

    def hold(_verb: str, _key: str) -> None:
        assert released.wait(PATIENCE_SECONDS)

    def watched(cache: DiskCache) -> Callable[..., Blob | None]:
        read = cache.read

        def look(address: Address, *, negotiated: bool = False) -> Blob | None:
            found = read(address, negotiated=negotiated)
            lookers.add(threading.get_ident())
            if len(lookers) == len(urls):
                released.set()
            return found

        return look

    nodes[0].store.before = hold
    for node in nodes:
        node.cache.read = watched(node.cache)  # type: ignore[method-assign]
    together = threading.Barrier(len(urls))

    def ask(number: int) -> Any:
        together.wait(PATIENCE_SECONDS)
        return nodes[number % len(nodes)].get(urls[number])

    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(ask, range(len(urls))))


def test_a_crowd_for_one_picture_costs_one_rendering(photo: Node) -> None:
    answers = crowd([photo], ["/w300/a.jpg"] * 24)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert sorted(answer.headers["X-Resizer"] for answer in answers) == ["render"] + ["shared"] * 23
    assert photo.store.log.count(("read", "a.jpg")) == 1
    assert photo.store.log.count(("write", "resized/w300/a.jpg")) == 1


def test_a_crowd_on_two_processes_of_a_node_costs_one_rendering(photo: Node, tmp_path: Path) -> None:
    twin = Node(tmp_path, store=photo.store)  # the same cache directory; flock sees two open files either way
    answers = crowd([photo, twin], ["/w300/a.jpg"] * 24)
    assert {answer.status for answer in answers} == {200}
    assert photo.store.log.count(("read", "a.jpg")) == 1


def test_a_crowd_for_many_pictures_gets_each_its_own(photo: Node) -> None:
    widths = [10 + number for number in range(24)]
    answers = crowd([photo], [f"/w{width}/a.jpg" for width in widths])
    assert [answer.image.width for answer in answers] == widths


def test_a_crowd_for_a_broken_picture_is_refused_to_the_last(node: Node) -> None:
    node.upload("a.jpg", PHOTO[:-2000])
    answers = crowd([node], ["/w300/a.jpg"] * 24)
    assert {answer.status for answer in answers} == {422}
