"""An address is signed options, unsigned ones, or a preset, and a key; everything else is refused."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resizer.address import Address, Rules, check_key, location, natural_format, parse, path_of
from resizer.errors import (
    BadAddressError,
    BadOptionError,
    Elsewhere,
    NotAllowedError,
    SignatureError,
)
from resizer.options import Options
from resizer.signature import sign

OLD, NEW = b"an old signing key", b"a newer signing key"
OPEN = Rules(unsigned=True, signing_keys=(NEW, OLD))


def signed(text: str, key: bytes = NEW) -> str:
    return f"/{sign(key, text)}/{text}"


@pytest.mark.parametrize(
    ("path", "options", "key"),
    [
        ("/unsafe/w300/a.jpg", Options(300), "a.jpg"),
        ("unsafe/w300/a.jpg", Options(300), "a.jpg"),
        ("/unsafe/w300,h200,fill/b/c/ä.PNG", Options(300, 200, "fill"), "b/c/ä.PNG"),
        ("/unsafe/w300/w200/a.jpg", Options(300), "w200/a.jpg"),
        ("/unsafe/w300/unsafe/w200/a.jpg", Options(300), "unsafe/w200/a.jpg"),
        ("/unsafe/full/a..b.jpg", Options(), "a..b.jpg"),
        ("/unsafe/full/100%.jpg", Options(), "100%.jpg"),
        ("/unsafe/full/a%20b.jpg", Options(), "a%20b.jpg"),
        ("/unsafe/full/日本/写真.webp", Options(), "日本/写真.webp"),
        ("/unsafe/full/" + "k" * 1024, Options(), "k" * 1024),
    ],
)
def test_an_unsigned_address_has_options_and_a_key(path: str, options: Options, key: str) -> None:
    address = parse(path, OPEN)
    assert (address.options, address.key, address.path) == (options, key, path.removeprefix("/"))
    assert (address.signed, address.preset, address.immutable) == (False, None, False)


def test_a_preset_stands_for_its_options_and_needs_no_signature() -> None:
    address = parse("/thumb/b/a.png", Rules())
    assert address == Address(Options(150, 150, "fill"), "b/a.png", "thumb/b/a.png", preset="thumb")
    assert address.result == "w150,h150,fill/b/a.png"
    assert address.head == "thumb"


@pytest.mark.parametrize("key", [NEW, OLD])
def test_every_signing_key_is_accepted(key: bytes) -> None:
    address = parse(signed("w300,q70/ä b.jpg", key), Rules(signing_keys=(NEW, OLD)))
    assert address.signed
    assert address.immutable
    assert address.result == "w300,q70/ä b.jpg"


def test_one_result_has_one_name_however_it_is_asked_for() -> None:
    ways = ["/thumb/a.jpg", "/unsafe/w150,h150,fill/a.jpg", signed("w150,h150,fill/a.jpg")]
    assert {parse(way, OPEN).result for way in ways} == {"w150,h150,fill/a.jpg"}


@pytest.mark.parametrize(
    "path",
    [
        signed("w300/a.jpg").replace("w300", "w301"),
        signed("w300/a.jpg").replace("a.jpg", "b.jpg"),
        signed("w300/a.jpg", b"a key of somebody else"),
        "/" + "A" * 43 + "/w300/a.jpg",
        "/" + "A" * 43 + "/w300/\ud800",
    ],
)
def test_a_signature_of_something_else_is_403(path: str) -> None:
    with pytest.raises(SignatureError, match="not one of ours") as caught:
        parse(path, OPEN)
    assert (caught.value.status, bool(caught.value.hint)) == (403, True)


def test_a_signature_has_one_spelling_though_its_last_character_has_bits_to_spare() -> None:
    good = sign(NEW, "w300/a.jpg")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = []
    for letter in letters:
        try:
            parse(f"/{good[:-1]}{letter}/w300/a.jpg", OPEN)
        except SignatureError:
            continue
        accepted.append(letter)
    assert accepted == [good[-1]]


def test_without_signing_keys_no_signature_is_good() -> None:
    with pytest.raises(SignatureError):
        parse(signed("w300/a.jpg"), Rules())


def test_unsigned_options_are_403_unless_configured() -> None:
    with pytest.raises(NotAllowedError, match="signed URLs and presets only") as caught:
        parse("/unsafe/w300/a.jpg", Rules(signing_keys=(NEW,)))
    assert caught.value.status == 403
    assert "thumb" in caught.value.hint


@pytest.mark.parametrize("path", ["/unsafe/w300/a.jpg", signed("w300/a.jpg")])
def test_with_presets_only_all_else_is_403(path: str) -> None:
    rules = Rules(presets_only=True, unsigned=True, signing_keys=(NEW,))
    with pytest.raises(NotAllowedError, match="presets only"):
        parse(path, rules)
    assert parse("/medium/a.jpg", rules).preset == "medium"


def test_an_unknown_preset_is_told_the_known_ones() -> None:
    with pytest.raises(BadAddressError, match="no preset 'tumb'") as caught:
        parse("/tumb/a.jpg", Rules())
    assert "large, medium, thumb" in caught.value.hint


def test_a_bad_option_is_named() -> None:
    with pytest.raises(BadOptionError, match="'w0'"):
        parse("/unsafe/w0/a.jpg", OPEN)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/unsafe/h200,w300/a.jpg", "/unsafe/w300,h200/a.jpg"),
        ("/unsafe/w300,f_jpeg/a.jpg", "/unsafe/w300/a.jpg"),
        ("/unsafe/f_jpg/ä b?.jpg", "/unsafe/full/%C3%A4%20b%3F.jpg"),
        ("/unsafe/w300,dpr2/a.jpg", "/unsafe/w600/a.jpg"),
    ],
)
def test_another_spelling_is_sent_to_the_canonical_one(path: str, where: str) -> None:
    with pytest.raises(Elsewhere) as caught:
        parse(path, OPEN)
    assert (caught.value.status, caught.value.location) == (301, where)
    assert caught.value.headers == (("Location", where),)
    assert parse(unquote(where), OPEN)


def test_a_signed_one_is_sent_on_with_a_signature_of_the_first_key() -> None:
    with pytest.raises(Elsewhere) as caught:
        parse(signed("h2,w3/a.jpg", OLD), OPEN)
    assert caught.value.location == signed("w3,h2/a.jpg", NEW)


@pytest.mark.parametrize(
    ("immutable", "expected"),
    [({"signed", "versioned"}, [1, 1, 1, 0]), ({"versioned"}, [0, 1, 1, 0]), (set(), [0, 0, 0, 0])],
)
def test_signed_and_versioned_urls_never_change_where_so_configured(
    immutable: set[str], expected: list[int]
) -> None:
    rules = Rules(unsigned=True, signing_keys=(NEW,), immutable=frozenset(immutable))
    paths = [signed("w300/a.jpg"), signed("w300,v1/a.jpg"), "/unsafe/w300,v1/a.jpg", "/unsafe/w300/a.jpg"]
    assert [parse(path, rules).immutable for path in paths] == [bool(each) for each in expected]


@pytest.mark.parametrize(
    ("path", "fmt"),
    [
        ("/unsafe/w3/a.jpg", "jpeg"),
        ("/unsafe/w3/a.JPEG", "jpeg"),
        ("/unsafe/w3/a.b.png", "png"),
        ("/unsafe/w3/a.tiff", "jpeg"),
        ("/unsafe/w3/png", "jpeg"),
        ("/unsafe/w3/a.png/b", "jpeg"),
        ("/unsafe/w3,f_webp/a.png", "webp"),
        ("/unsafe/w3,f_auto/a.png", "auto"),
    ],
)
def test_the_format_follows_from_the_url_alone(path: str, fmt: str) -> None:
    assert parse(path, OPEN).format == fmt


def test_what_was_negotiated_is_the_result_of_a_url_that_says_so() -> None:
    address = parse("/unsafe/w3,f_auto/a.png", OPEN)
    assert address.negotiated("webp").result == parse("/unsafe/w3,f_webp/a.png", OPEN).result
    assert address.negotiated("png").result == "w3/a.png"
    assert address.negotiated("avif").format == "avif"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/medium",
        "/w300",
        "/w300/a.jpg",
        "/unsafe",
        "/unsafe/w300",
        "//medium/a.jpg",
        "/Medium/a",
    ],
)
def test_anything_else_is_400(path: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        parse(path, OPEN)
    assert caught.value.hint


heads = st.sampled_from(["medium", "thumb", "unsafe", "unsafe/h2,w3", "unsafe/f_png,w9", "A" * 43, ""])


@given(
    st.text() | st.builds("/{}/{}".format, heads, st.text(st.sampled_from("./\\%2eFa\n\ud800ä ")) | st.text())
)
def test_no_path_ends_in_anything_but_an_address_inside_its_tree_or_a_refusal(path: str) -> None:
    try:
        address = parse(path, OPEN)
    except Elsewhere as error:
        address = parse(unquote(error.location), OPEN)
    except (BadAddressError, SignatureError):
        return
    for name in (address.result, address.path):
        assert not {"", ".", ".."} & set(name.split("/"))
        assert str(PurePosixPath("/tree", name)) == f"/tree/{name}"
    assert parse(address.path, OPEN) == address


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_location_that_we_write_is_one_that_we_serve(key: str) -> None:
    where = location(Options(300, dpr=2.0, format="png"), key, NEW)
    assert where.isascii()
    try:
        check_key(key, OPEN)
    except BadAddressError:
        return
    assert parse(unquote(where), OPEN).key == key


def test_natural_formats_are_those_of_extensions() -> None:
    assert natural_format("a.webp") == "webp"
    assert natural_format("a.gif") == "gif"
    assert natural_format("a.avif") == "avif"
    assert natural_format("a") == "jpeg"


def test_path_info_is_utf_8_dressed_up_as_latin_1() -> None:
    assert path_of("/w300/Ã¤.jpg") == "/w300/ä.jpg"


@pytest.mark.parametrize("path_info", ["/w300/\xff.jpg", "/w300/日"])
def test_a_path_that_is_no_utf_8_is_refused(path_info: str) -> None:
    with pytest.raises(BadAddressError, match="not UTF-8"):
        path_of(path_info)
