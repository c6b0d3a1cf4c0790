"""The application: where a result comes from, and what goes with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

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
        "X-Resizer": "render",
        "Cache-Control": "public, max-age=86400",
        "ETag": f'"{len(answer.body):x}-{MODIFIED * 1_000_000:x}"',
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    }
    assert photo.file("/w300/a.jpg").read_bytes() == answer.body
    assert (photo.store.root / "resized/w300/a.jpg").read_bytes() == answer.body
    assert photo.file("/w300/a.jpg").stat().st_mtime == MODIFIED
    assert photo.store.log == [
        ("read", "resized/w300/a.jpg"),
        ("read", "resized/.masters/a.jpg"),
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
    assert second.headers.pop("X-Resizer") == "s3"
    assert second.headers.items() <= first.headers.items()
    assert other.file("/w300/a.jpg").read_bytes() == first.body


def test_the_upload_waits_for_the_disk(photo: Node) -> None:
    on_disk: list[bool] = []

    def look(verb: str, _key: str) -> None:
        on_disk.append(photo.file("/w300/a.jpg").exists() and verb == "write")

    photo.store.before = look
    photo.get("/w300/a.jpg")
    assert on_disk == [False, False, False, True]


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
    assert node.file(url.partition("?")[0]).is_file()


@pytest.mark.parametrize("key", ["a.bmp", "a", "a.jpg"])
def test_without_an_image_format_in_its_name_a_result_is_a_jpeg(node: Node, key: str) -> None:
    node.upload(key, encoded(quarters(90, 60), "BMP"))
    for origin in ("render", "disk"):
        answer = node.get(f"/w30/{key}")
        assert (answer.headers["Content-Type"], answer.headers["X-Resizer"]) == ("image/jpeg", origin)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/avif,image/webp,*/*", "avif"),
        ("text/html, image/webp;q=0.8", "webp"),
        ("image/webp;q=0, image/*", "jpeg"),
        ("image/avif;q=x", "jpeg"),
        ("*/*", "jpeg"),
        ("", "jpeg"),
    ],
)
def test_the_client_decides_where_the_url_leaves_it_open(tmp_path: Path, accept: str, kind: str) -> None:
    node = Node(tmp_path, unsigned=True)
    node.upload("a.jpg", PHOTO)
    for origin in ("render", "disk"):
        answer = node.get("/unsafe/w30,f_auto/a.jpg", accept=accept)
        assert answer.headers["Content-Type"] == f"image/{kind}"
        assert (answer.headers["Vary"], answer.headers["X-Resizer"]) == ("Accept", origin)
    (kept,) = (path.name for path in node.cache.root.glob("??/??/*"))
    assert "-=," in kept  # where no URL leads Apache


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
        assert set(answer.headers) == {"Cache-Control", "ETag", "Last-Modified", "X-Resizer"}
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


def test_keys_that_are_folders_of_others_are_kept_like_all(tmp_path: Path) -> None:
    originals = dict.fromkeys(("a", "a/b"), PHOTO)

    class Bucket(WatchedStore):
        """Unlike a folder, a bucket may hold both."""

        def read(self, key: str, max_bytes: int) -> Blob:
            return Blob(originals[key], MODIFIED) if key in originals else super().read(key, max_bytes)

        def write(self, key: str, blob: Blob, media_type: str) -> None:
            originals[key] = blob.data

    node = Node(tmp_path, store=Bucket(tmp_path))
    seen = [node.get(f"/w30/{key}").headers["X-Resizer"] for key in ("a", "a/b", "a", "a/b")]
    assert seen == ["render", "render", "disk", "disk"]


def test_without_a_disk_every_request_is_served_from_the_store(photo: Node) -> None:
    photo.cache.root.write_bytes(b"a file where the cache should be")
    assert [photo.get("/w300/a.jpg").headers["X-Resizer"] for _ in range(3)] == ["render", "s3", "s3"]


def test_a_stored_result_that_is_no_image_is_replaced(photo: Node) -> None:
    photo.upload("resized/w300/a.jpg", b"")
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "render"
    assert opened((photo.store.root / "resized/w300/a.jpg").read_bytes()).size == (300, 200)


def test_a_cached_file_that_is_no_image_is_replaced(photo: Node) -> None:
    whole = photo.get("/w300/a.jpg").body
    photo.file("/w300/a.jpg").write_bytes(b"")
    assert photo.get("/w300/a.jpg").headers["X-Resizer"] == "s3"
    assert photo.file("/w300/a.jpg").read_bytes() == whole


def test_an_original_s_time_follows_it_through_everything(photo: Node) -> None:
    os.utime(photo.store.root / "a.jpg", (1_600_000_000, 1_600_000_000))
    answer = photo.get("/w300/a.jpg")
    assert answer.headers["Last-Modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    for path in (photo.file("/w300/a.jpg"), photo.store.root / "resized/w300/a.jpg"):
        assert path.stat().st_mtime == 1_600_000_000


def test_a_transparent_tiff_is_laid_on_white(node: Node) -> None:
    node.upload("a.tiff", encoded(Image.new("RGBA", (90, 60), (0, 0, 0, 0)), "TIFF"))
    assert node.get("/w30/a.tiff").image.getpixel((5, 5)) == (255, 255, 255)


def test_a_reply_names_its_request_unless_the_server_does(photo: Node) -> None:
    answers = []
    for given in ({}, {"UNIQUE_ID": "given"}):
        begun: list[Any] = []
        environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/health", **given}
        b"".join(photo.application(environ, lambda *start, begun=begun: begun.append(start)))
        answers.append(dict(begun[0][1]))
    assert len(answers[0]["X-Request-Id"]) >= 12
    assert "X-Request-Id" not in answers[1]


def test_a_url_that_never_changes_its_meaning_may_be_kept_for_a_year(tmp_path: Path) -> None:
    node = Node(tmp_path, unsigned=True)
    node.upload("a.jpg", PHOTO)
    ages = {
        url: node.get(url).headers["Cache-Control"] for url in ("/unsafe/w30,v7/a.jpg", "/unsafe/w30/a.jpg")
    }
    assert ages == {
        "/unsafe/w30,v7/a.jpg": "public, max-age=31536000, immutable",
        "/unsafe/w30/a.jpg": "public, max-age=86400",
    }


def test_two_urls_of_one_result_cost_one_rendering_and_get_a_file_each(tmp_path: Path) -> None:
    node = Node(tmp_path, unsigned=True)
    node.upload("a.jpg", PHOTO)
    seen = [node.get(url).headers["X-Resizer"] for url in ("/unsafe/w30/a.jpg", "/w30/a.jpg", "/w30/a.jpg")]
    assert seen == ["render", "s3", "disk"]


@pytest.mark.parametrize(
    ("allowed", "origin", "headers"),
    [
        ((), "https://a.example", {}),
        (("*",), "https://a.example", {"Access-Control-Allow-Origin": "*"}),
        (
            ("https://a.example",),
            "https://a.example",
            {"Access-Control-Allow-Origin": "https://a.example", "Vary": "Origin"},
        ),
        (("https://a.example",), "https://evil.example", {"Vary": "Origin"}),
    ],
)
def test_other_sites_read_images_where_the_configuration_says_so(
    tmp_path: Path, allowed: tuple[str, ...], origin: str, headers: dict[str, str]
) -> None:
    node = Node(tmp_path, allow_origins=allowed, timing_allow_origins=allowed)
    node.upload("a.jpg", PHOTO)
    answer = node.get("/w30/a.jpg", origin=origin)
    names = ("Access-Control-Allow-Origin", "Vary")
    assert {name: answer.headers[name] for name in names if name in answer.headers} == headers
    assert answer.headers.get("Timing-Allow-Origin") == (", ".join(allowed) or None)
