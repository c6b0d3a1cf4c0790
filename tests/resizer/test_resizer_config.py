"""The configuration is strict: what is not understood is an error that says what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resizer.config import Config, keys, parse, read
from resizer.errors import ConfigError
from resizer.options import Options
from resizer.spelling import Bounds


def test_a_bucket_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "resizer.toml"
    file.write_text('bucket = "photos"\n')
    config = read(file)
    assert config == Config(bucket="photos")
    assert config.cache_dir == Path("/var/cache/resizer")
    assert config.renders >= 1


def test_every_key_is_read() -> None:
    document = {
        "folder": "/srv/photos",
        "prefix": "/originals/",
        "results_prefix": "out/small",
        "cache_dir": "/srv/cache",
        "run_dir": "/run/resizer",
        "presets": {"tiny": "w9"},
        "presets_only": True,
        "unsigned": True,
        "signing_keys": ["0123456789abcdef", "fedcba9876543210"],
        "max_width": 2000,
        "max_height": 1000,
        "formats": ["jpeg", "png"],
        "max_original_bytes": 1_000,
        "max_pixels": 1_000_000,
        "max_frames": 5,
        "max_animated_pixels": 6,
        "max_output_pixels": 7,
        "decode_seconds": 8,
        "quality": 70,
        "masters": False,
        "master_side": 1024,
        "revalidate_seconds": 9,
        "purge_poll_seconds": 10,
        "immutable": ["versioned"],
        "max_age_seconds": 60,
        "error_max_age_seconds": 1,
        "allow_origins": ["*"],
        "timing_allow_origins": ["https://a.example", "https://b.example"],
        "fallback": "/srv/missing.png",
        "fallback_status": 200,
        "renders": 3,
        "queue_length": 11,
        "queue_seconds": 2,
        "flight_seconds": 4,
        "uploads_waiting": 12,
        "store_connect_seconds": 2,
        "store_read_seconds": 3,
        "store_attempts": 1,
        "cache_max_bytes": 13,
        "cache_high_percent": 70,
        "cache_low_percent": 60,
    }
    config = parse(document, "x")
    for key, value in document.items():
        read = getattr(config, key)
        expected = "originals" if key == "prefix" else tuple(value) if isinstance(value, list) else value
        assert (str(read) if isinstance(read, Path) else read) == expected, key
    assert {"bucket", *document} == {key for key, _, _ in keys()}


def test_rules_are_what_a_url_may_ask_for() -> None:
    config = Config(
        bucket="b", presets={"tiny": "h7,w9,fill"}, signing_keys=("a key, and long enough",), max_width=900
    )
    rules = config.rules
    assert rules.presets == {"tiny": Options(9, 7, "fill")}
    assert rules.signing_keys == (b"a key, and long enough",)
    assert rules.bounds == Bounds(900, 4096)
    assert (rules.unsigned, rules.presets_only) == (False, False)


@pytest.mark.parametrize(
    "given", ["tiny=w9 tall=h9,gray", ["tiny=w9", "tall=h9,gray"], {"tiny": "w9", "tall": "h9,gray"}]
)
def test_presets_are_a_table_or_words_as_an_input_gives_them(given: Any) -> None:
    rules = parse({"bucket": "b", "presets": given}, "x").rules
    assert rules.presets == {"tiny": Options(9), "tall": Options(height=9, gray=True)}


def test_presets_are_shipped() -> None:
    assert Config(bucket="b").rules.presets == {
        "thumb": Options(150, 150, "fill"),
        "medium": Options(300, 300),
        "large": Options(1024, 1024),
    }


def test_signing_keys_may_be_words_of_one_string() -> None:
    config = parse({"bucket": "b", "signing_keys": "0123456789abcdef fedcba9876543210"}, "x")
    assert config.rules.signing_keys == (b"0123456789abcdef", b"fedcba9876543210")


def test_signing_keys_are_never_told() -> None:
    config = parse({"bucket": "b", "signing_keys": ["a secret that is long"]}, "x")
    assert "a secret" not in repr(config)
    for wrong in ("a secret", ["a secret"], [["a secret"]]):
        with pytest.raises(ConfigError) as caught:
            parse({"bucket": "b", "signing_keys": wrong}, "x")
        assert "a secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"widht": 3}, "the key 'widht' is unknown"),
        ({"max_width": "300"}, "the key 'max_width' is '300'; it must be a whole number from 1 to 16383"),
        ({"max_width": 0}, "a whole number from 1 to 16383"),
        ({"max_width": 16384}, "a whole number from 1 to 16383"),
        ({"quality": True}, "the key 'quality' is True; it must be a whole number from 1 to 100"),
        ({"quality": 80.0}, "a whole number from 1 to 100"),
        ({"renders": 0}, "a whole number from 1 to 256"),
        ({"bucket": ""}, "the name of a bucket"),
        ({"bucket": 7}, "the key 'bucket' is 7; it must be the name of a bucket"),
        ({"cache_dir": "cache"}, "an absolute path"),
        ({"prefix": "a/../b"}, "names joined by single slashes"),
        ({"prefix": "a//b"}, "names joined by single slashes"),
        ({"prefix": 7}, "names joined by single slashes"),
        ({"unsigned": "yes"}, "the key 'unsigned' is 'yes'; it must be true or false"),
        ({"formats": ["jpeg", "svg"]}, "a list of some of jpeg, png"),
        ({"allow_origins": 7}, "a list of strings"),
        ({"presets": 7}, "the key 'presets' is 7; it must be a table such as thumb ="),
        ({"presets": {"thumb": 7}}, "a table such as"),
        ({"presets": "thumb"}, "or words such as thumb=w150"),
        ({"presets": "a=w1 a=w2"}, "or words such as thumb=w150"),
        ({"presets": {"Thumb": "w9"}}, "'Thumb' cannot be the name of a preset"),
        ({"presets": {"unsafe": "w9"}}, "'unsafe' cannot be the name of a preset"),
        ({"presets": {"health": "w9"}}, "'health' cannot be the name of a preset"),
        ({"presets": {"a" * 33: "w9"}}, "cannot be the name of a preset"),
        ({"presets": {"tiny": "w9,w8"}}, "the preset 'tiny' is 'w9,w8'. The option 'w8' is the second"),
        ({"presets": {"huge": "w5000"}}, "the preset 'huge' is 'w5000'. The option 'w5000' stands for"),
        ({"signing_keys": ["short"]}, "one of the 'signing_keys' is shorter than 16 bytes"),
        ({"signing_keys": 7}, "the key 'signing_keys' is not that; it must be a list of strings"),
        ({"cache_low_percent": 90}, "'cache_low_percent' is not below 'cache_high_percent'"),
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
