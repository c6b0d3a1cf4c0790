"""Colour: modes that can be resized without damage, and the way from an embedded profile to sRGB. Pure."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageCms

from resizer.errors import NotAnImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESIZABLE = ("L", "LA", "RGB", "RGBA", "CMYK")
_ALPHA_FOR: Mapping[str, str] = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_MAX_PROFILE = 4 << 20  # bytes: profiles of printing presses take two megabytes
_UNSEEN = 2  # of 255: what one sRGB profile's rounding differs from another's
_STEPS = range(0, 256, 51)
_PROBE = Image.frombytes(
    "RGB", (36, 6), bytes(v for r in _STEPS for g in _STEPS for b in _STEPS for v in (r, g, b))
)


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


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    transform = _transform(profile, image.mode)
    if transform is None:
        return None
    converted = ImageCms.applyTransform(image, transform)
    return converted.convert("L") if converted and image.mode == "L" else converted


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the way to sRGB; None if the profile is useless, or is sRGB under whatever name.

    Making one takes longer than a small picture takes to go through it, and most pictures share few profiles.
    """
    if len(profile) > _MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
        probe = ImageCms.applyTransform(_PROBE, transform) if mode == "RGB" else None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    same = probe is not None and max(high for _, high in _differences(probe)) <= _UNSEEN
    return None if same else transform


def _differences(probe: Image.Image) -> list[tuple[int, int]]:
    return [band.getextrema() for band in ImageChops.difference(probe, _PROBE).split()]  # type: ignore[misc]


def _eight_bits(image: Image.Image) -> Image.Image:
    # By way of 32 bits, where the division is ours: a plain convert("L") has clipped at 255 in some versions.
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
