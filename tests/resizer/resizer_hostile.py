"""Hostile images by the thousand, always the same ones: broken, lying, nested, absurd."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from PIL import Image, ImageCms
from resizer_picture import encoded, quarters

SEED = 20_261_123


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of that size by its header; the chunks are what it really holds."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def pixels_of_png(data: bytes) -> bytes:
    at = data.index(b"IDAT")
    return data[at - 4 : at + 8 + int.from_bytes(data[at - 4 : at], "big")]


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def resized_jpeg(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header lies about the size."""
    at = next(at for at in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if at > 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(quarters(64, 48), progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + data[-2:]


def bmp(width: int, height: int, body: bytes, *, bits: int = 24, compression: int = 0) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + info + body


def tiff(*tags: tuple[int, int, int, int], body: bytes = b"\0" * 256) -> bytes:
    """A little-endian TIFF with these (tag, type, count, value) entries, and `body` behind them."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + body


def plain_tiff(width: int, height: int, compression: int = 1, **more: int) -> bytes:
    named = {"tile_width": 322, "tile_height": 323, "samples": 277, "bits": 258, "rows": 278}
    tags = {
        256: width,
        257: height,
        258: 8,
        259: compression,
        262: 1,
        273: 300,
        277: 1,
        278: height,
        279: 256,
    }
    tags.update({named[name]: value for name, value in more.items()})
    if "tile_width" in more:
        tags.update({324: tags.pop(273), 325: tags.pop(279)})
        del tags[278]
    return tiff(*[(tag, 4, 1, value) for tag, value in tags.items()])


def webp(name: bytes, body: bytes) -> bytes:
    whole = b"WEBP" + name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


@cache
def sound() -> dict[str, bytes]:
    """Small images that are in order, of every format and of the variants that take other paths."""
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "(c) Ada"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {
        "jpeg": encoded(quarters(64, 48), exif=exif, icc_profile=profile),
        "jpeg progressive": encoded(quarters(64, 48), progressive=True),
        "jpeg cmyk": encoded(quarters(64, 48).convert("CMYK")),
        "jpeg grey": encoded(quarters(64, 48).convert("L")),
        "mpo": encoded(quarters(64, 48), "MPO", **_frames()),
        "png": encoded(quarters(64, 48), "PNG", exif=exif, icc_profile=profile),
        "png palette": encoded(quarters(64, 48).quantize(8), "PNG", transparency=1),
        "png 16 bit": encoded(quarters(64, 48).convert("I;16"), "PNG"),
        "png animated": encoded(quarters(64, 48), "PNG", **_frames()),
        "webp": encoded(quarters(64, 48), "WEBP", exif=exif, icc_profile=profile),
        "webp lossless": encoded(quarters(64, 48).convert("RGBA"), "WEBP", lossless=True),
        "webp animated": encoded(quarters(64, 48), "WEBP", duration=100, **_frames()),
        "avif": encoded(quarters(64, 48), "AVIF", exif=exif, speed=10),
        "avif animated": encoded(quarters(64, 48), "AVIF", speed=10, **_frames()),
        "gif": encoded(quarters(64, 48), "GIF"),
        "gif animated": encoded(quarters(64, 48), "GIF", duration=100, loop=0, **_frames()),
        "tiff": encoded(quarters(64, 48), "TIFF"),
        "tiff lzw": encoded(quarters(64, 48), "TIFF", compression="tiff_lzw"),
        "tiff deflate": encoded(quarters(64, 48), "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": encoded(quarters(64, 48), "TIFF", compression="jpeg"),
        "tiff fax": encoded(quarters(64, 48).convert("1"), "TIFF", compression="group4"),
        "tiff pages": encoded(quarters(64, 48), "TIFF", **_frames()),
        "bmp": encoded(quarters(64, 48), "BMP"),
        "bmp palette": encoded(quarters(64, 48).quantize(8), "BMP"),
    }


def _frames() -> dict[str, Any]:
    """Frames of their own, for JPEG's encoder leaves its settings behind in an image."""
    return {"save_all": True, "append_images": [quarters(64, 48).rotate(90), quarters(64, 48).rotate(180)]}


def cut(data: bytes, points: int) -> Iterator[bytes]:
    """The beginnings of an image, cut at many points."""
    for number in range(points):
        yield data[: len(data) * number // points]


def damaged(name: str, data: bytes, count: int) -> Iterator[bytes]:
    """An image with a few bits flipped, bytes replaced, removed or repeated; half of them in its header."""
    dice = random.Random(f"{SEED} {name}")  # noqa: S311 - the same corpus every time
    for number in range(count):
        body = bytearray(data)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(min(len(body), 96) if number % 2 else len(body))
            act = dice.randrange(4)
            if act == 0:
                body[at] ^= 1 << dice.randrange(8)
            elif act == 1:
                body[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif act == 2:
                del body[at : at + dice.randint(1, 8)]
            else:
                body[at:at] = body[at : at + dice.randint(1, 64)]
        yield bytes(body)


def spliced(count: int) -> Iterator[bytes]:
    """The head of one image on the tail of another."""
    dice = random.Random(SEED)  # noqa: S311 - the same corpus every time
    images = list(sound().values())
    for _ in range(count):
        head, tail = dice.choice(images), dice.choice(images)
        yield head[: dice.randrange(len(head))] + tail[dice.randrange(len(tail)) :]


def nested() -> Iterator[bytes]:
    """One image in another, and what is two things at once."""
    images = sound()
    jpeg, page = images["jpeg"], b"<html><script>alert(1)</script></html>"
    archive = b"PK\x03\x04" + b"\0" * 26 + b"PK\x05\x06" + b"\0" * 18
    for other in (*images.values(), page, archive, b"%PDF-1.7\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        yield jpeg + other
        yield other + jpeg
        yield images["png"] + other
        yield images["gif"] + other
        yield jpeg[:2] + segment(0xE1, b"Exif\0\0" + other[:60_000]) + jpeg[2:]
        yield jpeg[:2] + segment(0xFE, other[:60_000]) + jpeg[2:]
        yield png(64, 48, chunk(b"eXIf", other), pixels_of_png(images["png"]))
        yield webp(b"VP8 ", other)
        yield webp(b"VP8L", other)


def absurd() -> Iterator[bytes]:
    """Sizes that no picture has."""
    images = sound()
    sides = (0, 1, 0x7FFF, 0xFFFF, 10_000, 0x7FFF_FFFF, 0xFFFF_FFFF)
    for width, height in ((width, height) for width in sides for height in sides):
        yield png(width, height, pixels_of_png(images["png"]))
        yield resized_jpeg(images["jpeg"], width & 0xFFFF, height & 0xFFFF)
        yield resized_jpeg(images["jpeg progressive"], width & 0xFFFF, height & 0xFFFF)
        yield images["gif"][:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + images["gif"][10:]
        yield bmp(width & 0x7FFF_FFFF, -(height & 0x7FFF_FFFF), b"\0" * 300)
        yield bmp(width & 0x7FFF_FFFF, height & 0x7FFF_FFFF, b"\0\0\0\2\xff\xff" * 50, bits=8, compression=1)
        yield plain_tiff(width, height)
        yield plain_tiff(64, 48, compression=8, tile_width=width, tile_height=height)
        yield webp(b"VP8X", b"\x10\0\0\0" + struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3])
        yield images["avif"].replace(struct.pack(">II", 64, 48), struct.pack(">II", width, height))


def bombs() -> Iterator[bytes]:
    """Little that becomes much."""
    much = zlib.compress(b"\0" * (80 << 20), 9)
    pixels = pixels_of_png(sound()["png"])
    yield png(64, 48, chunk(b"zTXt", b"Comment\0\0" + much), pixels)
    yield png(64, 48, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + much), pixels)
    yield png(64, 48, chunk(b"iCCP", b"profile\0\0" + much), pixels)
    yield png(64, 48, chunk(b"IDAT", much))
    yield png(20_000, 20_000, chunk(b"IDAT", much))
    yield png(64, 48, *[chunk(b"tEXt", b"k\0" + b"x" * 100)] * 5000, pixels)
    yield many_scans(5000)
    yield plain_tiff(64, 48, compression=8, tile_width=60_000, tile_height=60_000)
    yield plain_tiff(64, 48, samples=60_000)
    frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    yield b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 200_000 + b";"


def cases() -> Iterator[tuple[str, bytes]]:
    """Every case with the name of its kind."""
    for name, data in sound().items():
        yield from ((f"{name} cut", each) for each in cut(data, 40))
        yield from ((f"{name} damaged", each) for each in damaged(name, data, 90))
    for kind in (spliced(300), nested(), absurd(), bombs()):
        yield from ((kind.__name__, each) for each in kind)  # type: ignore[attr-defined]


def is_image(data: bytes) -> tuple[int, int]:
    """Decode an image whole, and tell its size."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.size
