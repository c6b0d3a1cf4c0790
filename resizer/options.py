"""Options: how a result shall look. Pure values; `spelling.py` reads and writes them.

`fit`    inside the box, nothing cut. With one side given, the other follows from the original's shape.
`fill`   covers the box; what projects is cut off evenly on both sides. An original smaller than the box is
         cut to the box's shape at its own scale, unless `enlarge`.
`smart`  as `fill`, but what is kept is the part where most happens.
`pad`    as `fit`, then `background` around it until the box is full: the result has the box's size exactly.
`crop`   cut from the middle, not scaled: the box's size, or the original's where that is less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["fit", "fill", "pad", "crop", "smart"]
Format = Literal["jpeg", "png", "webp", "avif", "gif"]
Wanted = Literal["jpeg", "png", "webp", "avif", "gif", "auto"]
Turn = Literal[0, 90, 180, 270]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Options:
    """How a result shall look; the defaults are an upright sRGB picture of the original's own size.

    `width` and `height` are CSS pixels: `dpr` of them make the pixels of the result. `quality` is 1..100,
    None for the node's own; `background` is RGB, None for transparent where the format can be, else white.
    `blur` is the standard deviation in pixels of the result, `sharpen` a strength (1 is a usual one), 0 for
    neither. `rotate` is clockwise, and comes before the box: `width` is that of the result. `version` changes
    nothing but the URL.
    """

    width: int | None = None
    height: int | None = None
    mode: Mode = "fit"
    background: Colour | None = None
    quality: int | None = None
    format: Wanted | None = None
    dpr: float = 1.0
    blur: float = 0.0
    sharpen: float = 0.0
    gray: bool = False
    rotate: Turn = 0
    enlarge: bool = False
    version: str = ""
