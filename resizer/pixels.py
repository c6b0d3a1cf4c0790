"""Rendering: the bytes of an original in, the bytes of a smaller image out. Pure.

The order of the steps is the point. The pixel count is judged from the header, before anything is decoded.
JPEG is decoded at a fraction of its size (`draft`), which only works while nobody has touched a pixel: so the
EXIF orientation is taken into account in the arithmetic, and applied to the small image at the end.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from resizer.colour import to_resizable, to_srgb, without_alpha
from resizer.errors import NotAnImageError, TooManyPixelsError, UndecodableError
from resizer.media import media_type

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_KEPT = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "GIF": "GIF"}
_GAP = 2  # keep twice the wanted size for the final LANCZOS: at least 48 dB of a full one, for half its time
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)
# What Pillow's decoders raise on hostile bytes.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Rendering:
    """A rendered image: its bytes and their media type."""

    data: bytes
    media_type: str


def render(data: bytes, width: int, *, quality: int, max_pixels: int) -> Rendering:
    """Scale an image to `width` pixels, keeping its aspect ratio; a narrower one keeps its own width.

    JPEG, PNG, WebP and GIF (first frame) keep their format, all others become JPEG. The result is upright,
    in sRGB and without metadata. `quality` (1..95) is for JPEG and WebP.

    Raises NotAnImageError, TooManyPixelsError or UndecodableError.
    """
    try:
        with _opened(data) as image:
            if image.width * image.height > max_pixels:
                raise _too_many(f"{image.width} x {image.height}", max_pixels)
            return _encode(_scale(image, width), _KEPT.get(image.format or "", "JPEG"), quality)
    except Image.DecompressionBombError:
        raise _too_many("more", max_pixels) from None
    except _BROKEN as error:
        raise UndecodableError(
            f"The original cannot be decoded: {error}.", "Upload it again; it is broken or cut short."
        ) from error


def fit(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the size of an image of `size` scaled to `width`, never enlarged; the height is rounded."""
    full_width, full_height = size
    width = min(width, full_width)
    return width, max(1, (2 * full_height * width + full_width) // (2 * full_width))


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if media_type(data) is not None:  # it begins like an image: broken, then, not foreign
            raise
        raise NotAnImageError(
            "The original is not an image of a known format.", f"Upload one of {', '.join(FORMATS)}."
        ) from None


def _too_many(pixels: str, limit: int) -> TooManyPixelsError:
    return TooManyPixelsError(
        f"The original has {pixels} pixels; the limit is {limit}.",
        "Upload a smaller original, or raise max_pixels if the node has the memory.",
    )


def _scale(image: Image.Image, width: int) -> Image.Image:
    if image.format not in {"JPEG", "MPO"}:  # MPO: a JPEG with another behind it, as telephones write them
        image.load()  # TIFF turns itself upright here, and PNG may carry its EXIF behind the pixels
    orientation = _orientation(image)
    lying = orientation in _LYING
    target = fit(image.size[::-1] if lying else image.size, width)
    size = target[::-1] if lying else target
    drafted = image.draft(None, (size[0] * _GAP, size[1] * _GAP))
    box = drafted[1] if drafted else None  # where the picture ends exactly: the drafted size is rounded
    small = to_resizable(image).resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=_GAP)
    small = to_srgb(small, image.info.get("icc_profile"))
    turn = _UPRIGHT.get(orientation)
    return small if turn is None else small.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:  # broken EXIF is no reason to refuse a good picture
        return 1
    return value if isinstance(value, int) else 1


def _encode(image: Image.Image, fmt: str, quality: int) -> Rendering:
    image.info.clear()  # some encoders would copy profile, comment or transparency from here
    out = io.BytesIO()
    if fmt == "JPEG":
        without_alpha(image).save(out, fmt, quality=quality, optimize=True, progressive=True)
    elif fmt == "WEBP":
        image.save(out, fmt, quality=quality)
    elif fmt == "GIF" and image.mode in {"RGBA", "LA"}:
        _all_or_nothing(image).save(out, fmt)
    else:
        image.save(out, fmt)
    return Rendering(out.getvalue(), f"image/{fmt.lower()}")


def _all_or_nothing(image: Image.Image) -> Image.Image:
    """GIF knows no half-transparent pixels: decide each before the palette is made."""
    image = image.convert("RGBA")
    image.putalpha(image.getchannel("A").point([0] * 128 + [255] * 128))
    return image
