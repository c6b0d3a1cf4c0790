"""Media types: what bytes are."""

from __future__ import annotations

_AVIF_BRANDS = frozenset({b"avif", b"avis"})


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


def _is_avif(data: bytes) -> bool:
    """Tell by the brands in the first box, the major one or any compatible one."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256)
    return any(data[at : at + 4] in _AVIF_BRANDS for at in (8, *range(16, end, 4)))
