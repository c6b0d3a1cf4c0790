"""Modes and effects: what is cut, padded, turned, blurred, greyed, as the pixels show it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageFilter, ImageStat
from resizer_picture import UPRIGHT, corners, encoded, opened, quarters, rendered, rendering

from resizer.errors import TooLargeResultError
from resizer.geometry import plan
from resizer.limits import Limits
from resizer.options import Options
from resizer.photograph import photograph
from resizer.pixels import render
from resizer.still import small

FORMATS = ["jpeg", "png", "webp", "avif", "gif"]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("mode", ["fit", "fill", "pad", "crop", "smart"])
def test_every_mode_has_its_exact_size_in_every_format(mode: Any, fmt: str) -> None:
    result = rendering(encoded(quarters(301, 199)), 120, height=120, mode=mode, fmt=fmt)
    size = (120, 79) if mode == "fit" else (120, 120)
    image = opened(result.data)
    assert image.size == size == (result.width, result.height)
    assert (image.format, result.media_type) == (fmt.upper(), f"image/{fmt}")


def spotted(orientation: int = 1) -> bytes:
    """A JPEG whose upright picture is 1200 x 600, with a red field in the middle third, green around."""
    image = Image.new("RGB", (1200, 600), "lime")
    image.paste("red", (400, 0, 800, 600))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
    return encoded(image, exif=exif, quality=95)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_fill_cuts_the_middle_however_the_picture_lies(orientation: int, rotate: int) -> None:
    box = (50, 100) if rotate in {90, 270} else (100, 50)
    whole = rendered(spotted(orientation), *box[:1], height=box[1], mode="fill", rotate=rotate)
    assert whole.size == box
    assert corners(whole) == ["green"] * 4
    middle = rendered(spotted(orientation), 40, height=60, mode="fill", rotate=rotate)
    red, green = [round(value) for value in ImageStat.Stat(middle).mean[:2]]
    assert (middle.size, red > 200, green < 60) == ((40, 60), rotate in {0, 180}, rotate in {0, 180})


@pytest.mark.parametrize(("rotate", "order"), [(0, [0, 1, 2, 3]), (90, [2, 0, 3, 1]), (180, [3, 2, 1, 0])])
def test_rotation_is_clockwise(rotate: int, order: list[int]) -> None:
    image = rendered(encoded(quarters(240, 160)), 60, rotate=rotate)
    assert corners(image) == [UPRIGHT[at] for at in order]


@pytest.mark.parametrize("mode", ["fill", "smart"])
def test_cutting_a_part_does_not_defeat_the_draft(mode: Any) -> None:
    image = Image.open(io.BytesIO(photograph(1600, 1200)))
    wanted = plan(image.size, Options(width=100, height=100, mode=mode))
    small(image, wanted, image.size, (), Options(width=100, height=100, mode=mode))
    assert image.size == (200, 150)


def test_a_box_of_absurd_height_does_not_defeat_the_draft() -> None:
    image = Image.open(io.BytesIO(photograph(1600, 1200)))
    options = Options(width=100, height=16_000)
    small(image, plan(image.size, options), image.size, (), options)
    assert image.size == (200, 150)


def test_a_grey_jpeg_is_decoded_in_grey() -> None:
    image = Image.open(io.BytesIO(photograph(320, 240)))
    small(image, plan(image.size, Options(width=100)), image.size, (), Options(width=100, gray=True))
    assert image.mode == "L"


def test_crop_takes_the_middle_pixel_for_pixel() -> None:
    original = opened(photograph(301, 199))
    cut = rendered(encoded(original, "PNG"), 100, height=50, mode="crop", fmt="png")
    assert cut.convert("RGB").tobytes() == original.crop((100, 74, 200, 124)).tobytes()


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_smart_keeps_the_part_where_something_is(side: str, mode: str) -> None:
    image = Image.new("RGB", (900, 300) if side in {"left", "right"} else (300, 900), "teal")
    detail = opened(photograph(300, 300))
    image.paste(detail, (600, 0) if side == "right" else (0, 600) if side == "bottom" else (0, 0))
    kept = rendered(encoded(image.convert(mode), "PNG"), 100, height=100, mode="smart").convert("RGB")
    wanted = detail.convert(mode).convert("RGB").resize((100, 100), Image.Resampling.LANCZOS)
    part = {
        "left": (0, 0, 85, 100),
        "right": (15, 0, 100, 100),
        "top": (0, 0, 100, 85),
        "bottom": (0, 15, 100, 100),
    }
    seen, told = (ImageStat.Stat(each.crop(part[side])).mean for each in (kept, wanted))
    assert all(abs(one - other) < 15 for one, other in zip(seen, told, strict=True))


def test_smart_keeps_the_middle_where_nothing_is() -> None:
    assert corners(rendered(spotted(), 400, height=600, mode="smart")) == ["red"] * 4


def test_padding_is_of_the_background_and_the_picture_in_its_middle() -> None:
    image = rendered(
        encoded(Image.new("RGB", (100, 50), "lime")), 100, height=100, mode="pad", background=(255, 0, 0)
    )
    assert [round(v, -1) for v in image.getpixel((50, 5))] == [250, 0, 0]  # type: ignore[union-attr,arg-type,misc]
    assert [round(v, -1) for v in image.getpixel((50, 94))] == [250, 0, 0]  # type: ignore[union-attr,arg-type,misc]
    assert image.getpixel((50, 50))[1] > 250  # type: ignore[index,operator]


@pytest.mark.parametrize("fmt", FORMATS)
def test_padding_without_a_background_is_transparent_or_white(fmt: str) -> None:
    image = rendered(encoded(Image.new("RGB", (100, 50), "lime")), 100, height=100, mode="pad", fmt=fmt)
    corner = image.convert("RGBA").getpixel((3, 3))
    assert corner == (255, 255, 255, 255) if fmt == "jpeg" else corner[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_background_is_laid_behind_what_is_transparent(fmt: str) -> None:
    clear = encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 0)), "PNG")
    pixel = rendered(clear, fmt=fmt, background=(0, 255, 0)).convert("RGBA").getpixel((30, 20))
    assert [round(v / 255) for v in pixel] == [0, 1, 0, 1]  # type: ignore[union-attr]


def test_gray_leaves_no_colour() -> None:
    image = rendered(encoded(quarters(120, 80)), 60, gray=True)
    assert image.mode == "L"
    clear = rendered(encoded(Image.new("RGBA", (60, 40), (255, 0, 0, 128)), "PNG"), gray=True)
    red, green, blue, alpha = clear.convert("RGBA").getpixel((5, 5))  # type: ignore[misc]
    assert red == green == blue
    assert alpha == 128


def test_blur_takes_detail_and_sharpen_adds_it() -> None:
    data = photograph(600, 400)
    plain, soft, sharp = (
        ImageStat.Stat(
            rendered(data, 300, fmt="png", **more).convert("L").filter(ImageFilter.FIND_EDGES)
        ).var[0]
        for more in ({}, {"blur": 2.0}, {"sharpen": 1.0})
    )
    assert soft < plain / 2
    assert sharp > plain * 1.2


def test_blur_does_not_draw_the_colour_of_what_is_transparent() -> None:
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 30, 60))
    pixel = rendered(encoded(image, "PNG"), blur=3.0).getpixel((31, 30))
    assert pixel[0] > 240  # type: ignore[index,operator]
    assert 0 < pixel[3] < 255  # type: ignore[index,operator]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_result_that_would_be_too_large_is_refused_before_it_is_made(fmt: str) -> None:
    data = encoded(quarters(20, 10))
    with pytest.raises(TooLargeResultError, match="101 x 100"):
        render(data, Options(101, 100, "pad"), Limits(max_output_pixels=10_000), fmt)
    with pytest.raises(TooLargeResultError, match="16384 x 1"):
        render(data, Options(16_384, 1, "pad"), Limits(), fmt)


@pytest.mark.parametrize("fmt", ["jpeg", "webp", "avif"])
def test_quality_decides_about_the_bytes(fmt: str) -> None:
    data = photograph(600, 400)
    sizes = [len(rendering(data, 300, quality=quality, fmt=fmt).data) for quality in (20, 60, 95)]
    assert sizes == sorted(set(sizes))
