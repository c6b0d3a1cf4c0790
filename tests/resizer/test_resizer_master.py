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
from resizer.pixels import Rendering, render, render_with_master

ASKED = Options(600, 600)


@cache
def photo(width: int = 2503, height: int = 1667, orientation: int = 1) -> bytes:
    return photograph(width, height, orientation)


def master(data: bytes, limits: Limits, longest_side: int, options: Options = ASKED) -> Rendering | None:
    return render_with_master(data, options, limits, "jpeg", longest_side)[1]


@cache
def mastered(width: int = 2503, height: int = 1667, orientation: int = 1) -> Rendering:
    made = master(photo(width, height, orientation), Limits(), LONGEST_SIDE)
    assert made is not None
    return made


def decibels(one: Image.Image, other: Image.Image) -> float:
    noise = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).rms
    return 10 * math.log10(255 * 255 * 3 / sum(band * band for band in noise))


@pytest.mark.parametrize("width", [60, 150, 200, 313, 450, 560, 626])
def test_what_is_made_of_a_master_is_as_good_as_what_is_made_of_the_original(width: int) -> None:
    files = [
        render(each, Options(width, quality=80), Limits(), "jpeg") for each in (mastered().data, photo())
    ]
    assert suffices(mastered().data[:4096], Options(width))
    best = opened(photo()).resize((files[0].width, files[0].height), Image.Resampling.LANCZOS)
    of_master, of_original = (decibels(opened(each.data), best) for each in files)
    assert of_master > of_original - 0.2


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_master_is_turned_as_its_original_is(orientation: int) -> None:
    made = mastered(1667, 2503, orientation)
    assert (made.width, made.height) == ((417, 626) if orientation < 5 else (626, 417))
    assert suffices(made.data[:4096], Options(None, 626))
    assert not suffices(made.data[:4096], Options(None, 640))
    small, told = (
        opened(render(each, Options(100), Limits(), "png").data) for each in (made.data, photo(1667, 2503))
    )
    assert small.size == told.size
    assert decibels(small, told) > 38


def test_a_master_suffices_for_all_of_its_size_and_no_more() -> None:
    head = mastered().data[:4096]
    assert (mastered().width, mastered().height) == (626, 417)
    assert suffices(head, Options(626))
    assert not suffices(head, Options(630))
    assert not suffices(head, Options())
    assert suffices(head, Options(300, dpr=2.0))
    assert suffices(head, Options(416, 416, "fill"))
    assert not suffices(head, Options(430, 430, "fill"))
    assert not suffices(head, Options(50, 50, "crop"))
    assert suffices(head, Options(416, rotate=90))
    assert not suffices(head, Options(430, rotate=90))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (Options(150), (313, 209)),
        (Options(700), (1252, 834)),
        (Options(1300), None),
        (Options(600, gray=True), None),
        (Options(50, 50, "crop"), None),
    ],
)
def test_a_master_is_what_was_decoded_for_the_size_asked_for(options: Options, size: Any) -> None:
    made = master(photo(), Limits(), LONGEST_SIDE, options)
    assert (made and (made.width, made.height)) == size


def test_a_master_larger_than_agreed_is_not_kept() -> None:
    assert master(photo(), Limits(), 625) is None
    assert master(photo(), Limits(), 626) is not None


def noise(mode: str = "RGB") -> Image.Image:
    return opened(photo()).convert(mode)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: photo(1200, 800), id="small"),
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
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 1050, 700)
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
