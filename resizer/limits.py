"""Limits: how much of a node one original may cost, in bytes, pixels, frames and seconds."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

from resizer.errors import TooLargeResultError, TooManyBytesError, TooManyPixelsError, TooSlowError

FORMATS = frozenset({"jpeg", "png", "webp", "avif", "gif", "tiff", "bmp"})
# WebP's own limit. Beyond it lies nothing that a page shows, but kernels and palettes of absurd proportions.
MAX_OUTPUT_SIDE = 16_383
MAX_SIDE = 65_535  # JPEG's and GIF's own limit: a PNG of 50 million by 1 is an attack
Clock = Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """What one original may cost.

    `max_pixels` is of one decoded picture, judged from the header before anything is decoded; `max_bytes` of
    the file. An animation of more than `max_frames` or, frames times canvas, `max_animated_pixels` (read or
    written) is no error: its first frame is served. `max_output_pixels` is of the result. `decode_seconds`
    is from the first byte read to the last written. `formats` are those decoded at all.
    """

    max_pixels: int = 50_000_000
    max_bytes: int = 64 << 20
    max_frames: int = 200
    max_animated_pixels: int = 50_000_000
    max_output_pixels: int = 16_777_216
    decode_seconds: float = 10.0
    formats: frozenset[str] = FORMATS

    def admit_bytes(self, count: int) -> None:
        """Raise TooManyBytesError if a file of `count` bytes is too large."""
        if count > self.max_bytes:
            raise TooManyBytesError(
                f"The original has {count} bytes; the limit is {self.max_bytes}.",
                "Upload a smaller file, or raise the limit if the node has the memory.",
            )

    def admit_pixels(self, width: int, height: int) -> None:
        """Raise TooManyPixelsError if an original of this size is too large to decode."""
        if width * height > self.max_pixels or max(width, height) > MAX_SIDE:
            raise too_many(f"{width} x {height}", self.max_pixels)

    def admit_output(self, width: int, height: int) -> None:
        """Raise TooLargeResultError if a result of this size is too large to make."""
        if width * height > self.max_output_pixels or max(width, height) > MAX_OUTPUT_SIDE:
            raise TooLargeResultError(
                f"The result would have {width} x {height} pixels; the limit is {self.max_output_pixels}"
                f" and {MAX_OUTPUT_SIDE} on a side.",
                "Ask for a smaller size.",
            )

    def admits_frames(self, count: int, pixels: int) -> bool:
        """Tell whether an animation of `count` frames of `pixels` each may be kept moving."""
        return count <= self.max_frames and count * pixels <= self.max_animated_pixels


def too_many(pixels: str, limit: int) -> TooManyPixelsError:
    """Return the refusal of an original that has `pixels`, in words."""
    return TooManyPixelsError(
        f"The original has {pixels} pixels; the limit is {limit}.",
        "Upload a smaller original, or raise max_pixels if the node has the memory.",
    )


class Deadline:
    """The moment when a rendering has taken too long."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds

    def check(self) -> None:
        """Raise TooSlowError if the moment has come."""
        if self._clock() > self._end:
            raise TooSlowError(
                f"The original was not rendered within {self._seconds:g} seconds.",
                "Upload it in another format or smaller; it is built to be slow, or the node is overloaded.",
            )


class TimedBytes(io.BytesIO):
    """An original as a file that looks at the clock at every read.

    Pillow feeds its JPEG, PNG, GIF and BMP decoders 64 KiB at a time, and parses all headers by many small
    reads: so a decoder that crawls is stopped between two of them.
    """

    def __init__(self, data: bytes, deadline: Deadline) -> None:
        super().__init__(data)
        self._deadline = deadline

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes. Raises TooSlowError."""
        self._deadline.check()
        return super().read(size)
