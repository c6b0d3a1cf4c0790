"""Media types: what bytes are, and what Apache would call them by their file name."""

from __future__ import annotations

import re

BY_EXTENSION = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
# mod_mime reads every extension of a name, not only the last: a.gz.jpg may gain a Content-Encoding, a.var.jpg
# a handler. Digits between dots (photo.2024.jpg) mean nothing to it, so only they may stand there.
_PLAIN_NAME = re.compile(r"[^.]+(?:\.[0-9]+)*\.([A-Za-z]+)")


def media_type(data: bytes) -> str | None:
    """Tell the media type of an image by its first bytes; None if it is none that this room writes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if _is_avif(data) else None


def type_by_name(key: str) -> str | None:
    """Tell what Apache's mod_mime makes of a key's last segment; None if that cannot be foreseen."""
    match = _PLAIN_NAME.fullmatch(key.rpartition("/")[2])
    return BY_EXTENSION.get(match[1].lower()) if match else None


def _is_avif(data: bytes) -> bool:
    """Tell by the brands in the first box, the major one or any compatible one."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256)
    return any(data[at : at + 4] in _AVIF_BRANDS for at in (8, *range(16, end, 4)))
