"""The disk cache: files whole or not at all, under names that Apache can reckon from the URL."""

from __future__ import annotations

import errno
import hashlib
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
from resizer.media import media_type
from resizer.options import Options
from resizer.place import etag_of_master, master_place, place

JPEG = Blob(encoded(Image.new("RGB", (3, 2))), 1_500_000_000)
PNG = Blob(encoded(Image.new("RGB", (3, 2)), "PNG"), 1_500_000_000)
SIGNATURE = "s" * 43


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path)


def preset(key: str, name: str = "thumb", **options: Any) -> Address:
    return Address(Options(width=150, **options), key, f"{name}/{key}", preset=name)


def signed(key: str, options: str = "w300") -> Address:
    return Address(Options(width=300), key, f"{SIGNATURE}/{options}/{key}", signed=True)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("address", "end"),
    [
        (preset("a.jpg"), "-,thumb.jpeg"),
        (preset("b/ä.PNG"), "-,thumb.png"),
        (preset("a"), "-,thumb.jpeg"),
        (preset("a.jpg", format="webp"), "-,thumb.webp"),
        (signed("a?b/c d.gif"), f"-{SIGNATURE},w300.gif"),
        (Address(Options(width=300), "a.jpg", "unsafe/w300/a.jpg"), "-unsafe,w300.jpeg"),
    ],
)
def test_a_file_is_named_by_the_hash_of_its_key_and_the_head_of_its_url(address: Address, end: str) -> None:
    digest = hashlib.sha1(address.key.encode()).hexdigest()  # noqa: S324
    assert place(address) == f"{digest[:2]}/{digest[2:4]}/{digest[4:]}{end}"


def test_what_was_negotiated_lies_where_no_url_leads() -> None:
    address = Address(Options(width=300, format="avif"), "a.jpg", f"{SIGNATURE}/w300,f_auto/a.jpg")
    assert str(place(address, negotiated=True)).endswith("-=,w300,f_avif.avif")


def test_a_master_s_name_tells_the_etag_of_its_original() -> None:
    for etag in ("0123abcd-7", 'W/"x y"', "../é", "k" * 120):
        where = master_place("a.jpg", etag)
        assert where.count("/") == 2
        assert etag_of_master(where.rpartition("/")[2]) == etag


def test_what_was_written_is_read_back(cache: DiskCache) -> None:
    assert cache.write(preset("a.jpg"), JPEG)
    found = cache.read(preset("a.jpg"))
    assert found is not None
    assert (found.data, found.modified) == (JPEG.data, JPEG.modified)
    assert cache.read(preset("a.jpg", "large")) is None


def test_files_have_their_original_s_time_and_anyone_may_read_them(cache: DiskCache) -> None:
    before = os.umask(0o022)
    try:
        cache.write(preset("a.jpg"), JPEG)
    finally:
        os.umask(before)
    state = (cache.root / str(place(preset("a.jpg")))).stat()
    assert state.st_mtime == JPEG.modified
    assert state.st_mode & 0o777 == 0o644


def test_options_too_long_for_a_file_s_name_are_not_kept(cache: DiskCache) -> None:
    address = signed("a.jpg", "v" + "1" * 300)
    assert not cache.write(address, JPEG)
    assert cache.read(address) is None
    assert files(cache.root) == []


def test_a_purge_takes_all_sizes_and_the_master_of_one_key_alone(cache: DiskCache) -> None:
    for address in (preset("a.jpg"), signed("a.jpg"), preset("b.jpg")):
        cache.write(address, JPEG)
    cache.write_master("a.jpg", Blob(JPEG.data, 1, source="etag"))
    assert cache.purge("a.jpg") == 3
    assert (cache.results("a.jpg"), cache.results("b.jpg")) == (0, 1)
    assert cache.master("a.jpg", 0) is None
    assert cache.purge("a.jpg") == 0


def test_a_master_is_not_a_result_and_grows_too_old(cache: DiskCache) -> None:
    cache.write_master("a.jpg", Blob(JPEG.data, 7, source="etag"))
    assert cache.results("a.jpg") == 0
    found = cache.master("a.jpg", 0)
    assert found is not None
    assert (found.data, found.modified, found.source) == (JPEG.data, 7, "etag")
    assert cache.master("a.jpg", found.stored + 1) is None


@pytest.mark.parametrize("content", [b"", b"<html>"])
def test_a_file_that_is_no_image_is_passed_over(cache: DiskCache, content: bytes) -> None:
    cache.write(preset("a.jpg"), JPEG)
    (cache.root / str(place(preset("a.jpg")))).write_bytes(content)
    assert cache.read(preset("a.jpg")) is None


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_is_full_or_read_only_is_logged_once_and_works_again_later(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: int
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(wholefile.os, "open", refuse)
        assert [cache.write(preset("a.jpg"), JPEG) for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert errno.errorcode[fault] in caplog.text
    assert cache.write(preset("a.jpg"), JPEG)
    assert "able to write again" in caplog.text


def test_a_disk_that_cannot_be_read_is_logged(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", refuse)
    with caplog.at_level(logging.WARNING):
        assert cache.read(preset("a.jpg")) is None
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
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(cache.read(preset("a.jpg")))
        fsync(descriptor)

    monkeypatch.setattr(wholefile.os, "fsync", look)
    cache.write(preset("a.jpg"), JPEG)
    assert seen == [None]
    assert cache.read(preset("a.jpg")) is not None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (JPEG.data, "image/jpeg"),
        (PNG.data, "image/png"),
        (encoded(Image.new("L", (3, 2)), "GIF"), "image/gif"),
        (encoded(Image.new("L", (3, 2)), "WEBP"), "image/webp"),
        (encoded(Image.new("L", (3, 2)), "AVIF"), "image/avif"),
        (encoded(Image.new("L", (3, 2)), "BMP"), None),
        (b"RIFF....WAVE", None),
        (b"", None),
    ],
)
def test_media_types_are_told_by_the_first_bytes(data: bytes, kind: str | None) -> None:
    assert media_type(data) == kind
