"""Rights: who made a picture and who owns it, the one part of its metadata that is kept."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from PIL import Image, IptcImagePlugin

from resizer.decode import BROKEN

_ARTIST, _COPYRIGHT = 0x013B, 0x8298
_IPTC = {_ARTIST: (2, 80), _COPYRIGHT: (2, 116)}
_XMP = {
    _ARTIST: re.compile(rb"<dc:creator>.{0,200}?<rdf:li[^>]{0,100}>([^<]{1,2000})<", re.DOTALL),
    _COPYRIGHT: re.compile(rb"<dc:rights>.{0,200}?<rdf:li[^>]{0,100}>([^<]{1,2000})<", re.DOTALL),
}
_MAX_LENGTH = 500
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


def exif_of_rights(image: Image.Image) -> bytes:
    """Return an EXIF block with the artist and the copyright of an open image, b"" if it names neither.

    They are looked for in EXIF, then in IPTC, then in XMP. Broken metadata is no reason to refuse a picture.
    """
    kept = Image.Exif()
    for tag, text in ((tag, _first(image, tag)) for tag in _IPTC):
        if text:
            kept[tag] = text
    return kept.tobytes() if kept else b""


def _first(image: Image.Image, tag: int) -> str:
    for look in (_in_exif, _in_iptc, _in_xmp):
        try:
            text = look(image, tag)
        except BROKEN:
            continue
        if text:
            return text
    return ""


def _in_exif(image: Image.Image, tag: int) -> str:
    return _text(image.getexif().get(tag))


def _in_iptc(image: Image.Image, tag: int) -> str:
    if image.format not in {"JPEG", "MPO"} or "photoshop" not in image.info:
        return ""
    found: Mapping[Any, Any] = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    return _text(found.get(_IPTC[tag]))


def _in_xmp(image: Image.Image, tag: int) -> str:
    xmp = image.info.get("xmp", b"")
    match = _XMP[tag].search(xmp) if isinstance(xmp, bytes) else None
    return html.unescape(_text(match[1])) if match else ""


def _text(value: object) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(" ", value).strip()[:_MAX_LENGTH] if isinstance(value, str) else ""
