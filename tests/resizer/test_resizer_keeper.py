"""The keeper: purges reach every node, and the cache stays within its bounds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from resizer_node import PHOTO, Node, WatchedStore

from resizer import eviction
from resizer.blob import Blob
from resizer.errors import StoreError
from resizer.eviction import Budget, Cleaner
from resizer.keeper import Keeper
from resizer.purges import KEPT_SECONDS, announce, purge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def keeper(node: Node, clock: Callable[[], float] = time.time) -> Keeper:
    return Keeper(node.config, node.store, lambda _: True, clock)


def files(node: Node) -> int:
    return len(list(node.cache.root.glob("??/??/*")))


def test_a_purge_removes_all_results_of_a_key_from_the_store_and_from_every_disk(
    photo: Node, tmp_path: Path
) -> None:
    photo.upload("b.jpg", PHOTO)
    other = Node(tmp_path / "other", store=WatchedStore(photo.store.root))
    kept = {node: keeper(node) for node in (photo, other)}
    for node, each in kept.items():
        each.begin()
        for url in ("/w300/a.jpg", "/w301/a.jpg", "/w300/b.jpg"):
            node.get(url)
    purge(photo.store, photo.config, "a.jpg")
    assert not (photo.store.root / "resized/w300/a.jpg").exists()
    assert (photo.store.root / "resized/w300/b.jpg").exists()
    for node, each in kept.items():
        assert each.poll()
        assert files(node) == 1
        assert node.file("/w300/b.jpg").exists()


def test_a_purge_is_applied_once(photo: Node) -> None:
    ours = keeper(photo)
    ours.begin()
    announce(photo.store, photo.config, "a.jpg")
    ours.poll()
    photo.get("/w300/a.jpg")
    ours.poll()
    assert photo.file("/w300/a.jpg").exists()


def test_a_keeper_that_was_away_goes_on_where_it_was(photo: Node) -> None:
    first = keeper(photo)
    first.begin()
    first.poll()
    photo.get("/w300/a.jpg")
    announce(photo.store, photo.config, "a.jpg")
    second = keeper(photo)
    second.begin()
    assert photo.file("/w300/a.jpg").exists()
    second.poll()
    assert not photo.file("/w300/a.jpg").exists()


@pytest.mark.parametrize("why", ["away too long", "other settings", "never been here"])
def test_a_cache_that_may_be_wrong_is_emptied(photo: Node, tmp_path: Path, why: str) -> None:
    if why != "never been here":
        keeper(photo).poll()
    photo.get("/w300/a.jpg")
    late = time.time() + (KEPT_SECONDS + 60 if why == "away too long" else 1)
    node = Node(tmp_path, quality=50) if why == "other settings" else photo
    keeper(node, lambda: late).begin()
    assert files(photo) == 0


def test_markers_that_everybody_has_seen_are_swept(photo: Node) -> None:
    announce(photo.store, photo.config, "old.jpg", lambda: time.time() - 2 * KEPT_SECONDS)
    announce(photo.store, photo.config, "new.jpg")
    ours = keeper(photo)
    assert ours.poll(ours._watch.sweep)
    assert len(list(photo.store.names("resized/.purges/"))) == 1


def test_a_marker_that_is_none_is_passed_over(photo: Node) -> None:
    for number, body in enumerate((b"", b"[]", b'{"key": 1}', b'{"other": "a.jpg"}')):
        name = f"resized/.purges/{int(time.time() * 1000):015d}-{number}"
        photo.store.write(name, Blob(body, 0), "application/json")
    announce(photo.store, photo.config, "a.jpg")
    photo.get("/w300/a.jpg")
    ours = keeper(photo)
    assert ours.poll()
    assert not photo.file("/w300/a.jpg").exists()


def test_results_that_came_long_ago_are_asked_of_the_store_again(photo: Node) -> None:
    photo.get("/w300/a.jpg")
    late = time.time() + photo.config.revalidate_seconds + 60
    ours = keeper(photo, lambda: late)
    ours.poll()
    ours.clean()
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "s3"


def test_while_the_store_is_away_nothing_grows_too_old(photo: Node) -> None:
    photo.get("/w300/a.jpg")
    late = time.time() + photo.config.revalidate_seconds + 60
    ours = keeper(photo, lambda: late)

    def down(*_: str) -> None:
        raise StoreError("Away.", "Wait.")

    photo.store.names = down  # type: ignore[assignment, method-assign]
    assert not ours.poll()
    ours.clean()
    assert photo.file("/w300/a.jpg").exists()


def test_the_keeper_ends_when_it_is_told_to(photo: Node) -> None:
    keeper(photo).run()
    assert (photo.cache.root / ".purged").exists()


def test_on_a_disk_that_others_have_filled_the_keeper_rests_between_walks_and_ends_when_told(
    photo: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "excess", lambda *_: (1, 0))
    walks, rests = [], []

    def wait(seconds: float) -> bool:
        rests.append(seconds)
        return len(rests) == 3

    ours = Keeper(photo.config, photo.store, wait)
    walked = ours.clean
    monkeypatch.setattr(ours, "clean", lambda: (walks.append(walked()), assert_few(walks)))
    ours.run()
    assert len(walks) == 3
    assert rests == [photo.config.purge_poll_seconds] * 3


def assert_few(walks: list[None]) -> None:
    assert len(walks) < 10, "the keeper walks without a rest"


class Space(NamedTuple):
    f_blocks: int
    f_bfree: int
    f_frsize: int
    f_files: int
    f_ffree: int


def cleaner(root: Path, budget: Budget, now: float | None = None) -> Cleaner:
    return Cleaner(root, budget, lambda _: None, lambda: now or time.time())


def fill(root: Path, ages: dict[str, float], size: int = 8192) -> None:
    """Make files that were last used so many seconds ago; a file came here no later than it was used."""
    for name, age in ages.items():
        path = root / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (time.time() - age, 1))


def left(root: Path) -> set[str]:
    return {path.name for path in root.glob("??/??/*")}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the age of use be atime's alone: a test cannot set back the time at which a file came."""
    real = eviction.files

    def by_atime(shard: str) -> Iterator[eviction.File]:
        for file in real(shard):
            yield file._replace(used=Path(file.path).stat().st_atime)

    monkeypatch.setattr(eviction, "files", by_atime)


@pytest.mark.usefixtures("used")
def test_the_least_used_go_until_the_low_water_mark(tmp_path: Path) -> None:
    fill(tmp_path, {f"{number:04x}": 3600 * 24 * (number // 256 + 1) for number in range(0, 4096, 256)})
    gone = cleaner(tmp_path, Budget(90, 50, max_bytes=100_000)).clean()[1]
    # 16 files of 8 KiB; at most 50,000 bytes may stay, and those are the most recently used.
    assert gone.files >= 10
    assert left(tmp_path) <= {f"{number:04x}" for number in range(0, 6 * 256, 256)}
    assert left(tmp_path)


def test_of_a_folder_that_is_too_full_the_least_used_go_however_much_space_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "_CROWDED_FILES", 8)
    monkeypatch.setattr(eviction, "_UNCROWDED_FILES", 5)
    for number in range(12):  # a file's own time moves whenever it is made, and a test cannot set it back
        fill(tmp_path, {f"0000{number:02}": 0})
        time.sleep(0.005)
    fill(tmp_path, {f"0001{number:02}": 0 for number in range(8)})
    usage, gone = cleaner(tmp_path, Budget(99, 98)).clean()
    assert left(tmp_path) == {f"0000{number:02}" for number in range(7, 12)} | {
        f"0001{number:02}" for number in range(8)
    }
    assert (usage.files, gone.files) == (13, 7)


def test_below_the_high_water_mark_all_stay(tmp_path: Path) -> None:
    fill(tmp_path, {f"{number:04x}": 10 for number in range(10)})
    usage, gone = cleaner(tmp_path, Budget(99, 50, max_bytes=1_000_000)).clean()
    assert (usage.files, gone.files) == (10, 0)
    assert usage.bytes >= 81_920


@pytest.mark.parametrize(
    ("space", "over"),
    [
        (Space(1000, 500, 4096, 1000, 500), (0, 0)),
        (Space(1000, 100, 4096, 1000, 500), (100 * 4096, 0)),
        (Space(1000, 500, 4096, 1000, 50), (0, 150)),
        (Space(1000, 500, 4096, 0, 0), (0, 0)),  # some file systems count no inodes
    ],
)
def test_bytes_and_inodes_have_their_water_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: Space, over: tuple[int, int]
) -> None:
    monkeypatch.setattr(eviction.os, "statvfs", lambda _: space)
    assert eviction.excess(tmp_path, Budget(90, 80), eviction.Usage(0, 0)) == over
    assert cleaner(tmp_path, Budget(90, 80)).is_full() == (over != (0, 0))


def test_what_a_killed_writer_left_goes_after_a_while_and_no_file_of_ours_does(tmp_path: Path) -> None:
    fill(tmp_path, {"0000": 0})
    torn = tmp_path / "00" / "00" / ".new-0123"
    torn.write_bytes(b"half")
    (tmp_path / ".locks").mkdir()
    (tmp_path / ".locks" / "000").touch()
    cleaner(tmp_path, Budget(99, 98)).clean()
    assert torn.exists()
    cleaner(tmp_path, Budget(99, 98), time.time() + 7200).clean()
    assert not torn.exists()
    assert left(tmp_path) == {"0000"}
    assert (tmp_path / ".locks" / "000").exists()
