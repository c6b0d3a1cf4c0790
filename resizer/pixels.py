"""Rendering: the bytes of an original in, the bytes of a smaller image out. Pure but for the clock."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

from PIL import Image

from resizer import animation, decode, encode, still
from resizer.colour import to_resizable, to_srgb
from resizer.geometry import Size, drafted, plan, turned, turns
from resizer.limits import Clock, Deadline, Limits
from resizer.master import SETTINGS, comment, pays, true_size
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


def render_with_master(
    data: bytes, options: Options, limits: Limits, fmt: str, longest_side: int, clock: Clock = time.monotonic
) -> tuple[Rendering, Rendering | None]:
    """Do what `render` does, and make the original's master of what was decoded: see master.py.

    None if it does not pay: for small originals, for animations, and those with transparency or a palette,
    and where the result had to be made of all pixels. Raises as `render`.
    """
    deadline = Deadline(limits.decode_seconds, clock)
    with decode.opened(data, limits, deadline) as image:
        frames = animation.frame_count(image, data, fmt, limits)
        fit = _may_have_master(image) and not options.gray
        exif = exif_of_rights(image, still.orientation(image)) if fit else b""
        source = image.size
        body, size = _made(image, options, limits, deadline, fmt, frames)
        medium = _master(image, source, size, longest_side, exif) if fit else None
        deadline.check()
    return Rendering(body, f"image/{fmt}", *size), medium


def _may_have_master(image: Image.Image) -> bool:
    moves = getattr(image, "is_animated", False) and image.format not in {"MPO", "TIFF"}
    opaque = image.mode in _TRUE_COLOUR and "transparency" not in image.info
    return image.format in _PICTURES and opaque and not moves


def _master(
    image: Image.Image, source: Size, result: Size, longest_side: int, exif: bytes
) -> Rendering | None:
    """Encode what the decoder gave; where it knows no smaller sizes, its average that is nearest above."""
    picture = image
    if not still.draftable(image):
        times = drafted((0, 0, *source), (max(result), max(result)))
        picture = image.reduce(times) if times > 1 else image
    if not pays(source, picture.size, longest_side):
        return None
    picture = to_srgb(to_resizable(picture), image.info.get("icc_profile"))
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, comment=comment(source), **SETTINGS)
    return Rendering(out.getvalue(), "image/jpeg", *picture.size)


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
