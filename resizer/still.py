"""A still picture: decoded no larger than needed, cut, scaled, in sRGB, upright, with its effects.

The order of the steps is the point. JPEG is decoded at a fraction of its size (`draft`), which only works
while nobody has touched a pixel: so orientation and cutting are taken into account in the arithmetic, and the
turns are made on the small picture at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from PIL.Image import Transpose

from resizer import smart
from resizer.colour import to_resizable, to_srgb
from resizer.decode import BROKEN
from resizer.effects import finished, flattened, padded
from resizer.geometry import Box, Plan, Size, drafted, share, turned, unturned
from resizer.options import Colour, Options

_ORIENTATION = 0x0112
# Beyond this many times the wanted size pixels are averaged before the final LANCZOS: 53 dB of a full one.
_GAP = 3.0
# A master has lost its finest detail already: an eighth of it, cheap to avoid, would show moire in text.
_COARSEST = 4


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 where it says nothing that makes sense.

    All but JPEG are decoded first: TIFF turns itself upright then, and PNG may keep its EXIF at the end.
    """
    if not draftable(image):
        image.load()
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except BROKEN:  # broken EXIF is no reason to refuse a good picture
        return 1
    return value if isinstance(value, int) and value in range(1, 9) else 1


def draftable(image: Image.Image) -> bool:
    """Tell whether its decoder can decode smaller (MPO: a JPEG with another behind it, from telephones)."""
    return image.format in {"JPEG", "MPO"}


def small(
    image: Image.Image, wanted: Plan, source: Size, steps: Sequence[Transpose], options: Options
) -> Image.Image:
    """Return the picture at the size of the plan, upright, in sRGB.

    `source` is the size, as stored, that the plan was made for; `steps` turn the stored picture upright.
    """
    profile = image.info.get("icc_profile")
    size = turned(wanted.size, steps)
    box = _drafted(
        image, unturned(wanted.box, source, steps), source, size, gray=options.gray and not profile
    )
    image = to_resizable(image)
    if options.mode == "smart":
        box = smart.moved(image, box)
    picture = to_srgb(scaled(image, box, size), profile)
    for step in steps:
        picture = picture.transpose(step)
    return picture


def scaled(image: Image.Image, box: Box, size: Size) -> Image.Image:
    """Return `box` of the image at `size`; cut out untouched where it is of that size already."""
    if box == (*map(int, box[:2]), int(box[0]) + size[0], int(box[1]) + size[1]):
        return image.crop((int(box[0]), int(box[1]), int(box[2]), int(box[3])))
    return image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=_GAP)


def dressed(picture: Image.Image, options: Options, canvas: Size, paper: Colour | None) -> Image.Image:
    """Return the picture with its effects, on its background, on its canvas."""
    picture = finished(picture, options)
    if paper is not None:
        picture = flattened(picture, paper)
    return padded(picture, canvas, paper)


def _drafted(image: Image.Image, box: Box, source: Size, size: Size, *, gray: bool) -> Box:
    """Have the decoder decode smaller where it can, and return the box in pixels of what it will decode.

    Where a picture ends exactly must be taken from what `draft` returns: the drafted size is rounded.
    """
    times = share(source, image.size)  # 1 but for a master
    right, bottom = min(image.width, box[2] / times), min(image.height, box[3] / times)
    box = box[0] / times, box[1] / times, right, bottom
    if not draftable(image):
        return box
    scale = min(drafted(box, size), _COARSEST if times > 1 else 8)
    image.draft("L" if gray else None, (image.width // scale, image.height // scale))
    return box[0] / scale, box[1] / scale, box[2] / scale, box[3] / scale
