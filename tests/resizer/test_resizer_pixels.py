"""Pixels: exact sizes, upright, in the original's format."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from resizer_picture import UPRIGHT, corners, encoded, opened, quarters, rendered, rendering

from resizer.geometry import plan, turned, turns
from resizer.options import Options
from resizer.photograph import photograph
from resizer.still import orientation as told
from resizer.still import small


def fit(size: tuple[int, int], width: int) -> tuple[int, int]:
    return plan(size, Options(width=width)).size


def scaled(image: Image.Image, **options: Any) -> Image.Image:
    asked = Options(**options)
    steps = turns(told(image), asked.rotate)
    return small(image, plan(turned(image.size, steps), asked), image.size, steps, asked)


SIZES = [
    (2464, 1632),
    (1632, 2464),
    (601, 599),
    (1000, 7),
    (7, 1000),
    (4001, 3001),
    (300, 300),
    (1, 1),
    (5, 900),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [1, 37, 100, 300, 600])
def test_the_width_is_exact_and_the_height_is_the_nearest(size: tuple[int, int], width: int) -> None:
    image = rendered(encoded(Image.new("RGB", size, "teal")), width)
    wanted = min(width, size[0])
    assert image.width == wanted
    assert image.height == max(1, int(size[1] * wanted / size[0] + 0.5))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("seed", range(8))
def test_the_size_is_exact_for_any_shape_and_orientation(seed: int, orientation: int) -> None:
    dice = hashlib.sha256(f"{seed} {orientation}".encode()).digest()
    width, height, wanted = 1 + dice[0] * dice[1] % 900, 1 + dice[2] * dice[3] % 900, 1 + dice[4]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.new("RGB", (width, height), "teal"), exif=exif)
    upright = (width, height) if orientation < 5 else (height, width)
    assert rendered(data, wanted).size == fit(upright, wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("width", [48, 300, 900, 2000])
def test_every_orientation_ends_upright(orientation: int, width: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    sensor = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose: the inverse of what EXIF asks for
    lying = quarters(1200, 800)
    if orientation in sensor:
        lying = lying.transpose(Image.Transpose(sensor[orientation]))
    image = rendered(encoded(lying, exif=exif), width)
    assert image.size == fit((1200, 800), width)
    assert corners(image) == UPRIGHT
    assert image.getexif().get(0x0112) is None


@pytest.mark.parametrize("fmt", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_other_formats_are_turned_upright_once(fmt: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(quarters(120, 80).transpose(Image.Transpose.ROTATE_90), fmt, exif=exif)
    image = rendered(data, 60)
    assert image.size == (60, 40)
    assert corners(image) == UPRIGHT


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_broken_exif_is_no_reason_to_refuse() -> None:
    data = encoded(quarters(120, 80), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff broken")
    assert corners(rendered(data, 60)) == UPRIGHT


def test_an_orientation_out_of_range_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert corners(rendered(encoded(quarters(120, 80), exif=exif), 60)) == UPRIGHT


def test_nothing_is_enlarged() -> None:
    assert rendered(encoded(quarters(120, 80)), 4096).size == (120, 80)


@pytest.mark.parametrize("width", [100, 150, 300])
def test_drafting_is_neither_shifted_nor_blurred(width: int) -> None:
    size = (1603, 1069)  # no multiple of 8: without its box a drafted image comes out shifted, at 40 to 43 dB
    data = photograph(*size)
    plain = opened(data).resize(fit(size, width), Image.Resampling.LANCZOS)
    noise = ImageStat.Stat(
        ImageChops.difference(plain, scaled(Image.open(io.BytesIO(data)), width=width))
    ).rms
    assert sum(band * band for band in noise) / 3 < 255 * 255 / 10**4.7  # 47 dB


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_never_decoded_much_larger_than_needed(orientation: int) -> None:
    image = Image.open(io.BytesIO(photograph(1600, 1200, orientation)))
    assert scaled(image, width=100).width == 100
    assert max(image.size) == 200


def test_a_jpeg_with_another_behind_it_is_never_decoded_much_larger_either() -> None:
    data = encoded(quarters(1600, 1200), "MPO", save_all=True, append_images=[quarters(1600, 1200)])
    image = Image.open(io.BytesIO(data))
    assert scaled(image, width=100).width == 100
    assert image.size == (200, 150)


@pytest.mark.parametrize(
    ("fmt", "kept"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WEBP"),
        ("GIF", "GIF"),
        ("BMP", "JPEG"),
        ("TIFF", "JPEG"),
        ("AVIF", "AVIF"),
    ],
)
def test_every_format_is_read_and_those_of_the_web_are_written(fmt: str, kept: str) -> None:
    result = rendering(encoded(quarters(120, 80), fmt), 60)
    image = opened(result.data)
    assert (image.format, result.media_type) == (kept, f"image/{kept.lower()}")
    assert corners(image) == UPRIGHT


def test_a_picture_with_a_second_one_behind_it_is_a_jpeg() -> None:
    data = encoded(quarters(120, 80), "MPO", save_all=True, append_images=[Image.new("RGB", (120, 80))])
    assert opened(data).format == "MPO"
    result = rendering(data, 60)
    assert result.media_type == "image/jpeg"
    assert corners(opened(result.data)) == UPRIGHT


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_a_jpeg_shows_the_first_frame(fmt: str) -> None:
    frames: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", (120, 80), "black")]}
    image = rendered(encoded(quarters(120, 80), fmt, **frames), 60, fmt="jpeg")
    assert corners(image) == UPRIGHT
