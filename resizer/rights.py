"""Rights: who made a picture and who owns it, the one part of its metadata that is kept."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from PIL import Image, IptcImagePlugin

from resizer.decode import BROKEN

_ORIENTATION, _ARTIST, _COPYRIGHT = 0x0112, 0x013B, 0x8298
_IPTC = {_ARTIST: (2, 80), _COPYRIGHT: (2, 116)}
_XMP = {
    _ARTIST: re.compile(rb"<dc:creator>.{0,200}?<rdf:li[^>]{0,100}>([^<]{1,2000})<", re.DOTALL),
    _COPYRIGHT: re.compile(rb"<dc:rights>.{0,200}?<rdf:li[^>]{0,100}>([^<]{1,2000})<", re.DOTALL),
}
_MAX_LENGTH = 500  # bytes
_UNPRINTABLE = re.compile(rb"[\x00-\x1f\x7f]+")


def exif_of_rights(image: Image.Image, orientation: int = 1) -> bytes:
    """Return an EXIF block with the artist and the copyright of an open image, b"" if it names neither.

    With an `orientation` other than 1 the block says how the picture is turned, too.

    They are looked for in EXIF, then in IPTC, then in XMP. Broken metadata is no reason to refuse a picture.
    """
    kept = Image.Exif()
    for tag, text in ((tag, _first(image, tag)) for tag in _IPTC):
        if text:
            kept[tag] = text
    if orientation != 1:
        kept[_ORIENTATION] = orientation
    return kept.tobytes() if kept else b""


def _first(image: Image.Image, tag: int) -> bytes:
    for look in (_in_exif, _in_iptc, _in_xmp):
        try:
            text = look(image, tag)
        except BROKEN:
            continue
        if text:
            return text
    return b""


def _in_exif(image: Image.Image, tag: int) -> bytes:
    return _clean(image.getexif().get(tag))


def _in_iptc(image: Image.Image, tag: int) -> bytes:
    if image.format not in {"JPEG", "MPO"} or "photoshop" not in image.info:
        return b""
    found: Mapping[Any, Any] = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    return _clean(found.get(_IPTC[tag]))


def _in_xmp(image: Image.Image, tag: int) -> bytes:
    xmp = image.info.get("xmp", b"")
    match = _XMP[tag].search(xmp) if isinstance(xmp, bytes) else None
    return _clean(html.unescape(match[1].decode("utf-8", "replace")).encode()) if match else b""


def _clean(value: object) -> bytes:
    """Return a text's bytes as they were: Pillow reads EXIF as Latin-1, while cameras write that or UTF-8."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    return _UNPRINTABLE.sub(b" ", value).strip()[:_MAX_LENGTH] if isinstance(value, bytes) else b""
