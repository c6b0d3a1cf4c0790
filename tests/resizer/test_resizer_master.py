"""Masters: what is made from one has the size, and nearly the pixels, that the original would have given."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from resizer_picture import UPRIGHT, corners, encoded, opened, quarters

from resizer.errors import NotAnImageError, TooManyPixelsError, UndecodableError
from resizer.limits import Limits
from resizer.master import LONGEST_SIDE, suffices
from resizer.options import Options
from resizer.photograph import photograph
from resizer.pixels import Rendering, master, render


@cache
def photo(width: int = 2503, height: int = 1667, orientation: int = 1) -> bytes:
    return photograph(width, height, orientation)


@cache
def mastered(width: int = 2503, height: int = 1667, orientation: int = 1) -> Rendering:
    made = master(photo(width, height, orientation), Limits(), LONGEST_SIDE)
    assert made is not None
    return made


def decibels(one: Image.Image, other: Image.Image) -> float:
    noise = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).rms
    return 10 * math.log10(255 * 255 * 3 / sum(band * band for band in noise))


@pytest.mark.parametrize("width", [60, 150, 200, 300, 417])
def test_what_is_made_of_a_master_differs_by_less_than_anybody_sees(width: int) -> None:
    made = opened(render(mastered().data, Options(width), Limits(), "png").data)
    full = opened(photo())
    assert suffices(mastered().data[:4096], Options(width))
    assert decibels(made, full.resize(made.size, Image.Resampling.LANCZOS)) > 42


@pytest.mark.parametrize("mode", ["fit", "fill", "pad", "smart", "crop"])
@pytest.mark.parametrize("width", [61, 149, 333])
def test_the_size_is_what_the_original_would_have_given(width: int, mode: Any) -> None:
    for options in (
        Options(width, 97, mode),
        Options(width, mode=mode),
        Options(None, width, mode, rotate=90),
    ):
        of_master, of_original = (
            render(each, options, Limits(), "jpeg") for each in (mastered().data, photo())
        )
        assert (of_master.width, of_master.height) == (of_original.width, of_original.height)


def test_a_master_is_upright_and_its_originals_orientation_is_forgotten() -> None:
    made = mastered(1667, 2503, 6)
    assert (made.width, made.height) == (555, 834)[:2] == opened(made.data).size
    small, told = (
        opened(render(each, Options(100), Limits(), "png").data) for each in (made.data, photo(1667, 2503))
    )
    assert small.size == told.size
    assert decibels(small, told) > 40


def test_a_master_suffices_for_half_of_its_size_and_no_more() -> None:
    head = mastered().data[:4096]
    assert (mastered().width, mastered().height) == (834, 555)
    assert suffices(head, Options(417))
    assert not suffices(head, Options(418))
    assert not suffices(head, Options())
    assert suffices(head, Options(200, dpr=2.0))
    assert suffices(head, Options(277, 277, "fill"))
    assert not suffices(head, Options(300, 300, "fill"))
    assert not suffices(head, Options(50, 50, "crop"))
    assert suffices(head, Options(277, rotate=90))
    assert not suffices(head, Options(300, rotate=90))


def test_a_master_is_as_small_as_asked_for() -> None:
    made = master(photo(), Limits(), 700)
    assert made is not None
    assert max(made.width, made.height) == 700


def noise(mode: str = "RGB") -> Image.Image:
    return opened(photo()).convert(mode)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: photo(1800, 1200), id="small"),
        pytest.param(lambda: encoded(quarters(2600, 1700).quantize(8), "PNG"), id="palette"),
        pytest.param(lambda: encoded(quarters(2600, 1700).convert("RGBA"), "PNG"), id="transparency"),
        pytest.param(
            lambda: encoded(quarters(2600, 1700), "PNG", transparency=(255, 255, 255)), id="colour key"
        ),
        pytest.param(lambda: encoded(quarters(2600, 1700), "GIF"), id="gif"),
        pytest.param(
            lambda: encoded(
                quarters(2600, 700), "WEBP", save_all=True, append_images=[quarters(2600, 700).rotate(180)]
            ),
            id="animation",
        ),
        pytest.param(lambda: encoded(Image.new("RGB", (60_000, 1)), "PNG"), id="thread"),
    ],
)
def test_where_it_does_not_pay_there_is_no_master(data: Any) -> None:
    assert master(data(), Limits(), LONGEST_SIDE) is None


@pytest.mark.parametrize("fmt", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_large_pictures_of_other_formats_have_masters_too(fmt: str) -> None:
    made = master(encoded(quarters(2100, 1400), fmt), Limits(), LONGEST_SIDE)
    assert made is not None
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 700, 467)
    assert corners(opened(made.data)) == UPRIGHT


def test_a_master_keeps_the_rights_and_no_profile() -> None:
    exif = Image.Exif()
    exif[0x8298] = "(c) Ada"
    made = master(encoded(quarters(2100, 1400), exif=exif), Limits(), LONGEST_SIDE)
    assert made is not None
    small = opened(render(made.data, Options(100), Limits(), "jpeg").data)
    assert small.getexif()[0x8298] == "(c) Ada"
    assert "comment" not in small.info


@pytest.mark.parametrize(
    "lie",
    [b"resizer master of 99999 x 1", b"resizer master of 10 x 10", b"resizer master of 0 x 0", b"resizer"],
)
def test_a_comment_that_lies_about_the_shape_is_not_believed(lie: bytes) -> None:
    result = render(encoded(quarters(120, 80), comment=lie), Options(500), Limits(), "jpeg")
    assert (result.width, result.height) == (120, 80)


def test_what_is_refused_for_a_result_is_refused_for_a_master() -> None:
    with pytest.raises(NotAnImageError):
        master(b"GIF is not this", Limits(), LONGEST_SIDE)
    with pytest.raises(TooManyPixelsError):
        master(photo(), Limits(max_pixels=1_000_000), LONGEST_SIDE)
    with pytest.raises(UndecodableError):
        master(photo()[:100_000], Limits(), LONGEST_SIDE)
