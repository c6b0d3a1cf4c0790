"""Masters: copies of large originals at a half, a quarter or an eighth, to make further sizes from.

A master is what the first size of an original was scaled from: as a JPEG is decoded no larger than needed,
that is there already, and costs but its encoding. It is turned as its original is, but sRGB and opaque, a
JPEG. It says in its comment what size it was made from, so that what is made from it has the very size that
the original would have given.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache

from PIL import Image

from resizer.geometry import Size, holds, plan, share, turned, turns
from resizer.options import Options
from resizer.still import orientation

LONGEST_SIDE = 2048
# Chosen by measurement, tests/bench/pixels.py: results are within 0.1 dB of those made of the original, whose
# pixels they may use up to the last. Optimised tables would cost more than the rest of the encoding.
SETTINGS = {"quality": 95, "subsampling": "4:4:4"}
SHARES = (8, 4, 2)
_LEAST_PIXELS = 1_000_000  # of an original: smaller ones are decoded in a few milliseconds
_THINNEST = 32  # pixels on the shorter side
_COMMENT = re.compile(rb"resizer master of ([0-9]{1,5}) x ([0-9]{1,5})")


def pays(source: Size, size: Size, longest_side: int) -> bool:
    """Tell whether a master of `size` is worth having of an original of `source`."""
    smaller = share(source, size) in SHARES and max(size) <= longest_side
    return smaller and min(size) >= _THINNEST and source[0] * source[1] >= _LEAST_PIXELS


def comment(source: Size) -> bytes:
    """Return what a master says of the original it was made from, as that is stored."""
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
    times = share(claimed, image.size)
    like = times in SHARES and image.size == (-(-claimed[0] // times), -(-claimed[1] // times))
    return claimed if like else image.size


def suffices(head: bytes, options: Options) -> bool:
    """Tell whether a master, of which the first 4 KiB are enough, holds all that a result can show.

    That is where each pixel of the result is made of at least one of the master's in each direction.
    """
    source, size, turn = _facts(head)
    wanted = plan(turned(source, turns(turn, options.rotate)), options)
    return holds(wanted.box, wanted.size, 1 / share(source, size))


@lru_cache(maxsize=256)
def _facts(head: bytes) -> tuple[Size, Size, int]:
    """Return the original's size, the master's, and how both are turned; each further size asks again."""
    with Image.open(io.BytesIO(head), formats=["JPEG"]) as image:
        return true_size(image), image.size, orientation(image)
