"""Masters: medium-size copies of large originals, to make the smaller sizes from at a fraction of the cost.

A master is upright, sRGB, opaque, a JPEG. It says in its comment what size it was made from, so that what is
made from it has the very size that the original would have given.
"""

from __future__ import annotations

import io
import re

from PIL import Image

from resizer.geometry import Size, drafted, plan, turned, turns
from resizer.options import Options

LONGEST_SIDE = 1600
# Chosen by measurement, tests/bench/pixels.py. Full colour resolution would cost more to decode and show
# nothing, for what is made of a master is at most one `_SHARE`th of its size.
SETTINGS = {"quality": 92, "subsampling": "4:2:0", "optimize": True}
_SHARE = 2
# Of the original's sides, at most. With half of them the larger sizes would cost half of what they cost from
# the original, for much of that is scaling and encoding; with a third they cost at most a third.
_PART = 3
_SMALLEST = 640  # pixels on the longer side: below, the original itself is rendered in a few milliseconds
_THINNEST = 32  # pixels on the shorter side
_COMMENT = re.compile(rb"resizer master of ([0-9]{1,5}) x ([0-9]{1,5})")


def master_size(source: Size, longest_side: int) -> Size | None:
    """Return the size of the master of an original of `source`; None if there shall be none.

    It is a third of the original's, or as much less as `longest_side` asks for.
    """
    side = min(longest_side, max(source) // _PART)
    size = plan(source, Options(width=side, height=side)).size
    return size if side >= _SMALLEST and min(size) >= _THINNEST else None


def comment(source: Size) -> bytes:
    """Return what a master says of the original it was made from."""
    return b"resizer master of %d x %d" % source


def true_size(image: Image.Image) -> Size:
    """Return the size to reckon with: for a master that of its original, else the image's own as stored.

    Anybody may write such a comment. It is believed only where it speaks of a larger picture of this shape,
    so that a lie can do no more than `enlarge` does.
    """
    found = _COMMENT.fullmatch(image.info.get("comment", b"")) if image.format == "JPEG" else None
    if found is None:
        return image.size
    claimed = int(found[1]), int(found[2])
    side = max(image.size)
    like = max(claimed) > side and plan(claimed, Options(width=side, height=side)).size == image.size
    return claimed if like else image.size


def suffices(head: bytes, options: Options) -> bool:
    """Tell whether a master, of which the first 4 KiB are enough, holds all that a result can show.

    That is where each pixel of the result is made of at least `_SHARE` of the master's in each direction.
    """
    with Image.open(io.BytesIO(head), formats=["JPEG"]) as image:
        source = true_size(image)
        wanted = plan(turned(source, turns(1, options.rotate)), options)
        ratio = image.width / source[0]
    return drafted(wanted.box, wanted.size, ratio) >= _SHARE
