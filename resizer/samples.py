"""Originals to try the service with: a photograph, an oval of it seen through a pane, and one that moves."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFilter

from resizer.photograph import photograph

_FRAMES = 6
_FRAME_MILLISECONDS = 120


def samples() -> dict[str, bytes]:
    """Return originals by their keys; the same ones always."""
    data = photograph(1800, 1200)
    small = Image.open(io.BytesIO(data)).convert("RGB").resize((600, 400), Image.Resampling.LANCZOS)
    return {"photo.jpg": data, "pane.png": _pane(small), "pan.gif": _pan(small)}


def _pane(picture: Image.Image) -> bytes:
    """Cut out an oval with a soft edge."""
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse((30, 20, picture.width - 30, picture.height - 20), fill=255)
    picture = picture.copy()
    picture.putalpha(mask.filter(ImageFilter.GaussianBlur(6)))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _pan(picture: Image.Image) -> bytes:
    """Let a camera pan over it."""
    width, height = 300, 200
    step = (picture.width - width) // (_FRAMES - 1)
    frames = [
        picture.crop((x, 100, x + width, 100 + height)) for x in range(0, step * (_FRAMES - 1) + 1, step)
    ]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=_FRAME_MILLISECONDS, loop=0)
    return out.getvalue()
