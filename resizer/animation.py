"""Animation: every frame of a GIF or WebP made small as the first one is, with its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL import Image

from resizer import gif, smart
from resizer.colour import to_srgb
from resizer.encode import Film, paper
from resizer.geometry import Plan
from resizer.limits import Deadline, Limits
from resizer.options import Options
from resizer.still import dressed, scaled

Steps = Sequence[Image.Transpose]
MOVING = frozenset({"gif", "webp"})


def frame_count(image: Image.Image, data: bytes, fmt: str, limits: Limits) -> int:
    """Return how many frames of an open image are to be kept in format `fmt`: 1 beyond the limits.

    GIF's frames are counted by walking its blocks, since Pillow would count millions of them one by one.
    """
    if fmt not in MOVING or image.format not in {"GIF", "WEBP"}:
        return 1
    if image.format == "GIF":
        frames = gif.scan(data, limits.max_frames + 1)[0]
    else:
        frames = int(getattr(image, "n_frames", 1))
    return frames if limits.admits_frames(frames, image.width * image.height) else 1


def film(
    image: Image.Image, count: int, wanted: Plan, steps: Steps, options: Options, deadline: Deadline, fmt: str
) -> Film:
    """Return the `count` finished frames of an open animation, by a plan for its canvas as turned by `steps`.

    Raises TooSlowError, and whatever a frame that is broken or missing makes Pillow raise.
    """
    frames: list[Image.Image] = []
    durations: list[int] = []
    profile = image.info.get("icc_profile")
    plays = _plays(image)
    for frame in _frames(image, count):
        upright = _turned(frame, steps)
        if not frames and options.mode == "smart":
            wanted = replace(wanted, box=smart.moved(upright, wanted.box))
        picture = to_srgb(scaled(upright, wanted.box, wanted.size), profile)
        frames.append(dressed(picture, options, wanted.canvas, paper(fmt, options.background)))
        durations.append(int(image.info.get("duration", 0)))
        deadline.check()
    return Film(frames, durations, plays)


def _frames(image: Image.Image, count: int) -> Iterator[Image.Image]:
    size = image.size
    for number in range(count):
        image.seek(number)
        if image.size != size:  # a GIF whose later frames reach beyond the canvas
            raise ValueError("its frames are of different sizes")
        yield image.convert("RGBA" if image.has_transparency_data else "RGB")


def _turned(frame: Image.Image, steps: Steps) -> Image.Image:
    for step in steps:
        frame = frame.transpose(step)
    return frame


def _plays(image: Image.Image) -> int:
    """Return how often the animation is played, 0 for ever. GIF counts the times after the first."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop and loop + 1
    return int(loop or 0)
