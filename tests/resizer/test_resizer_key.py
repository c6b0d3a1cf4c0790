"""A key names an original and nothing else: not a way out of the tree, not our own files, not a result."""

from __future__ import annotations

import itertools

import pytest

from resizer.address import Rules, parse
from resizer.errors import BadAddressError

OPEN = Rules(unsigned=True)
REFUSED = [
    "",
    ".",
    "..",
    "../etc/passwd",
    "a/../../b",
    "./a",
    "/a",
    "a//b.jpg",
    "a/",
    ".python/w300/a",
    "a/.locks",
    "a\\b",
    "a\x00.jpg",
    "a\nb.jpg",
    "a\x7f",
    "a\x85",
    "a\udc80",
    "%2e%2e/a",
    "a%2Fb",
    "a%5cb",
    "a%00",
    "k" * 1025,
    "ä" * 513,
    "resized/w300/a.jpg",
    "resized",
    "http://169.254.169.254/latest/meta-data",
    "https://example.org/a.jpg",
]


@pytest.mark.parametrize("key", REFUSED)
@pytest.mark.parametrize("head", ["/medium/", "/unsafe/full/"])
def test_a_key_that_no_original_has_is_refused_with_the_next_step(head: str, key: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        parse(head + key, OPEN)
    assert "The key" in str(caught.value)
    assert caught.value.hint


def test_results_are_out_of_reach_wherever_the_originals_are() -> None:
    inside = Rules(prefix="photos", results_prefix="photos/small")
    assert parse("/medium/large/a.jpg", inside)
    with pytest.raises(BadAddressError, match="names a result"):
        parse("/medium/small/w300/a.jpg", inside)


def test_an_accepted_key_never_leads_out_of_its_tree() -> None:
    accepted = 0
    for letters in itertools.product("/.a\\\x00ä", repeat=5):
        key = "".join(letters)
        try:
            address = parse("/medium/" + key, Rules())
        except BadAddressError:
            continue
        accepted += 1
        assert address.path == "medium/" + key
        assert not {"", ".", ".."} & set(address.path.split("/"))
    assert accepted > 100


def test_another_server_s_address_is_at_most_a_name_in_the_store() -> None:
    assert parse("/medium/http:/169.254.169.254/a.jpg", OPEN).key == "http:/169.254.169.254/a.jpg"
