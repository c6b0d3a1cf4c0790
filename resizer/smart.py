"""Smart crop: keep the part of a picture where most happens, told by local contrast. No faces, no models."""

from __future__ import annotations

from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter

from resizer.geometry import Box

_PREVIEW = 96  # pixels on the longer side: enough to tell sky from town, at 0.3 ms
_NEIGHBOURHOOD = 2  # pixels of the preview


def moved(image: Image.Image, box: Box) -> Box:
    """Return `box` (in pixels of `image`, of a mode that can be resized) moved to where most happens.

    Of equally good places the one nearest to the given is taken.
    """
    width, height = image.size
    if box[2] - box[0] >= width and box[3] - box[1] >= height:
        return box
    scale = _PREVIEW / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    energy = _energy(image.resize(size, Image.Resampling.BOX, reducing_gap=1.0))
    left = _best(_profile(energy, (size[0], 1)), box[0], box[2], width)
    top = _best(_profile(energy, (1, size[1])), box[1], box[3], height)
    return left, top, left + box[2] - box[0], top + box[3] - box[1]


def _energy(preview: Image.Image) -> Image.Image:
    alpha = preview.getchannel("A") if preview.mode in {"LA", "RGBA"} else None
    colours = preview.convert("RGB")
    contrast = ImageChops.difference(colours, colours.filter(ImageFilter.GaussianBlur(_NEIGHBOURHOOD)))
    red, green, blue = contrast.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return ImageChops.multiply(strongest, alpha) if alpha else strongest


def _profile(energy: Image.Image, size: tuple[int, int]) -> list[float]:
    """Return the mean energy of each column (or row), in finer steps than a byte's."""
    line = energy.convert("F").resize(size, Image.Resampling.BOX)
    return [float(line.getpixel((x, y))) for y in range(size[1]) for x in range(size[0])]  # type: ignore[arg-type]


def _best(profile: list[float], start: float, end: float, length: int) -> float:
    """Return the best start, in pixels, of a window as long as `start` to `end` on a side of `length`."""
    slack = length - (end - start)
    span = round((end - start) / length * len(profile))
    if slack <= 0 or span >= len(profile):
        return start
    sums = [0.0, *accumulate(profile)]
    places = len(profile) - span
    middle = start / slack * places
    chosen = max(range(places + 1), key=lambda at: (round(sums[at + span] - sums[at], 3), -abs(at - middle)))
    return slack * chosen / places
