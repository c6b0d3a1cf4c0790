"""An address is /w{N}/{KEY}; everything else is refused, not tidied up."""

from __future__ import annotations

import itertools

import pytest

from resizer.address import Address, parse, path_of
from resizer.errors import BadAddressError


@pytest.mark.parametrize(
    ("path", "width", "key"),
    [
        ("/w300/a.jpg", 300, "a.jpg"),
        ("/w1/a", 1, "a"),
        ("/w4096/2024/05/ä b+c%.jpg", 4096, "2024/05/ä b+c%.jpg"),
        ("/w300/w200/a.jpg", 300, "w200/a.jpg"),
        ("/w300/a..b.jpg", 300, "a..b.jpg"),
        ("/w300/日本/写真.webp", 300, "日本/写真.webp"),
        ("/w300/" + "k" * 1024, 300, "k" * 1024),
    ],
)
def test_an_address_is_a_width_and_a_key(path: str, width: int, key: str) -> None:
    assert parse(path, 4096) == Address(width, key)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/w300",
        "/w300/",
        "/a.jpg",
        "w300/a.jpg",
        "/W300/a.jpg",
        "/h300/a.jpg",
        "/w/a.jpg",
        "/w0/a.jpg",
        "/w0300/a.jpg",
        "/w4097/a.jpg",
        "/w-1/a.jpg",
        "/w3_0/a.jpg",
        "/w\u0663\u0660/a.jpg",
        "/w99999999999999999999/a.jpg",
        "/w300//a.jpg",
        "/w300/a//b.jpg",
        "/w300/a/",
        "/w300/..",
        "/w300/../etc/passwd",
        "/w300/a/../../b",
        "/w300/./a",
        "/w300/.python/w300/a",
        "/w300/a\\b",
        "/w300/a\x00.jpg",
        "/w300/a\nb.jpg",
        "/w300/a\x7f",
        "/w300/a\x85",
        "/w300/" + "k" * 1025,
        "/w300/" + "ä" * 513,
    ],
)
def test_anything_else_is_refused_with_the_next_step(path: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        parse(path, 4096)
    assert str(caught.value)
    assert caught.value.hint


def test_the_largest_width_comes_from_the_configuration() -> None:
    with pytest.raises(BadAddressError, match="300 is not a whole number from 1 to 200"):
        parse("/w300/a.jpg", 200)


def test_an_accepted_address_leads_back_to_its_path_and_never_out_of_its_tree() -> None:
    accepted = 0
    for letters in itertools.product("/.a\\\x00ä", repeat=5):
        key = "".join(letters)
        try:
            address = parse("/w300/" + key, 4096)
        except BadAddressError:
            continue
        accepted += 1
        assert address.path == "w300/" + key
        assert not {"", ".", ".."} & set(address.path.split("/"))
    assert accepted > 100


def test_path_info_is_utf_8_dressed_up_as_latin_1() -> None:
    assert path_of("/w300/Ã¤.jpg") == "/w300/ä.jpg"


@pytest.mark.parametrize("path_info", ["/w300/\xff.jpg", "/w300/日"])
def test_a_path_that_is_no_utf_8_is_refused(path_info: str) -> None:
    with pytest.raises(BadAddressError, match="not UTF-8"):
        path_of(path_info)
