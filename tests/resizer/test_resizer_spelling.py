"""Options have one spelling; what renders the same is spelt the same; what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resizer.errors import BadOptionError
from resizer.options import Options
from resizer.spelling import WORDS, Bounds, normal, parse, spell

BOUNDS = Bounds(4096, 4096)
FORMATS = ("jpeg", "png", "webp", "avif", "gif")

decimals = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
options = st.builds(
    Options,
    width=st.none() | st.integers(1, 1000),
    height=st.none() | st.integers(1, 1000),
    background=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
    quality=st.none() | st.integers(1, 100),
    format=st.none() | st.sampled_from(["auto", *FORMATS]),
    dpr=st.integers(100, 400).map(lambda hundredths: hundredths / 100),
    blur=decimals,
    sharpen=decimals.map(lambda value: value / 10).map(lambda value: round(value, 2)),
    gray=st.booleans(),
    rotate=st.sampled_from([0, 90, 180, 270]),
    enlarge=st.booleans(),
    version=st.from_regex(r"[A-Za-z0-9_-]{0,40}", fullmatch=True),
) | st.builds(
    Options,
    width=st.integers(1, 1000),
    height=st.integers(1, 1000),
    mode=st.sampled_from(["fit", "fill", "pad", "crop", "smart"]),
)
natural = st.none() | st.sampled_from(FORMATS)


@pytest.mark.parametrize(
    ("text", "read", "spelt"),
    [
        ("w300", Options(width=300), "w300"),
        ("full", Options(), "full"),
        ("fill,h200,w300", Options(300, 200, "fill"), "w300,h200,fill"),
        ("fit,w300", Options(300), "w300"),
        ("fit-in,w300", Options(300), "w300"),
        ("grayscale", Options(gray=True), "gray"),
        ("f_jpg", Options(format="jpeg"), "f_jpeg"),
        ("rotate90", Options(rotate=90), "rot90"),
        ("rot0", Options(), "full"),
        ("bg_fA0,w9", Options(9, background=(255, 170, 0)), "w9,bg_ffaa00"),
        ("blur1.50", Options(blur=1.5), "blur1.5"),
        ("blur0", Options(), "full"),
        ("sharpen1.0", Options(sharpen=1.0), "sharpen1"),
        ("w300,dpr2", Options(300, dpr=2.0), "w600"),
        ("w333,h1,dpr1.5", Options(333, 1, dpr=1.5), "w500,h2"),
        ("dpr3", Options(dpr=3.0), "full"),
        ("f_png,q80", Options(quality=80, format="png"), "f_png"),
        ("enlarge", Options(enlarge=True), "full"),
        ("w1,h1,crop,enlarge", Options(1, 1, "crop", enlarge=True), "w1,h1,crop"),
        ("v42,w300", Options(300, version="42"), "w300,v42"),
    ],
)
def test_options_are_read_in_any_order_and_spelt_in_one(text: str, read: Options, spelt: str) -> None:
    assert parse(text, BOUNDS) == read
    assert spell(normal(read)) == spelt


def test_a_format_that_the_key_says_already_is_not_said_again() -> None:
    assert spell(normal(Options(format="png"), "png")) == "full"
    assert spell(normal(Options(format="png"), "jpeg")) == "f_png"
    assert spell(normal(Options(quality=80), "gif")) == "full"
    assert spell(normal(Options(quality=80, format="auto"), "gif")) == "q80,f_auto"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ""),
        ("w300,", ""),
        ("w0", "w0"),
        ("w0300", "w0300"),
        ("w-1", "w-1"),
        ("w٣", "w\\u0663"),
        ("w300,w300", "w300"),
        ("fit,fill", "fill"),
        ("h9999999999", "h9999999999"),
        ("w4097", "w4097"),
        ("w2000,dpr3", "w2000"),
        ("h4097", "h4097"),
        ("q0", "q0"),
        ("q101", "q101"),
        ("dpr0.5", "dpr0.5"),
        ("dpr4.01", "dpr4.01"),
        ("dpr0", "dpr0"),
        ("dpr1.234", "dpr1.234"),
        ("blur100.1", "blur100.1"),
        ("sharpen11", "sharpen11"),
        ("blur01", "blur01"),
        ("bg_ffff", "bg_ffff"),
        ("f_bmp", "f_bmp"),
        ("rot45", "rot45"),
        ("grey\n", "grey\\n"),
        ("v", "v"),
        ("v" + "1" * 41, "v" + "1" * 41),
        ("w300,fill", "fill"),
        ("h300,pad", "pad"),
        ("smart", "smart"),
        ("full,w300", "full"),
        ("resize:fit:300:200", "resize:fit:300:200"),
    ],
)
def test_a_wrong_option_is_named_with_the_next_step(text: str, named: str) -> None:
    with pytest.raises(BadOptionError) as caught:
        parse(text, BOUNDS)
    assert f"The option '{named}' " in str(caught.value)
    assert caught.value.status == 400
    assert caught.value.hint


def test_a_near_miss_is_told_how_to_write_it() -> None:
    with pytest.raises(BadOptionError) as caught:
        parse("blurr2", BOUNDS)
    assert "blur2.5" in caught.value.hint


def test_a_malformed_one_is_told_its_form() -> None:
    for text, form in {"w0": "w300", "f_bmp": "f_avif", "rot45": "rot180", "dpr": "dpr2"}.items():
        with pytest.raises(BadOptionError, match="is malformed") as caught:
            parse(text, BOUNDS)
        assert form in caught.value.hint


def test_every_field_has_one_word() -> None:
    assert sorted(word.field for word in WORDS) == sorted(vars(Options()))


@given(options, natural)
def test_the_normal_form_is_a_fixpoint_and_reads_back_as_itself(wanted: Options, natural: str | None) -> None:
    once = normal(wanted, natural)  # type: ignore[arg-type]
    assert normal(once, natural) == once  # type: ignore[arg-type]
    assert parse(spell(once), BOUNDS) == once


@given(
    st.text()
    | st.lists(st.sampled_from(["w300", "h200", "fit", "fill", "q80", "f_auto", "dpr2", "v1", "x"])).map(
        ",".join
    )
)
def test_whatever_is_written_there_is_either_read_or_refused(text: str) -> None:
    try:
        read = parse(text, BOUNDS)
    except BadOptionError:
        return
    assert parse(spell(normal(read)), BOUNDS) == normal(read)
