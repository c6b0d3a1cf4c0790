"""Pictures to resize, and what to say of the results."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from resizer.limits import Limits
from resizer.media import media_type
from resizer.options import Options
from resizer.pixels import Rendering, render

UPRIGHT = ["red", "green", "blue", "white"]  # what `corners` says of `quarters`


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def encoded(image: Image.Image, fmt: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def quarters(width: int, height: int) -> Image.Image:
    """Four colours, one per corner: red, green above; blue, white below."""
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height // 2))
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    return image


def rendering(
    data: bytes, width: int | None = None, max_pixels: int = 64_000_000, *, fmt: str = "", **options: Any
) -> Rendering:
    """Render at quality 90; without `fmt` in the original's format, or JPEG."""
    kept = fmt or (media_type(data) or "image/jpeg").removeprefix("image/")
    return render(data, Options(width=width, **{"quality": 90, **options}), Limits(max_pixels), kept)


def rendered(data: bytes, width: int | None = None, *, fmt: str = "", **options: Any) -> Image.Image:
    return opened(rendering(data, width, fmt=fmt, **options).data)


def corners(image: Image.Image) -> list[str]:
    """Name the colours of the corners, row by row."""
    image = image.convert("RGB")
    across, down = image.width // 5, image.height // 5
    spots = [(x, y) for y in (down, image.height - 1 - down) for x in (across, image.width - 1 - across)]
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    return [names[tuple(round(band / 255) for band in image.getpixel(spot))] for spot in spots]  # type: ignore[arg-type,union-attr]
