"""Masters, and originals that change: what is made from what, and for how long it is believed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from resizer_node import MODIFIED, PHOTO, Node, WatchedStore
from resizer_picture import opened

from resizer.errors import StoreError
from resizer.keeper import Keeper
from resizer.photograph import photograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGE = photograph(2400, 1600)
OTHER = photograph(900, 601)


def masters(node: Node) -> list[Path]:
    return [path for path in node.cache.root.glob("??/??/*") if "-+" in path.name]


def test_the_first_size_of_a_large_original_leaves_a_master_and_the_second_is_made_of_it(node: Node) -> None:
    node.upload("a.jpg", LARGE)
    node.get("/w500/a.jpg")
    assert len(masters(node)) == 1
    node.store.log.clear()
    assert node.get("/w320/a.jpg").image.size == (320, 213)
    assert ("read", "a.jpg") not in node.store.log


def stored(node: Node) -> Path:
    return node.store.root / "resized/.masters/a.jpg"


def test_a_master_is_stored_for_other_nodes_with_the_second_size_and_once(node: Node) -> None:
    node.upload("a.jpg", LARGE)
    node.get("/w500/a.jpg")
    assert not stored(node).exists()
    node.get("/w320/a.jpg")
    assert stored(node).read_bytes() == masters(node)[0].read_bytes()
    node.store.log.clear()
    node.get("/w310/a.jpg")
    assert ("write", "resized/.masters/a.jpg") not in node.store.log


def test_a_larger_size_leaves_a_larger_master(node: Node) -> None:
    node.upload("a.jpg", LARGE)
    node.get("/w150/a.jpg")
    assert opened(masters(node)[0].read_bytes()).size == (300, 200)
    node.get("/w700/a.jpg")
    assert [opened(path.read_bytes()).size for path in masters(node)] == [(1200, 800)]
    assert stored(node).read_bytes() == masters(node)[0].read_bytes()


def test_another_node_takes_the_master_from_the_store(node: Node, tmp_path: Path) -> None:
    node.upload("a.jpg", LARGE)
    for width in (500, 310):
        node.get(f"/w{width}/a.jpg")
    other = Node(tmp_path / "other", store=WatchedStore(node.store.root))
    assert other.get("/w320/a.jpg").headers["X-Resizer"] == "render"
    assert ("read", "a.jpg") not in other.store.log
    assert masters(other)[0].read_bytes() == masters(node)[0].read_bytes()
    assert other.get("/w320/a.jpg").headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: data[:100], lambda _: b""])
def test_a_broken_master_is_made_anew(node: Node, damage: Callable[[bytes], bytes]) -> None:
    node.upload("a.jpg", LARGE)
    node.get("/w500/a.jpg")
    whole = masters(node)[0].read_bytes()
    masters(node)[0].write_bytes(damage(whole))
    assert node.get("/w490/a.jpg").image.size == (490, 327)
    assert masters(node)[0].read_bytes() == whole


def test_a_size_that_a_master_cannot_give_is_made_of_the_original(node: Node) -> None:
    node.upload("a.jpg", LARGE)
    for width in (300, 310):
        node.get(f"/w{width}/a.jpg")
    node.store.log.clear()
    assert node.get("/w1100/a.jpg").image.size == (1100, 733)
    assert ("read", "a.jpg") in node.store.log


def test_small_originals_have_no_master(photo: Node) -> None:
    for width in (300, 310, 320):
        photo.get(f"/w{width}/a.jpg")
    assert masters(photo) == []


def test_without_masters_none_is_looked_for(tmp_path: Path) -> None:
    node = Node(tmp_path, masters=False)
    node.upload("a.jpg", LARGE)
    for width in (300, 310, 320):
        node.get(f"/w{width}/a.jpg")
    assert masters(node) == []
    assert not any("masters" in key for _, key in node.store.log)


def changed(node: Node, data: bytes) -> None:
    node.upload("a.jpg", data)
    os.utime(node.store.root / "a.jpg", (MODIFIED + 100, MODIFIED + 100))


def test_a_stored_result_is_compared_with_its_original_once_it_is_old(photo: Node, tmp_path: Path) -> None:
    photo.get("/w300/a.jpg")
    changed(photo, OTHER)
    other = Node(tmp_path / "other", store=WatchedStore(photo.store.root))
    assert other.get("/w300/a.jpg").image.size == (300, 200)  # not yet
    third = Node(tmp_path / "third", store=WatchedStore(photo.store.root))
    third.ahead = third.config.revalidate_seconds + 60
    answer = third.get("/w300/a.jpg")
    assert (answer.headers["X-Resizer"], answer.headers["Last-Modified"]) == (
        "render",
        "Tue, 14 Nov 2023 22:15:00 GMT",
    )
    # The others get to know by the marker that the third has left.
    keeper = Keeper(other.config, other.store, lambda _: True)
    keeper.poll()
    assert not other.file("/w300/a.jpg").exists()
    assert other.get("/w300/a.jpg").body == answer.body


def test_an_old_result_of_an_unchanged_original_is_served(photo: Node, tmp_path: Path) -> None:
    photo.get("/w300/a.jpg")
    other = Node(tmp_path / "other", store=WatchedStore(photo.store.root))
    other.ahead = other.config.revalidate_seconds + 60
    assert other.get("/w300/a.jpg").headers["X-Resizer"] == "s3"
    assert ("etag", "a.jpg") in other.store.log


def test_an_old_result_of_an_original_that_is_gone_is_gone_too(photo: Node, tmp_path: Path) -> None:
    photo.get("/w300/a.jpg")
    (photo.store.root / "a.jpg").unlink()
    other = Node(tmp_path / "other", store=WatchedStore(photo.store.root))
    other.ahead = other.config.revalidate_seconds + 60
    assert other.get("/w300/a.jpg").status == 404
    assert not (photo.store.root / "resized/w300/a.jpg").exists()


def test_a_master_of_another_original_is_not_used(node: Node) -> None:
    node.upload("a.jpg", LARGE)
    for width in (300, 310):
        node.get(f"/w{width}/a.jpg")
    changed(node, photograph(1600, 2400))
    node.ahead = node.config.revalidate_seconds + 60
    assert node.get("/w200/a.jpg").image.size == (200, 300)


def test_while_the_store_is_away_what_is_on_the_disk_is_served_for_ever(photo: Node) -> None:
    photo.get("/w300/a.jpg")

    def down(_verb: str, _key: str) -> None:
        raise StoreError("Away.", "Wait.")

    photo.store.before = down
    photo.ahead = 10 * photo.config.revalidate_seconds
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "disk"
    assert photo.get("/w301/a.jpg").status == 503
    photo.store.before = lambda *_: None
    assert photo.get("/w301/a.jpg").status == 200


@pytest.mark.parametrize("missing", [True, False])
def test_a_fallback_image_stands_in_for_what_is_missing_or_broken(tmp_path: Path, missing: bool) -> None:
    (tmp_path / "fallback.jpg").write_bytes(PHOTO)
    node = Node(tmp_path, fallback=tmp_path / "fallback.jpg", fallback_status=200)
    if not missing:
        node.upload("a.jpg", PHOTO[:-2000])
    answer = node.get("/w30/a.jpg")
    assert (answer.status, answer.image.size) == (200, (30, 20))
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    assert "X-Resizer" not in answer.headers
    assert not list(node.cache.root.glob("??"))


def test_what_is_missing_is_asked_for_once_in_a_while(node: Node) -> None:
    assert [node.get(f"/w{width}/absent.jpg").status for width in (30, 31, 30, 32)] == [404] * 4
    assert node.store.log.count(("read", "absent.jpg")) == 1
