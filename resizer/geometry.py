"""Geometry: which part of an original becomes how many pixels. Pure arithmetic, exact to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from PIL.Image import Transpose

from resizer.options import Options

Size = tuple[int, int]
Box = tuple[float, float, float, float]

# How a picture stored at each EXIF orientation is turned upright.
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_CLOCKWISE = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
# Each turn undone: mirror from left to right, from top to bottom, then swap the axes.
_PARTS = {
    Transpose.FLIP_LEFT_RIGHT: (True, False, False),
    Transpose.FLIP_TOP_BOTTOM: (False, True, False),
    Transpose.ROTATE_180: (True, True, False),
    Transpose.TRANSPOSE: (False, False, True),
    Transpose.ROTATE_90: (False, True, True),
    Transpose.ROTATE_270: (True, False, True),
    Transpose.TRANSVERSE: (True, True, True),
}


@dataclass(frozen=True)
class Plan:
    """What to do: cut `box` out of the original, scale it to `size`, lay that in the middle of `canvas`."""

    box: Box
    size: Size
    canvas: Size


def plan(source: Size, options: Options) -> Plan:
    """Return the plan for an upright original of size `source`. Every side of the result is at least 1."""
    box = _pixels(options.width, options.dpr), _pixels(options.height, options.dpr)
    if options.mode == "crop":
        return _cut(source, box)
    if options.mode in {"fill", "smart"} and box[0] and box[1]:
        return _filled(source, (box[0], box[1]), enlarge=options.enlarge)
    size = _fitted(source, box, enlarge=options.enlarge)
    canvas = (box[0] or size[0], box[1] or size[1]) if options.mode == "pad" else size
    return Plan((0, 0, *source), size, canvas)


def turns(orientation: int, rotate: int) -> tuple[Transpose, ...]:
    """Return what turns a stored picture upright, and then by `rotate` degrees clockwise."""
    found = _UPRIGHT.get(orientation), _CLOCKWISE.get(rotate)
    return tuple(turn for turn in found if turn is not None)


def turned(size: Size, steps: Sequence[Transpose]) -> Size:
    """Return the size of a picture of `size` after the turns."""
    lying = sum(_PARTS[step][2] for step in steps) % 2
    return (size[1], size[0]) if lying else size


def unturned(box: Box, size: Size, steps: Sequence[Transpose]) -> Box:
    """Return where `box`, seen after the turns, lies in the picture of `size` before them."""
    for count in range(len(steps) - 1, -1, -1):
        box = _before(box, turned(size, steps[: count + 1]), steps[count])
    return box


def drafted(box: Box, size: Size, part: float = 1.0) -> int:
    """Return how many times smaller, at most 8, a JPEG may be decoded so that `box` still holds `size`.

    The JPEG itself is `part` times as large as the picture that the box is measured in.
    """
    ratio = _ratio(box, size, part)
    return next(scale for scale in (8, 4, 2, 1) if scale <= ratio or scale == 1)


def share(source: Size, size: Size) -> int:
    """Return how many times smaller a picture of `source` was decoded; the sides of `size` are rounded up."""
    return round(max(source) / max(size))


def holds(box: Box, size: Size, part: float) -> bool:
    """Tell whether `box` of a picture decoded at `part` of its size has the pixels for a result of `size`."""
    return _ratio(box, size, part) >= 1


def _ratio(box: Box, size: Size, part: float) -> float:
    across, down = (box[2] - box[0]) * part, (box[3] - box[1]) * part
    return min(across / _least(size[0]), down / _least(size[1]))


def _least(side: int) -> float:
    """Half of 834 x 555 is called 417 x 278, and decoded at half its size it has but 277.5 rows."""
    return side - min(0.5, side * 0.005)


def _before(box: Box, size: Size, step: Transpose) -> Box:
    left, top, right, bottom = box
    mirror_x, mirror_y, swap = _PARTS[step]
    if mirror_x:
        left, right = size[0] - right, size[0] - left
    if mirror_y:
        top, bottom = size[1] - bottom, size[1] - top
    return (top, left, bottom, right) if swap else (left, top, right, bottom)


def _pixels(length: int | None, dpr: float) -> int | None:
    return None if length is None else max(1, _rounded(length * Fraction(str(dpr))))


def _rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _fitted(source: Size, box: tuple[int | None, int | None], *, enlarge: bool) -> Size:
    scales = [Fraction(want, have) for want, have in zip(box, source, strict=True) if want]
    scale = min(scales, default=Fraction(1))
    if scale > 1 and not enlarge:
        return source
    return max(1, _rounded(source[0] * scale)), max(1, _rounded(source[1] * scale))


def _cut(source: Size, box: tuple[int | None, int | None]) -> Plan:
    size = min(source[0], box[0] or source[0]), min(source[1], box[1] or source[1])
    left, top = (source[0] - size[0]) // 2, (source[1] - size[1]) // 2
    return Plan((left, top, left + size[0], top + size[1]), size, size)


def _filled(source: Size, box: Size, *, enlarge: bool) -> Plan:
    scale = max(Fraction(box[0], source[0]), Fraction(box[1], source[1]))
    if scale > 1 and not enlarge:
        shape = Fraction(1) / scale
        whole = max(1, _rounded(box[0] * shape)), max(1, _rounded(box[1] * shape))
        return _cut(source, whole)
    width, height = box[0] / scale, box[1] / scale
    left, top = (source[0] - width) / 2, (source[1] - height) / 2
    return Plan((float(left), float(top), float(left + width), float(top + height)), box, box)
