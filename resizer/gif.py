"""GIF's blocks, walked without decoding a pixel: how many frames there are, and how far they reach."""

from __future__ import annotations

_EXTENSION, _FRAME = 0x21, 0x2C


def scan(data: bytes, at_most: int) -> tuple[int, int, int]:
    """Return (frames, width, height): the frames counted up to `at_most`, and the size that holds them all.

    A frame may reach beyond the size in the header, and decoders then grow their canvas. Data cut short
    counts as far as it goes.
    """
    frames, width, height, at = 0, _word(data, 6), _word(data, 8), 13 + _palette(data, 10)
    while frames < at_most and at < len(data):
        if data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        elif data[at] == _FRAME:
            frames += 1
            width = max(width, _word(data, at + 1) + _word(data, at + 5))
            height = max(height, _word(data, at + 3) + _word(data, at + 7))
            at = _after_blocks(data, at + 11 + _palette(data, at + 9))
        else:
            break
    return frames, width, height


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _palette(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
