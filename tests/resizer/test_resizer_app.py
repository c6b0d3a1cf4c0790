"""The application: where a result comes from, and what goes with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from resizer_node import MODIFIED, PHOTO, Node, WatchedStore
from resizer_picture import encoded, opened, quarters

from resizer.blob import Blob
from resizer.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_first_request_renders_and_keeps_the_result_in_both_places(photo: Node) -> None:
    answer = photo.get("/w300/a.jpg")
    assert answer.status == 200
    assert answer.image.size == (300, 200)
    assert answer.headers == {
        "Content-Type": "image/jpeg",
        "Content-Length": str(len(answer.body)),
        "X-Content-Type-Options": "nosniff",
        "X-Resizer": "rendered",
        "Cache-Control": "public, max-age=86400",
        "ETag": f'"{len(answer.body):x}-{MODIFIED * 1_000_000:x}"',
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    }
    assert (photo.cache.root / "w300/a.jpg").read_bytes() == answer.body
    assert (photo.store.root / "resized/w300/a.jpg").read_bytes() == answer.body
    assert (photo.cache.root / "w300/a.jpg").stat().st_mtime == MODIFIED
    assert photo.store.log == [
        ("read", "resized/w300/a.jpg"),
        ("read", "a.jpg"),
        ("write", "resized/w300/a.jpg"),
    ]


def test_a_second_request_asks_the_disk_alone(photo: Node) -> None:
    first = photo.get("/w300/a.jpg")
    photo.store.log.clear()
    second = photo.get("/w300/a.jpg")
    assert photo.store.log == []
    assert second.headers.pop("X-Resizer") == "disk"
    assert second.headers.items() <= first.headers.items()
    assert second.body == first.body


def test_a_second_node_takes_the_result_from_the_store(photo: Node, tmp_path: Path) -> None:
    first = photo.get("/w300/a.jpg")
    other = Node(tmp_path / "other", store=WatchedStore(photo.store.root))
    second = other.get("/w300/a.jpg")
    assert other.store.log == [("read", "resized/w300/a.jpg")]
    assert second.headers.pop("X-Resizer") == "store"
    assert second.headers.items() <= first.headers.items()
    assert (other.cache.root / "w300/a.jpg").read_bytes() == first.body


def test_the_upload_waits_for_the_disk(photo: Node) -> None:
    on_disk: list[bool] = []

    def look(verb: str, _key: str) -> None:
        on_disk.append((photo.cache.root / "w300/a.jpg").exists() and verb == "write")

    photo.store.before = look
    photo.get("/w300/a.jpg")
    assert on_disk == [False, False, True]


def test_prefixes_are_honoured(tmp_path: Path) -> None:
    node = Node(tmp_path, prefix="originals", results_prefix="small")
    node.upload("originals/b/a.jpg", PHOTO)
    assert node.get("/w300/b/a.jpg").status == 200
    assert (node.store.root / "small/w300/b/a.jpg").is_file()


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("/w30/%C3%A4%20b%2Bc/d.jpg", "ä b+c/d.jpg"),
        ("/w30/%E5%86%99%E7%9C%9F.jpg", "写真.jpg"),
        ("/w30/a.jpg?v=2", "a.jpg"),
        ("/w30/100%25%3F.jpg", "100%?.jpg"),
    ],
)
def test_keys_are_percent_decoded_utf_8(node: Node, url: str, key: str) -> None:
    node.upload(key, PHOTO)
    assert node.get(url).image.size == (30, 20)
    assert (node.cache.root / "w30" / key).is_file()


@pytest.mark.parametrize(("fmt", "kind"), [("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif")])
def test_the_content_type_is_that_of_the_bytes_wherever_they_come_from(
    node: Node, fmt: str, kind: str
) -> None:
    node.upload("a.jpg", encoded(quarters(90, 60), fmt))
    for origin in ("rendered", "disk"):
        answer = node.get("/w30/a.jpg")
        assert (answer.headers["Content-Type"], answer.headers["X-Resizer"]) == (f"image/{kind}", origin)
    assert not (node.cache.root / "w30/a.jpg").exists()


def test_a_bitmap_becomes_a_jpeg_that_only_python_serves(node: Node) -> None:
    node.upload("a.bmp", encoded(quarters(90, 60), "BMP"))
    for origin in ("rendered", "disk"):
        answer = node.get("/w30/a.bmp")
        assert (answer.headers["Content-Type"], answer.headers["X-Resizer"]) == ("image/jpeg", origin)
    assert not (node.cache.root / "w30/a.bmp").exists()


@pytest.mark.parametrize("url", ["/w300/a.jpg", "/w300/absent.jpg", "/health", "/nothing"])
def test_head_gets_the_headers_of_get_and_no_body(photo: Node, url: str) -> None:
    photo.get(url)
    get, head = photo.get(url), photo.get(url, "HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(head.headers["Content-Length"]) == len(get.body) > 0


def test_health_is_small_and_asks_nobody(node: Node) -> None:
    answer = node.get("/health")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.headers["Cache-Control"] == "no-store"
    assert node.store.log == []
    assert not node.cache.root.exists()


def test_a_copy_at_hand_is_confirmed_by_its_etag(photo: Node) -> None:
    tag = photo.get("/w300/a.jpg").headers["ETag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = photo.get("/w300/a.jpg", if_none_match=header)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert set(answer.headers) == {"Cache-Control", "ETag", "Last-Modified"}
    assert photo.get("/w300/a.jpg", if_none_match='"other"').status == 200


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 304),
        ("Wed, 15 Nov 2023 00:00:00 GMT", 304),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 200),
        ("Tue, 14 Nov 2023 22:13:20 -0000", 304),
        ("yesterday", 200),
        ("", 200),
    ],
)
def test_a_copy_at_hand_is_confirmed_by_its_date(photo: Node, since: str, status: int) -> None:
    assert photo.get("/w300/a.jpg", if_modified_since=since).status == status


def test_the_etag_decides_where_there_are_both(photo: Node) -> None:
    late = "Wed, 15 Nov 2023 00:00:00 GMT"
    assert photo.get("/w300/a.jpg", if_none_match='"other"', if_modified_since=late).status == 200


def test_a_result_the_store_does_not_keep_is_served_all_the_same(
    photo: Node, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(verb: str, _key: str) -> None:
        if verb == "write":
            raise StoreError("The store is full.", "Empty it.")

    photo.store.before = fail
    assert photo.get("/w300/a.jpg").image.size == (300, 200)
    assert "The store is full. Empty it." in caplog.text
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "disk"


@pytest.mark.parametrize("keys", [("a", "a/b"), ("a/b", "a")])
def test_a_key_that_is_a_directory_of_another_is_served_from_the_store(
    tmp_path: Path, keys: tuple[str, str]
) -> None:
    originals = dict.fromkeys(keys, PHOTO)

    class Bucket(WatchedStore):
        """Unlike a folder, a bucket may hold both."""

        def read(self, key: str, max_bytes: int) -> Blob:
            return Blob(originals[key], MODIFIED) if key in originals else super().read(key, max_bytes)

        def write(self, key: str, blob: Blob, media_type: str) -> None:
            originals[key] = blob.data

    node = Node(tmp_path, store=Bucket(tmp_path))
    seen = [node.get(f"/w30/{key}").headers["X-Resizer"] for key in (*keys, *keys)]
    assert seen == ["rendered", "rendered", "disk", "store"]


def test_without_a_disk_every_request_is_served_from_the_store(photo: Node) -> None:
    photo.cache.root.write_bytes(b"a file where the cache should be")
    assert [photo.get("/w300/a.jpg").headers["X-Resizer"] for _ in range(3)] == ["rendered", "store", "store"]


def test_a_stored_result_that_is_no_image_is_replaced(photo: Node) -> None:
    photo.upload("resized/w300/a.jpg", b"")
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "rendered"
    assert opened((photo.store.root / "resized/w300/a.jpg").read_bytes()).size == (300, 200)


def test_a_cached_file_that_is_no_image_is_replaced(photo: Node) -> None:
    whole = photo.get("/w300/a.jpg").body
    (photo.cache.root / "w300/a.jpg").write_bytes(b"")
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "store"
    assert (photo.cache.root / "w300/a.jpg").read_bytes() == whole


def test_an_original_s_time_follows_it_through_everything(photo: Node) -> None:
    os.utime(photo.store.root / "a.jpg", (1_600_000_000, 1_600_000_000))
    answer = photo.get("/w300/a.jpg")
    assert answer.headers["Last-Modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    for path in (photo.cache.root / "w300/a.jpg", photo.store.root / "resized/w300/a.jpg"):
        assert path.stat().st_mtime == 1_600_000_000


def test_a_transparent_tiff_is_laid_on_white(node: Node) -> None:
    node.upload("a.tiff", encoded(Image.new("RGBA", (90, 60), (0, 0, 0, 0)), "TIFF"))
    assert node.get("/w30/a.tiff").image.getpixel((5, 5)) == (255, 255, 255)
