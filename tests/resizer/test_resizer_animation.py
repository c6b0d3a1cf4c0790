"""Animations: they keep moving, with their times and their number of plays, within the limits."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageSequence
from resizer_picture import corners, encoded, opened, quarters

from resizer import gif
from resizer.errors import TooManyPixelsError, TooSlowError, UndecodableError
from resizer.limits import Limits
from resizer.options import Options
from resizer.pixels import render

COLOURS = ["red", "lime", "blue", "white", "black"]
NAMES = ["red", "green", "blue", "white", "black"]


def moving(fmt: str, *, size: tuple[int, int] = (120, 80), **more: Any) -> bytes:
    first, *rest = [Image.new("RGB", size, colour) for colour in COLOURS]
    timed = {"duration": [100, 200, 300, 400, 500], "loop": 0, **more}
    return encoded(first, fmt, save_all=True, append_images=rest, **timed)


def seen(data: bytes) -> tuple[list[str], list[int]]:
    """Name each frame's colour, and tell how long it is shown."""
    image = opened(data)
    frames = [(corners(frame)[0], frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    return [name for name, _ in frames], [time for _, time in frames]


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
@pytest.mark.parametrize("fmt", ["gif", "webp"])
@pytest.mark.parametrize(
    "options", [Options(60), Options(50, 50, "fill"), Options(70, 70, "pad"), Options(60, rotate=90)]
)
def test_an_animation_keeps_its_frames_and_their_times(source: str, fmt: str, options: Options) -> None:
    result = render(moving(source), options, Limits(), fmt)
    image = opened(result.data)
    assert image.size == (result.width, result.height)
    if options.mode == "pad":
        assert opened(result.data).n_frames == 5  # type: ignore[attr-defined]
    else:
        assert seen(result.data) == (NAMES, [100, 200, 300, 400, 500])


@pytest.mark.parametrize(
    ("source", "loop", "fmt", "expected"),
    [
        ("GIF", 0, "webp", 0), ("GIF", None, "webp", 1), ("GIF", 2, "webp", 3),
        ("WEBP", 0, "gif", 0), ("WEBP", 1, "gif", None), ("WEBP", 3, "gif", 2),
        ("GIF", 2, "gif", 2), ("WEBP", 5, "webp", 5),
    ],
)  # fmt: skip
def test_the_number_of_plays_is_kept(source: str, loop: int | None, fmt: str, expected: int | None) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in COLOURS]
    looped = {} if loop is None else {"loop": loop}
    data = encoded(frames[0], source, save_all=True, append_images=frames[1:], duration=50, **looped)
    assert opened(render(data, Options(20), Limits(), fmt).data).info.get("loop") == expected


@pytest.mark.parametrize("fmt", ["gif", "webp"])
def test_what_was_shown_before_does_not_shine_through(fmt: str) -> None:
    frames = []
    for at in (0, 40, 80):
        frame = Image.new("RGBA", (120, 40), (0, 0, 0, 0))
        frame.paste((255, 0, 0, 255), (at, 0, at + 40, 40))
        frame.paste((0, 0, 0, 0), (at, 30, at + 40, 36))  # else libwebp finds no transparency in its cut-outs
        frames.append(frame)
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    image = opened(render(data, Options(60), Limits(), fmt).data)
    for number, frame in enumerate(ImageSequence.Iterator(image)):
        alpha = frame.convert("RGBA").getchannel("A")
        assert [alpha.getpixel((x, 10)) > 128 for x in (10, 30, 50)] == [at == number for at in range(3)]  # type: ignore[operator]


def test_a_smart_crop_stays_where_it_is() -> None:
    frames = [Image.new("RGB", (300, 100), "white") for _ in range(2)]
    for number, frame in enumerate(frames):
        frame.paste(quarters(100, 100), (200 if number == 0 else 0, 0))
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    image = opened(render(data, Options(50, 50, "smart"), Limits(), "webp").data)
    assert [corners(frame)[0] for frame in ImageSequence.Iterator(image)] == ["red", "white"]


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
@pytest.mark.parametrize("limits", [Limits(max_frames=4), Limits(max_animated_pixels=5 * 120 * 80 - 1)])
def test_beyond_the_limits_the_first_frame_is_served(source: str, limits: Limits) -> None:
    result = render(moving(source), Options(60), limits, "gif")
    assert getattr(opened(result.data), "n_frames", 1) == 1
    assert corners(opened(result.data)) == ["red"] * 4


def test_at_the_limits_it_still_moves() -> None:
    limits = Limits(max_frames=5, max_animated_pixels=5 * 120 * 80)
    assert len(seen(render(moving("GIF"), Options(60), limits, "gif").data)[0]) == 5


def test_an_animation_that_would_grow_beyond_the_limits_stands_still() -> None:
    limits = Limits(max_animated_pixels=5 * 120 * 80)
    result = render(moving("GIF"), Options(240, enlarge=True), limits, "gif")
    assert getattr(opened(result.data), "n_frames", 1) == 1


def test_frames_are_counted_without_decoding() -> None:
    assert gif.scan(moving("GIF"), 100) == (5, 120, 80)
    assert gif.scan(moving("GIF"), 3)[0] == 3
    assert gif.scan(moving("GIF")[:150], 100)[0] < 5
    assert gif.scan(b"GIF89a", 100) == (0, 0, 0)


def test_a_frame_that_reaches_far_beyond_the_canvas_is_refused_unseen() -> None:
    data = bytearray(moving("GIF"))
    at = data.rindex(b"\x2c\x00\x00\x00\x00")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(TooManyPixelsError, match="65535 x 65535"):
        render(bytes(data), Options(60), Limits(), "gif")


def test_an_animation_cut_short_is_refused() -> None:
    data = moving("WEBP", lossless=True)
    with pytest.raises(UndecodableError):
        render(data[: len(data) * 2 // 3], Options(60), Limits(), "webp")


def test_the_clock_is_looked_at_after_every_frame() -> None:
    ticks = iter(range(10_000))
    with pytest.raises(TooSlowError, match="within 30 seconds"):
        render(moving("WEBP"), Options(60), Limits(decode_seconds=30), "webp", lambda: 5 * next(ticks))
