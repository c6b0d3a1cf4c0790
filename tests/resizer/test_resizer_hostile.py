"""Hostile bytes: what is too large, foreign or broken is told apart and never decoded for long."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from resizer_picture import encoded, opened, quarters, rendering

from resizer.errors import NotAnImageError, TooManyPixelsError, UndecodableError
from resizer.photograph import photograph


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that announces a size and holds not one pixel."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + struct.pack(">I", 999) + b"IDAT"


@pytest.mark.parametrize("size", [(1001, 1000), (12_000, 10_000), (60_000, 60_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_by_the_header_alone(size: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixelsError, match="1000000"):
        rendering(png_header(*size), 100, max_pixels=1_000_000)


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(quarters(100, 100))
    assert rendering(data, 10, max_pixels=10_000).data
    with pytest.raises(TooManyPixelsError, match="100 x 100 pixels; the limit is 9999"):
        rendering(data, 10, max_pixels=9_999)


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"%PDF-1.7 ...", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x00" * 99]
)
def test_what_is_no_image_is_not_an_image(data: bytes) -> None:
    with pytest.raises(NotAnImageError):
        rendering(data, 100)


@pytest.mark.parametrize("fmt", ["PPM", "ICO", "TGA", "JPEG2000"])
def test_formats_that_are_not_listed_are_not_even_tried(fmt: str) -> None:
    with pytest.raises(NotAnImageError):
        rendering(encoded(quarters(64, 64), fmt), 10)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_an_image_cut_short_is_undecodable(fmt: str, part: float) -> None:
    data = encoded(opened(photograph(400, 300)), fmt)
    with pytest.raises(UndecodableError):
        rendering(data[: int(len(data) * part)], 100)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_damaged_bytes_end_in_a_picture_or_in_a_refusal(fmt: str) -> None:
    sound = encoded(quarters(64, 48), fmt)
    refused = 0
    for seed in range(150):
        dice = hashlib.sha256(f"{fmt} {seed}".encode()).digest()
        data = bytearray(sound)
        for step in range(1 + dice[0] % 4):
            at = int.from_bytes(dice[4 * step + 1 : 4 * step + 4]) % (len(data) if seed % 2 else 64)
            data[at] = dice[20 + step]
        try:
            width = opened(rendering(bytes(data), 32, max_pixels=1_000_000).data).width
        except (NotAnImageError, TooManyPixelsError, UndecodableError):
            refused += 1
        else:
            assert 1 <= width <= 32
    assert refused
