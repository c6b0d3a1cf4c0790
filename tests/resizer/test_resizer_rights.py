"""Rights: artist and copyright survive, nothing else does."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from PIL import Image
from resizer_picture import encoded, opened, quarters, rendering

ARTIST, COPYRIGHT, CAMERA = 0x013B, 0x8298, 0x0110


def exif(**more: Any) -> Image.Exif:
    block = Image.Exif()
    block[ARTIST], block[COPYRIGHT], block[CAMERA] = "Ada", "(c) Ada Byron", "a camera nobody should know"
    block[0x0112] = 6
    return block


def iptc(number: int, text: bytes) -> bytes:
    return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text


def photoshop() -> bytes:
    """An APP13 segment as Photoshop writes it, holding an IPTC record."""
    record = iptc(80, b"Ada") + iptc(116, "© Ada Byron".encode()) + iptc(25, b"a keyword")
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2)
    body = b"Photoshop 3.0\x00" + resource
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description><dc:creator><rdf:Seq><rdf:li>Ada</rdf:li>'
    b'</rdf:Seq></dc:creator><dc:rights><rdf:Alt><rdf:li xml:lang="x-default">Ada &amp; Byron</rdf:li>'
    b"</rdf:Alt></dc:rights></rdf:Description></x:xmpmeta>"
)


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_artist_and_copyright_of_exif_go_along_and_nothing_else(source: str, fmt: str) -> None:
    result = rendering(encoded(quarters(120, 80), source, exif=exif()), 60, fmt=fmt)
    kept = opened(result.data).getexif()
    assert (kept[ARTIST], kept[COPYRIGHT]) == ("Ada", "(c) Ada Byron")
    assert CAMERA not in kept
    assert kept.get(0x0112, 1) == 1
    assert b"nobody should know" not in result.data


def test_iptc_and_xmp_are_read_where_exif_says_nothing() -> None:
    plain = encoded(quarters(120, 80))
    by_iptc = opened(rendering(plain[:2] + photoshop() + plain[2:], 60).data).getexif()
    assert (by_iptc[ARTIST], by_iptc[COPYRIGHT]) == ("Ada", "© Ada Byron".encode().decode("latin-1"))
    by_xmp = opened(rendering(encoded(quarters(120, 80), xmp=XMP), 60).data).getexif()
    assert (by_xmp[ARTIST], by_xmp[COPYRIGHT]) == ("Ada", "Ada & Byron")


def test_a_picture_that_names_nobody_has_no_exif() -> None:
    assert b"Exif" not in rendering(encoded(quarters(120, 80)), 60).data


def test_rights_are_kept_short() -> None:
    block = Image.Exif()
    block[COPYRIGHT] = "\x01evil\n" + "x" * 60_000
    kept = opened(rendering(encoded(quarters(120, 80), exif=block), 60).data).getexif()[COPYRIGHT]
    assert kept.startswith("evil x")
    assert len(kept) <= 500


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("junk", [b"8BIM", b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\xff\xff\xff\xff\x1c\x02"])
def test_broken_records_are_no_reason_to_refuse(junk: bytes) -> None:
    plain = encoded(quarters(120, 80))
    segment = b"\xff\xed" + struct.pack(">H", len(junk) + 2) + junk
    assert rendering(plain[:2] + segment + plain[2:], 60).width == 60
