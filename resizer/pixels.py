"""Rendering: the bytes of an original in, the bytes of a smaller image out. Pure but for the clock."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

from PIL import Image

from resizer import animation, decode, encode, still
from resizer.effects import has_alpha
from resizer.geometry import Plan, Size, plan, turned, turns
from resizer.limits import Clock, Deadline, Limits
from resizer.master import SETTINGS, comment, master_size, true_size
from resizer.options import Options
from resizer.rights import exif_of_rights

_PICTURES = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "TIFF", "PNG"})
_TRUE_COLOUR = frozenset({"RGB", "L", "YCbCr", "CMYK"})


@dataclass(frozen=True)
class Rendering:
    """A rendered image: its bytes, their media type, its size in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def render(
    data: bytes, options: Options, limits: Limits, fmt: str, clock: Clock = time.monotonic
) -> Rendering:
    """Make of an original, or of its master, what `options` ask for, as jpeg, png, webp, avif or gif (`fmt`).

    The result is upright, in sRGB, and without metadata but the artist and the copyright. Its size is exact.
    An animated GIF or WebP stays one in these two formats; beyond the limits, and in others, its first frame
    is taken. Transparent parts are laid on the background where one is asked for or, in white, needed.

    Raises TooManyBytesError, NotAnImageError, TooManyPixelsError, TooLargeResultError, TooSlowError or
    UndecodableError.
    """
    deadline = Deadline(limits.decode_seconds, clock)
    with decode.opened(data, limits, deadline) as image:
        frames = animation.frame_count(image, data, fmt, limits)
        body, size = _made(image, options, limits, deadline, fmt, frames)
        deadline.check()
    return Rendering(body, f"image/{fmt}", *size)


def master(data: bytes, limits: Limits, longest_side: int, clock: Clock = time.monotonic) -> Rendering | None:
    """Make the master of an original: see master.py. None if it does not pay.

    It does not for small originals, animations, and those with transparency or a palette. Raises as `render`.
    """
    deadline = Deadline(limits.decode_seconds, clock)
    with decode.opened(data, limits, deadline) as image:
        if not _may_have_master(image):
            return None
        source, steps = image.size, turns(still.orientation(image), 0)
        upright = turned(source, steps)
        size = master_size(upright, longest_side)
        if size is None:
            return None
        rights = exif_of_rights(image)
        picture = still.small(image, Plan((0, 0, *upright), size, size), source, steps, Options())
        if has_alpha(picture):
            return None
        out = io.BytesIO()
        picture.info.clear()
        picture.save(out, "JPEG", exif=rights, comment=comment(upright), **SETTINGS)
        deadline.check()
    return Rendering(out.getvalue(), "image/jpeg", *size)


def _may_have_master(image: Image.Image) -> bool:
    moves = getattr(image, "is_animated", False) and image.format not in {"MPO", "TIFF"}
    opaque = image.mode in _TRUE_COLOUR and "transparency" not in image.info
    return image.format in _PICTURES and opaque and not moves


def _made(
    image: Image.Image, options: Options, limits: Limits, deadline: Deadline, fmt: str, frames: int
) -> tuple[bytes, Size]:
    source, steps = true_size(image), turns(still.orientation(image), options.rotate)
    deadline.check()
    wanted = plan(turned(source, steps), options)
    limits.admit_output(*wanted.canvas)
    rights = exif_of_rights(image)
    if frames > 1 and limits.admits_frames(frames, wanted.canvas[0] * wanted.canvas[1]):
        film = animation.film(image, frames, wanted, steps, options, deadline, fmt)
        return encode.encoded_film(film, fmt, options.quality, rights), wanted.canvas
    picture = still.small(image, wanted, source, steps, options)
    deadline.check()
    picture = still.dressed(picture, options, wanted.canvas, encode.paper(fmt, options.background))
    return encode.encoded(picture, fmt, options.quality, rights), wanted.canvas
