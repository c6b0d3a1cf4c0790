"""The disk cache: files whole or not at all, where Apache finds those it would name rightly."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from resizer_picture import encoded

from resizer import wholefile
from resizer.address import Address
from resizer.blob import Blob
from resizer.cache import DiskCache
from resizer.media import media_type, type_by_name
from resizer.options import Options

JPEG = Blob(encoded(Image.new("RGB", (3, 2))), 1_500_000_000)
PNG = Blob(encoded(Image.new("RGB", (3, 2)), "PNG"), 1_500_000_000)


def address_of(width: int, key: str) -> Address:
    return Address(Options(width), key, f"w{width}/{key}")


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("key", "blob", "place"),
    [
        ("a.jpg", JPEG, "w300/a.jpg"),
        ("b/c/a.JPEG", JPEG, "w300/b/c/a.JPEG"),
        ("photo.2024.jpg", JPEG, "w300/photo.2024.jpg"),
        ("ä.png", PNG, "w300/ä.png"),
        ("a.png", JPEG, ".python/w300/a.png"),
        ("a.bmp", JPEG, ".python/w300/a.bmp"),
        ("a", JPEG, ".python/w300/a"),
        ("a.html", PNG, ".python/w300/a.html"),
        ("a.gz.jpg", JPEG, ".python/w300/a.gz.jpg"),
        ("a.jpg.gz", JPEG, ".python/w300/a.jpg.gz"),
        ("b.jpg/a", JPEG, ".python/w300/b.jpg/a"),
    ],
)
def test_apache_finds_only_files_it_would_name_rightly(
    cache: DiskCache, key: str, blob: Blob, place: str
) -> None:
    address = address_of(300, key)
    assert cache.write(address, blob)
    assert files(cache.root) == [place]
    assert cache.read(address) == blob
    assert cache.read(address_of(301, key)) is None


def test_files_have_their_original_s_time_and_anyone_may_read_them(cache: DiskCache) -> None:
    before = os.umask(0o022)
    try:
        cache.write(address_of(300, "a.jpg"), JPEG)
    finally:
        os.umask(before)
    state = (cache.root / "w300/a.jpg").stat()
    assert state.st_mtime == JPEG.modified
    assert state.st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a.jpg", "a.jpg/b.jpg")])
def test_a_key_that_is_a_directory_of_another_is_not_kept(
    cache: DiskCache, first: str, second: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.write(address_of(300, first), JPEG)
    assert not cache.write(address_of(300, second), JPEG)
    assert "cannot keep" in caplog.text
    assert cache.read(address_of(300, first)) == JPEG
    assert cache.read(address_of(300, second)) is None
    assert len(files(cache.root)) == 1


def test_a_name_too_long_for_the_disk_is_not_kept(cache: DiskCache) -> None:
    address = address_of(300, "k" * 300 + ".jpg")
    assert not cache.write(address, JPEG)
    assert cache.read(address) is None


@pytest.mark.parametrize("content", [b"", b"<html>"])
def test_a_file_that_is_no_image_is_passed_over(cache: DiskCache, content: bytes) -> None:
    (cache.root / "w300").mkdir()
    (cache.root / "w300/a.jpg").write_bytes(content)
    assert cache.read(address_of(300, "a.jpg")) is None


def test_a_disk_that_cannot_be_read_is_logged(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", refuse)
    with caplog.at_level(logging.WARNING):
        assert cache.read(address_of(300, "a.jpg")) is None
    assert "Input/output error" in caplog.text


@pytest.mark.parametrize("step", ["fsync", "utime"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, fault: BaseException
) -> None:
    path = tmp_path / "w300" / "a.jpg"
    wholefile.write(path, JPEG)

    def break_off(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(wholefile.os, step, break_off)
    with pytest.raises(type(fault)):
        wholefile.write(path, PNG)
    with pytest.raises(type(fault)):
        wholefile.write(tmp_path / "w300" / "b.jpg", PNG)
    assert files(tmp_path) == ["w300/a.jpg"]
    assert path.read_bytes() == JPEG.data


def test_until_its_bytes_are_on_the_disk_a_file_is_not_to_be_seen(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Blob | None] = []
    address = address_of(300, "a.jpg")
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(cache.read(address))
        fsync(descriptor)

    monkeypatch.setattr(wholefile.os, "fsync", look)
    cache.write(address, JPEG)
    assert seen == [None]
    assert cache.read(address) == JPEG


def test_no_address_names_a_half_written_file(cache: DiskCache) -> None:
    assert wholefile.TEMPORARY_PREFIX.startswith(".")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (JPEG.data, "image/jpeg"),
        (PNG.data, "image/png"),
        (encoded(Image.new("L", (3, 2)), "GIF"), "image/gif"),
        (encoded(Image.new("L", (3, 2)), "WEBP"), "image/webp"),
        (encoded(Image.new("L", (3, 2)), "BMP"), None),
        (b"RIFF....WAVE", None),
        (b"", None),
    ],
)
def test_media_types_are_told_by_the_first_bytes(data: bytes, kind: str | None) -> None:
    assert media_type(data) == kind


def test_a_name_apache_may_read_otherwise_has_no_foreseeable_type() -> None:
    assert type_by_name("a/b.c/photo.JPG") == "image/jpeg"
    assert [type_by_name(key) for key in ("a.var.jpg", "jpg", "a.", "a.svg", "a.jpg/b")] == [None] * 5
