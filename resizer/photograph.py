"""A demonstration photograph: mountains over a meadow at evening, painted by this file.

Licence: the picture is made by the code below from no other picture, and is free to use under the project's
own MIT licence. The same size always yields the same bytes with the same Pillow.
"""

from __future__ import annotations

import hashlib
import io
import math
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Size = tuple[int, int]
Colour = tuple[int, int, int]
_ORIENTATION = 0x0112
# How a camera held at each EXIF orientation lays an upright scene onto its sensor.
_SENSOR = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# From the horizon to the viewer: foot and height as fractions of the picture, roughness, two colours.
_RIDGES: tuple[tuple[float, float, float, Colour, Colour], ...] = (
    (0.46, 0.20, 0.55, (126, 138, 168), (196, 186, 190)),
    (0.56, 0.17, 0.52, (78, 98, 128), (142, 146, 158)),
    (0.66, 0.12, 0.48, (40, 66, 74), (92, 112, 104)),
    (0.78, 0.06, 0.40, (24, 46, 30), (86, 104, 52)),
)


def photograph(width: int, height: int, orientation: int = 1) -> bytes:
    """Return a JPEG whose upright size is `width` x `height` pixels.

    With an EXIF `orientation` from 2 to 8 the pixels lie as that camera would have stored them. Raises
    ValueError for a size below 16 x 16 or an orientation outside 1..8.
    """
    if min(width, height) < 16 or orientation not in range(1, 9):
        raise ValueError(f"no photograph of {width} x {height} with orientation {orientation}")
    size = (width, height)
    picture = _sky(size)
    for number, (foot, rise, roughness, dark, light) in enumerate(_RIDGES):
        texture = _two_tone(_clouds(size, f"rock {number}", first=24), dark, light)
        picture.paste(texture, mask=_ridge(size, f"ridge {number}", foot, rise, roughness))
    picture = _film(_meadow(picture))
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    stored = picture.transpose(_SENSOR[orientation]) if orientation in _SENSOR else picture
    out = io.BytesIO()
    stored.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def _dice(name: str, count: int) -> bytes:
    return hashlib.shake_256(name.encode()).digest(count)


def _noise(size: Size, name: str) -> Image.Image:
    return Image.frombytes("L", size, _dice(f"{name} {size}", size[0] * size[1]))


def _clouds(size: Size, name: str, first: int) -> Image.Image:
    """Return fractal noise: each octave is twice as fine and half as strong, down to about two pixels."""
    half = (max(8, size[0] // 2), max(8, size[1] // 2))
    field = Image.new("L", half, 128)
    grain, weight = first, 0.6
    while grain < half[0]:
        cells = (grain, max(2, grain * half[1] // half[0]))
        octave = _noise(cells, name).resize(half, Image.Resampling.BICUBIC)
        field = ImageChops.add(
            field, octave.point([round((v - 128) * weight) + 128 for v in range(256)]), 1, -128
        )
        grain, weight = grain * 2, weight * 0.62
    return field.resize(size, Image.Resampling.BICUBIC)


def _two_tone(field: Image.Image, dark: Colour, light: Colour) -> Image.Image:
    bands = [
        field.point([d + (b - d) * v // 255 for v in range(256)]) for d, b in zip(dark, light, strict=True)
    ]
    return Image.merge("RGB", bands)


def _fall(size: Size) -> Image.Image:
    return Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)


def _sky(size: Size) -> Image.Image:
    width, height = size
    depth = _fall((width, max(1, height * 6 // 10)))
    fall = Image.new("L", size, 255)
    fall.paste(depth)
    sky = _two_tone(fall, (64, 112, 178), (250, 206, 158))
    veil = _clouds(size, "clouds", first=5).point([max(0, min(220, (v - 120) * 3)) for v in range(256)])
    sky.paste((250, 236, 226), mask=ImageChops.multiply(veil, ImageChops.invert(fall)))
    across = max(16, width // 2)
    # The gradient has got to 180 where it meets the edges of its square: there the glow must have gone.
    glow = Image.radial_gradient("L").point([max(0, 225 - v * 5 // 4) for v in range(256)])
    glow = glow.resize((across, across), Image.Resampling.BICUBIC)
    sky.paste((255, 240, 200), (width * 9 // 16, height * 4 // 10 - across // 2), glow)
    return sky


def _skyline(name: str, roughness: float) -> list[float]:
    """Return heights from 0 to 1 along a ridge: midpoints are displaced, less at each halving."""
    dice = iter(_dice(name, 4096))
    heights, swing = [0.4, 0.7, 0.3], 0.5
    while len(heights) < 1025:
        middles = [(a + b) / 2 + (next(dice) / 255 - 0.5) * swing for a, b in pairwise(heights)]
        heights = [h for pair in zip(heights, middles, strict=False) for h in pair] + heights[-1:]
        swing *= roughness
    return [max(0.0, min(1.0, h)) for h in heights]


def _ridge(size: Size, name: str, foot: float, rise: float, roughness: float) -> Image.Image:
    width, height = size
    heights = _skyline(name, roughness)
    line = [
        (width * i / (len(heights) - 1), height * (foot - rise * (h - 0.5) * 2))
        for i, h in enumerate(heights)
    ]
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon([(0.0, float(height)), *line, (float(width), float(height))], fill=255)
    return mask


def _meadow(picture: Image.Image) -> Image.Image:
    """Lay blades of grass over the lower fifth: noise drawn out upwards, finer with the distance."""
    width, height = picture.size
    top = height * 4 // 5
    for strip in range(5):
        upper = top + (height - top) * strip // 6
        size = (width, height - upper)
        cells = (max(8, width // (2 + strip)), max(2, size[1] // (6 + 6 * strip)))
        blades = _noise(cells, f"grass {strip}").resize(size, Image.Resampling.BICUBIC)
        grass = _two_tone(blades, (26, 48, 18), (150 - 12 * strip, 162 - 10 * strip, 70))
        soft = Image.linear_gradient("L").point([min(235, v * 3) for v in range(256)]).resize(size)
        picture.paste(grass, (0, upper), soft)
    return picture


def _film(picture: Image.Image) -> Image.Image:
    """Add what a lens and a sensor add: a little softness, darker corners, grain."""
    picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    corners = Image.radial_gradient("L").resize(picture.size, Image.Resampling.BICUBIC)
    shade = corners.point([255 - round(90 * math.pow(v / 255, 2.5)) for v in range(256)])
    picture = ImageChops.multiply(picture, Image.merge("RGB", [shade] * 3))
    grain = _noise(picture.size, "grain").point([120 + v // 16 for v in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), 1, -128)
