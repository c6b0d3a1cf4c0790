"""Refusals: each has its status, its code, and a sentence; and nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from resizer_node import PHOTO, Node
from resizer_picture import encoded, quarters

from resizer.blob import Blob
from resizer.errors import StoreError, StoreTimeoutError
from resizer.renderer import OwnRenderer

if TYPE_CHECKING:
    from pathlib import Path


def test_every_refusal_is_typed_plain_text_that_is_forgotten_soon(photo: Node) -> None:
    answer = photo.get("/w300/absent.jpg")
    assert answer.status == 404
    assert answer.body == b"missing There is no object 'absent.jpg'.\n"
    assert answer.headers == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(answer.body)),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "public, max-age=5",
    }


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/a.jpg",
        "/w0/a.jpg",
        "/w4097/a.jpg",
        "/w300/",
        "/w300/../a.jpg",
        "/w300/%2e%2e/a.jpg",
        "/w300//a.jpg",
        "/w300/a%00.jpg",
        "/w300/a%5Cb.jpg",
        "/w300/%FF.jpg",
        "/w300/resized/w300/a.jpg",
    ],
)
def test_a_bad_address_is_400(photo: Node, url: str) -> None:
    answer = photo.get(url)
    assert answer.status == 400
    assert answer.body.startswith(b"bad_address ")
    assert photo.store.log == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_405(photo: Node, method: str) -> None:
    answer = photo.get("/w300/a.jpg", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_too_many_pixels_are_413(tmp_path: Path) -> None:
    node = Node(tmp_path, max_pixels=900 * 600 - 1)
    node.upload("a.jpg", PHOTO)
    answer = node.get("/w300/a.jpg")
    assert answer.status == 413
    assert answer.body.startswith(b"too_many_pixels The original has 900 x 600 pixels")


def test_too_many_bytes_are_413(tmp_path: Path) -> None:
    node = Node(tmp_path, max_original_bytes=len(PHOTO) - 1)
    node.upload("a.jpg", PHOTO)
    answer = node.get("/w300/a.jpg")
    assert answer.status == 413
    assert answer.body.startswith(b"too_many_bytes ")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"<html></html>", 415, b"not_an_image "),
        (b"", 415, b"not_an_image "),
        (PHOTO[:-2000], 422, b"undecodable "),
    ],
)
def test_what_cannot_be_rendered_leaves_nothing_behind(
    node: Node, data: bytes, status: int, code: bytes
) -> None:
    node.upload("a.jpg", data)
    answer = node.get("/w300/a.jpg")
    assert answer.status == status
    assert answer.body.startswith(code)
    assert not list(node.cache.root.glob("??"))
    assert not (node.store.root / "resized").exists()


@pytest.mark.parametrize(("error", "status"), [(StoreError, 503), (StoreTimeoutError, 504)])
@pytest.mark.parametrize("failing", ["resized/w300/a.jpg", "a.jpg"])
def test_a_store_that_fails_is_the_store_s_fault(
    photo: Node, error: Any, status: int, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_verb: str, key: str) -> None:
        if key == failing:
            raise error("The store is ill.", "Call the doctor.")

    photo.store.before = fail
    answer = photo.get("/w300/a.jpg")
    assert answer.status == status
    assert answer.headers["Retry-After"] == "5"
    assert answer.body.decode() == f"{error.code} The store is ill.\n"
    assert "Call the doctor." in caplog.text
    photo.store.before = lambda _verb, _key: None
    assert photo.get("/w300/a.jpg").status == 200


def test_when_all_renderers_are_busy_the_answer_is_503_with_a_time_to_come_back(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.renderer = OwnRenderer(1, 0)
    node.start()
    node.upload("a.jpg", PHOTO)
    node.store.write(
        "resized/w30/a.jpg", Blob(encoded(quarters(30, 20)), 0, source=node.store.etag("a.jpg")), ""
    )
    with node.renderer._gate.passage():
        answer = node.get("/w300/a.jpg")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.body.startswith(b"busy ")
        # A result that is ready needs no renderer.
        assert node.get("/w30/a.jpg").status == 200
    assert node.get("/w300/a.jpg").status == 200
