"""Colour: every mode and profile ends in plain sRGB, with its transparency; nothing else goes along."""

from __future__ import annotations

import struct

import pytest
from PIL import Image, ImageCms
from resizer_picture import UPRIGHT, corners, encoded, quarters, rendered, rendering

from resizer.colour import _transform
from resizer.errors import NotAnImageError


@pytest.mark.parametrize("fmt", ["PNG", "WEBP"])
def test_transparency_is_kept_without_dark_fringes(fmt: str) -> None:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 101, 200))
    small = rendered(encoded(image, fmt, lossless=True), 20).convert("RGBA")
    assert small.getpixel((18, 10))[3] < 8  # type: ignore[index]
    edge = small.getpixel((10, 10))
    assert 0 < edge[3] < 255  # type: ignore[index,operator]
    assert edge[0] > 240  # type: ignore[index,operator]


def test_transparency_of_a_palette_is_kept() -> None:
    image = quarters(120, 80).quantize(8)
    clear = image.getpixel((1, 1))
    for fmt in ("PNG", "GIF"):
        small = rendered(encoded(image, fmt, transparency=clear), 60)
        assert small.format == fmt
        alpha = small.convert("RGBA").getchannel("A")
        assert alpha.getpixel((10, 10)) == 0
        assert alpha.getpixel((50, 30)) == 255


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_is_kept(mode: str) -> None:
    clear = 255 if mode == "L" else (255, 255, 255)
    small = rendered(encoded(quarters(120, 80).convert(mode), "PNG", transparency=clear), 60)
    alpha = small.convert("RGBA").getchannel("A")
    assert (alpha.getpixel((10, 10)), alpha.getpixel((50, 30))) == (255, 0)


def test_what_jpeg_cannot_show_transparent_is_laid_on_white() -> None:
    image = rendered(encoded(Image.new("RGBA", (90, 60), (0, 0, 0, 0)), "TIFF"), 30)
    assert (image.format, corners(image)) == ("JPEG", ["white"] * 4)


def test_a_palette_is_averaged_in_colour() -> None:
    stripes = Image.new("P", (96, 96))
    stripes.putpalette([255, 0, 0, 0, 0, 255] + [0] * 750)
    stripes.paste(1, (48, 0, 96, 96))
    small = rendered(encoded(stripes, "PNG"), 1).convert("RGB").getpixel((0, 0))
    assert all(abs(a - b) < 12 for a, b in zip(small, (128, 0, 128), strict=True))  # type: ignore[arg-type]


def test_bits_become_greys() -> None:
    bits = Image.new("1", (96, 96), 1)
    bits.paste(0, (48, 0, 96, 96))
    assert abs(rendered(encoded(bits, "PNG"), 1).getpixel((0, 0)) - 128) < 12  # type: ignore[operator]


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
@pytest.mark.parametrize("level", [0x0000, 0x4000, 0x8000, 0xFFFF])
def test_sixteen_bit_greys_keep_their_brightness(fmt: str, level: int) -> None:
    image = rendered(encoded(Image.new("I;16", (64, 64), level), fmt), 32)
    assert image.mode == "L"
    assert abs(image.getpixel((16, 16)) - level // 256) <= 2  # type: ignore[operator]


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(fmt: str) -> None:
    image = rendered(encoded(quarters(240, 160).convert("CMYK"), fmt), 60)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert corners(image) == UPRIGHT


def test_samples_of_32_bits_are_refused() -> None:
    with pytest.raises(NotAnImageError, match="32-bit"):
        rendering(encoded(Image.new("F", (10, 10)), "TIFF"), 5)


def swapped_profile() -> bytes:
    """A profile like sRGB whose red primary is blue and whose blue one is red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    swap = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    for at in range(132, 132 + 12 * count, 12):
        tag = bytes(profile[at : at + 4])
        profile[at : at + 4] = swap.get(tag, tag)
    return bytes(profile)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_embedded_profile_is_turned_into_srgb(fmt: str) -> None:
    image = rendered(encoded(quarters(120, 80), fmt, icc_profile=swapped_profile()), 60)
    assert corners(image) == ["blue", "green", "red", "white"]
    assert not image.info.get("icc_profile")


def test_a_profile_leaves_transparency_alone() -> None:
    original = quarters(120, 80).convert("RGBA")
    original.putalpha(64)
    image = rendered(encoded(original, "PNG", icc_profile=swapped_profile()), 60)
    assert corners(image) == ["blue", "green", "red", "white"]
    assert image.getchannel("A").getextrema() == (64, 64)


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", b"no profile"), ("L", swapped_profile()), ("CMYK", swapped_profile())]
)
def test_a_profile_that_does_not_fit_is_ignored(mode: str, profile: bytes) -> None:
    grey = Image.new("RGB", (120, 80), (100, 100, 100)).convert(mode)
    image = rendered(encoded(grey, icc_profile=profile), 60)
    assert abs(image.convert("L").getpixel((30, 20)) - 100) < 4  # type: ignore[operator]
    assert not image.info.get("icc_profile")


def test_comments_and_exif_stay_behind() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a place nobody should know"
    result = rendering(encoded(quarters(120, 80), exif=exif, comment=b"a secret comment"), 60)
    assert b"nobody should know" not in result.data
    assert b"a secret comment" not in result.data


def test_cmyk_is_read_as_adobe_writes_it_inverted() -> None:
    data = encoded(quarters(240, 160).convert("CMYK"))
    assert b"Adobe" in data
    assert corners(rendered(data, 60)) == UPRIGHT


def test_a_profile_that_is_srgb_costs_no_conversion() -> None:
    assert _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "RGB") is None
    assert _transform(swapped_profile(), "RGB") is not None
