"""Decoding: bytes to an open image, once its header has been judged. Nothing here touches a pixel."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from PIL import AvifImagePlugin, Image, TiffImagePlugin, UnidentifiedImageError

from resizer import gif
from resizer.errors import NotAnImageError, UndecodableError
from resizer.limits import Deadline, Limits, TimedBytes, too_many
from resizer.media import media_type

# Pillow's threads would take the cores of other renderings.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# Encoders write about ten. Each scan of a few bytes visits every block of the picture: 25 ms at 50 Mpix.
_MAX_SCANS = 40
_START_OF_SCAN = re.compile(rb"\xff\xda")  # three times as fast as bytes.count
_TIFF_TILE_SIDES = (322, 323)
# Of libtiff's thirty codecs those that pictures come in; the others are the less fuzzed ones.
_TIFF_CODECS = frozenset(
    {
        "raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate",
        "jpeg", "tiff_ccitt", "group3", "group4",
    }
)  # fmt: skip
# What Pillow's decoders raise on hostile bytes.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


@contextmanager
def opened(data: bytes, limits: Limits, deadline: Deadline) -> Iterator[Image.Image]:
    """Yield the image in `data`, not yet decoded; whatever its decoder raises inside becomes a refusal.

    Raises TooManyBytesError, NotAnImageError, TooManyPixelsError, TooSlowError or UndecodableError.
    """
    limits.admit_bytes(len(data))
    try:
        with _identified(TimedBytes(data, deadline), limits) as image:
            _judge(image, data, limits)
            yield image
    except Image.DecompressionBombError:
        raise too_many("more", limits.max_pixels) from None
    except BROKEN as error:
        raise _undecodable(f"it cannot be decoded: {error}") from error


def _identified(file: TimedBytes, limits: Limits) -> Image.Image:
    try:
        return Image.open(file, formats=[each.upper() for each in sorted(limits.formats)])
    except UnidentifiedImageError:
        if media_type(file.getvalue()) in {f"image/{each}" for each in limits.formats}:
            raise  # it begins like an image: broken, then, not foreign
        raise NotAnImageError(
            "The original is not an image of a format that is accepted here.",
            f"Upload one of {', '.join(sorted(limits.formats))}.",
        ) from None


def _judge(image: Image.Image, data: bytes, limits: Limits) -> None:
    """Refuse by the header alone what would cost too much, or has no decoder that can be trusted."""
    limits.admit_pixels(*image.size)
    if image.format in {"JPEG", "MPO"}:
        _judge_scans(image, data)
    elif image.format == "GIF":
        _, width, height = gif.scan(data, limits.max_frames + 1)
        limits.admit_pixels(width, height)
    elif image.format == "BMP" and any(tile[0] == "bmp_rle" for tile in image.tile):  # type: ignore[attr-defined]
        raise _undecodable("it is a run-length encoded BMP, which is decoded byte by byte")
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        _judge_tiff(image, limits)


def _judge_scans(image: Image.Image, data: bytes) -> None:
    if not image.info.get("progressive"):
        return
    if any(islice(_START_OF_SCAN.finditer(data), _MAX_SCANS, None)):
        raise _undecodable(f"it is a progressive JPEG of more than {_MAX_SCANS} scans")


def _judge_tiff(image: TiffImagePlugin.TiffImageFile, limits: Limits) -> None:
    codec = image.info.get("compression")
    if codec not in _TIFF_CODECS:
        raise _undecodable(f"it is a TIFF compressed by {codec}")
    width, height = (image.tag_v2.get(tag, 1) for tag in _TIFF_TILE_SIDES)
    if width * height > limits.max_pixels:  # a tile is decoded whole, however little of it the picture shows
        raise too_many(f"tiles of {width} x {height}", limits.max_pixels)


def _undecodable(why: str) -> UndecodableError:
    return UndecodableError(
        f"The original is refused: {why}.",
        "Save it anew as JPEG or PNG, and upload that; it may be cut short.",
    )
