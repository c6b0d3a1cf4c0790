"""Which format a client is given where the URL leaves it open (`f_auto`). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resizer.address import natural_format

if TYPE_CHECKING:
    from resizer.options import Format

_MODERN: tuple[Format, ...] = ("avif", "webp")


def best(header: str, key: str) -> Format:
    """Return the smallest format that the Accept header names outright, else that of the key's extension.

    `*/*` and `image/*` name nothing: every client sends one of them, also those that know JPEG alone.
    """
    named = {kind for kind, quality in map(_parted, header.lower().split(",")) if quality > 0}
    natural = natural_format(key)
    # A GIF may move, and AVIF is written still.
    offered = [each for each in _MODERN if natural != "gif" or each == "webp"]
    return next((each for each in offered if f"image/{each}" in named), natural)


def _parted(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip() for part in text.split(";"))
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return kind, float(value)
            except ValueError:
                return kind, 0.0
    return kind, 1.0
