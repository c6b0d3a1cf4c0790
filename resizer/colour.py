"""Colour: modes that can be resized without damage, and the way from an embedded profile to sRGB. Pure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

from resizer.errors import NotAnImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESIZABLE = ("L", "LA", "RGB", "RGBA", "CMYK")
_ALPHA_FOR: Mapping[str, str] = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_resizable(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose pixels can be averaged: palettes, bits and 16-bit greys cannot be.

    CMYK stays, for its profile, if any, speaks of four inks. Raises NotAnImageError for 32-bit samples.
    """
    if image.mode in {"I", "F"}:
        raise NotAnImageError(
            "The original has 32-bit samples, whose range of brightness is anybody's guess.",
            "Upload it with 8 or 16 bits per channel.",
        )
    if image.mode.startswith("I;16"):
        return _eight_bits(image)
    if "transparency" in image.info and image.mode in _ALPHA_FOR:
        return image.convert(_ALPHA_FOR[image.mode])
    if image.mode in _RESIZABLE:
        return image
    if image.mode == "1":
        return image.convert("L")
    alpha = image.mode in {"PA", "La", "RGBa"} or (image.palette is not None and image.palette.mode == "RGBA")
    return image.convert("RGBA" if alpha else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image in sRGB (mode L, LA, RGB or RGBA).

    An embedded profile is honoured if it can be; one that is broken or belongs to other channels is ignored,
    as browsers do.
    """
    if profile:
        alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
        converted = _converted(image.convert(image.mode.removesuffix("A")), profile)
        if converted is not None:
            if alpha is not None:
                converted.putalpha(alpha)
            return converted
    return image.convert("RGB") if image.mode == "CMYK" else image


def without_alpha(image: Image.Image) -> Image.Image:
    """Return the image as L or RGB, laid on white where it is transparent."""
    if image.mode not in {"LA", "RGBA"}:
        return image
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return converted.convert("L") if converted and image.mode == "L" else converted


def _eight_bits(image: Image.Image) -> Image.Image:
    # By way of 32 bits, where the division is ours: a plain convert("L") has clipped at 255 in some versions.
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
