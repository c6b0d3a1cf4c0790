"""Encoding: a finished picture, or a film of several, to the bytes of a format. Pure.

Settings were chosen by measurement on a photograph of 600 x 397: tests/bench/pixels.py.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from resizer.effects import WHITE, flattened, has_alpha
from resizer.options import Colour

QUALITY = {"jpeg": 80, "webp": 80, "avif": 60}
_OPAQUE = 128  # from here GIF, which knows no half-transparent pixels, calls one opaque
_SETTINGS: dict[str, dict[str, Any]] = {
    # Progressive would cost 1.5 ms more and spare no byte at these sizes.
    "jpeg": {"optimize": True},
    # Method 4, the usual one, takes 2.4 times the time for files 5 % smaller.
    "webp": {"method": 2},
    # Speed 6, the usual one, takes 10 times the time for files 12 % smaller, and 8 2.5 times for 1 %.
    "avif": {"speed": 9, "max_threads": 1},
    # Level 6, the usual one, takes 3 times the time for files 1 % smaller.
    "png": {"compress_level": 4},
    "gif": {},
}


@dataclass(frozen=True)
class Film:
    """Finished frames, how long each is shown in milliseconds, and how often all are (0: for ever)."""

    frames: Sequence[Image.Image]
    durations: Sequence[int]
    plays: int


def encoded(image: Image.Image, fmt: str, quality: int | None, exif: bytes) -> bytes:
    """Return a picture as jpeg, png, webp, avif or gif; `exif` goes along where the format has room."""
    out = io.BytesIO()
    _clean(_fitting(image, fmt)).save(out, fmt.upper(), **_settings(fmt, quality, exif))
    return out.getvalue()


def encoded_film(film: Film, fmt: str, quality: int | None, exif: bytes) -> bytes:
    """Return a film as an animated GIF or WebP."""
    out = io.BytesIO()
    first, *rest = [_clean(_fitting(frame, fmt)) for frame in film.frames]
    settings = _settings(fmt, quality, exif) | _loop(film.plays, fmt)
    if fmt == "gif" and any(has_alpha(frame) for frame in film.frames):
        settings["disposal"] = 2  # else what was there before shines through the transparent parts
    first.save(
        out, fmt.upper(), save_all=True, append_images=rest, duration=list(film.durations), **settings
    )  # fmt: skip
    return out.getvalue()


def paper(fmt: str, background: Colour | None) -> Colour | None:
    """Return the colour behind transparent parts; None where they stay transparent."""
    return WHITE if fmt == "jpeg" and background is None else background


def _settings(fmt: str, quality: int | None, exif: bytes) -> dict[str, Any]:
    chosen = dict(_SETTINGS[fmt])
    if fmt in QUALITY:
        chosen["quality"] = QUALITY[fmt] if quality is None else quality
    if exif and fmt != "gif":
        chosen["exif"] = exif
    return chosen


def _loop(plays: int, fmt: str) -> dict[str, int]:
    """Say how often to play. GIF counts the repetitions after the first time, and says nothing for none."""
    if fmt == "webp" or plays == 0:
        return {"loop": plays}
    return {"loop": plays - 1} if plays > 1 else {}


def _fitting(image: Image.Image, fmt: str) -> Image.Image:
    if fmt == "jpeg":
        return flattened(image, WHITE)
    if fmt == "gif" and has_alpha(image):
        return _all_or_nothing(image)
    return image.convert("RGBA" if has_alpha(image) else "RGB") if fmt in {"webp", "avif"} else image


def _clean(image: Image.Image) -> Image.Image:
    image.info.clear()  # some encoders would copy profile, comment or transparency from here
    return image


def _all_or_nothing(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    image.putalpha(image.getchannel("A").point([0] * _OPAQUE + [255] * (256 - _OPAQUE)))
    return image
