"""The configuration is strict: what is not understood is an error that says what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resizer.config import Config, parse, read
from resizer.errors import ConfigError


def test_a_bucket_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "resizer.toml"
    file.write_text('bucket = "photos"\n')
    config = read(file)
    assert config == Config(bucket="photos")
    assert config.cache_dir == Path("/var/cache/resizer")
    assert config.renders >= 1


def test_every_key_is_read(tmp_path: Path) -> None:
    document = {
        "folder": "/srv/photos",
        "prefix": "/originals/",
        "results_prefix": "out/small",
        "cache_dir": "/var/tmp/cache",  # noqa: S108 - a path to parse, nothing is made there
        "max_width": 2000,
        "max_pixels": 1_000_000,
        "max_original_bytes": 1_000,
        "quality": 70,
        "max_age_seconds": 60,
        "error_max_age_seconds": 1,
        "renders": 3,
        "queue_seconds": 2,
        "flight_seconds": 4,
    }
    expected = document | {"folder": Path("/srv/photos"), "prefix": "originals"}
    expected["cache_dir"] = Path(str(document["cache_dir"]))
    assert parse(document, "x") == Config(**expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"widht": 3}, "the key 'widht' is unknown"),
        ({"max_width": "300"}, "the key 'max_width' is '300'; it must be a whole number from 1 to 4096"),
        ({"max_width": 0}, "a whole number from 1 to 4096"),
        ({"max_width": 4097}, "a whole number from 1 to 4096"),
        ({"quality": True}, "the key 'quality' is True; it must be a whole number from 1 to 95"),
        ({"quality": 80.0}, "a whole number from 1 to 95"),
        ({"renders": 0}, "a whole number from 1 to 256"),
        ({"bucket": ""}, "the name of a bucket"),
        ({"bucket": 7}, "the key 'bucket' is 7; it must be a string"),
        ({"cache_dir": "cache"}, "an absolute path"),
        ({"prefix": "a/../b"}, "names joined by single slashes"),
        ({"prefix": "a//b"}, "names joined by single slashes"),
        ({"folder": "/srv"}, "exactly one of the keys 'bucket' and 'folder'"),
        ({"results_prefix": "/"}, "'results_prefix' is ''; it must not be empty"),
        ({"prefix": "resized/originals"}, "nor hold the originals under 'resized/originals'"),
        ({"prefix": "a", "results_prefix": "a"}, "nor hold the originals under 'a'"),
    ],
)
def test_an_error_names_file_and_key_and_what_would_be_right(extra: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"bucket": "photos"} | extra, "/etc/resizer.toml")
    assert str(caught.value).startswith("/etc/resizer.toml: ")
    assert sentence in str(caught.value)
    assert caught.value.hint


def test_without_bucket_and_folder_there_is_nothing_to_serve() -> None:
    with pytest.raises(ConfigError, match="exactly one of the keys 'bucket' and 'folder'"):
        parse({}, "x")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: the configuration cannot be read: No such file"):
        read(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"bucket = ", b'bucket = "\xff"'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.toml: the configuration is not TOML"):
        read(tmp_path / "bad.toml")


def test_keys_of_the_store_begin_with_their_prefixes() -> None:
    config = Config(bucket="b", prefix="originals", results_prefix="small")
    assert config.original("a/b.jpg") == "originals/a/b.jpg"
    assert config.result("w300/a/b.jpg") == "small/w300/a/b.jpg"
    assert Config(bucket="b").original("a/b.jpg") == "a/b.jpg"
