"""Thousands of hostile images: each ends in a picture within the limits, or in a refusal; nothing else."""

from __future__ import annotations

import contextlib
import struct
from collections import Counter
from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from resizer_hostile import (
    absurd,
    bmp,
    cases,
    chunk,
    is_image,
    many_scans,
    pixels_of_png,
    plain_tiff,
    png,
    sound,
)  # fmt: skip
from resizer_picture import encoded, quarters, rendering

from resizer.errors import (
    NotAnImageError,
    RefusalError,
    TooManyBytesError,
    TooManyPixelsError,
    TooSlowError,
    UndecodableError,
)
from resizer.limits import FORMATS, Deadline, Limits, TimedBytes
from resizer.options import Options
from resizer.pixels import render, render_with_master

pytestmark = pytest.mark.filterwarnings("ignore")
LIMITS = Limits(max_pixels=1_000_000, max_bytes=8 << 20, max_output_pixels=4096, decode_seconds=5)
ASKED = [
    Options(32),
    Options(24, 24, "smart"),
    Options(32, 32, "pad", rotate=90),
    Options(16, 16, "crop", gray=True),
]
OUT = ["jpeg", "gif", "webp", "png"]


def test_every_hostile_image_is_a_picture_or_a_refusal() -> None:
    outcome: Counter[str] = Counter()
    for number, (name, data) in enumerate(cases()):
        options, fmt = ASKED[number % 4], OUT[number // 4 % 4]
        try:
            made = render(data, options, LIMITS, fmt)
        except RefusalError as error:
            outcome[error.code] += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not get out
            pytest.fail(f"{name}, case {number}: {type(error).__name__}: {error}")
        else:
            assert is_image(made.data) == (made.width, made.height), name
            assert made.width * made.height <= LIMITS.max_output_pixels
            outcome["picture"] += 1
    assert sum(outcome.values()) > 3000
    assert outcome["picture"] > 500
    assert {"undecodable", "not_an_image", "too_many_pixels"} <= set(outcome)
    assert set(outcome) <= {"picture", "undecodable", "not_an_image", "too_many_pixels", "too_large_result"}


def test_every_sound_image_is_a_picture_in_every_format() -> None:
    for data, options in zip(sound().values(), cycle(ASKED)):
        for fmt in (*OUT, "avif"):
            assert render(data, options, LIMITS, fmt).data


def test_masters_of_hostile_images_are_pictures_or_refusals_too() -> None:
    for data in absurd():
        try:
            _, made = render_with_master(data, Options(32), LIMITS, "jpeg", 1600)
        except RefusalError:
            continue
        assert made is None or is_image(made.data)


@given(st.sampled_from(sorted(sound())), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_anywhere_end_in_a_picture_or_a_refusal(name: str, data: st.DataObject) -> None:
    body = sound()[name]
    at = data.draw(st.integers(0, len(body) - 1))
    body = (
        body[:at] + data.draw(st.binary(min_size=1, max_size=8)) + body[at + data.draw(st.integers(0, 8)) :]
    )
    with contextlib.suppress(RefusalError):
        assert is_image(render(body, Options(20), LIMITS, "png").data)[0] <= 20


SEVERAL = {"gif animated", "mpo", "png animated", "tiff pages"}


@pytest.mark.parametrize("name", sorted(set(sound()) - SEVERAL))
def test_a_picture_cut_short_is_refused(name: str) -> None:
    data = sound()[name]
    with pytest.raises((UndecodableError, NotAnImageError)):
        render(data[: len(data) // 2], Options(20), LIMITS, "jpeg")


@pytest.mark.parametrize("name", sorted(SEVERAL))
def test_of_several_pictures_cut_short_the_first_is_served_if_it_is_whole(name: str) -> None:
    data = sound()[name]
    assert render(data[: len(data) * 2 // 3], Options(20), LIMITS, "jpeg").width == 20


def test_an_animation_cut_short_is_not_served_as_a_shorter_one() -> None:
    data = sound()["gif animated"]
    with pytest.raises(UndecodableError):
        render(data[: len(data) * 2 // 3], Options(20), LIMITS, "gif")


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(TooManyBytesError, match="9 bytes; the limit is 8"):
        render(b"\0" * 9, Options(20), Limits(max_bytes=8), "jpeg")


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "gif", "tiff", "bmp"])
def test_a_format_that_is_not_allowed_is_not_even_tried(name: str) -> None:
    with pytest.raises(NotAnImageError):
        render(sound()[name], Options(20), Limits(formats=FORMATS - {name}), "jpeg")
    assert render(sound()[name], Options(20), Limits(formats=frozenset({name})), "jpeg").width == 20


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "gif", "tiff", "bmp"])
def test_the_pixels_of_every_format_are_counted_by_the_header(name: str) -> None:
    with pytest.raises(TooManyPixelsError, match="the limit is 3071"):
        render(sound()[name], Options(20), Limits(max_pixels=64 * 48 - 1), "jpeg")


def test_a_thread_of_pixels_is_refused_however_few_they_are() -> None:
    with pytest.raises(TooManyPixelsError, match="65536 x 1"):
        rendering(encoded(Image.new("L", (65_536, 1)), "PNG"), 10)
    assert rendering(encoded(Image.new("L", (65_535, 1)), "PNG"), 10).width == 10


def test_a_jpeg_of_many_scans_is_refused() -> None:
    assert render(many_scans(20), Options(20), LIMITS, "jpeg").width == 20
    with pytest.raises(UndecodableError, match="more than 40 scans"):
        render(many_scans(200), Options(20), LIMITS, "jpeg")


def test_a_run_length_encoded_bmp_is_refused() -> None:
    with pytest.raises(UndecodableError, match="run-length"):
        render(bmp(900, 900, b"\0\2\xff\xff" * 50, bits=8, compression=1), Options(20), LIMITS, "jpeg")


def test_huge_tiles_of_a_small_tiff_are_refused() -> None:
    with pytest.raises(TooManyPixelsError, match="tiles of 8000 x 8000"):
        render(
            plain_tiff(64, 48, compression=8, tile_width=8000, tile_height=8000), Options(20), LIMITS, "jpeg"
        )


@pytest.mark.parametrize("codec", ["lzma", "zstd"])
def test_a_tiff_of_a_rare_codec_is_refused(codec: str) -> None:
    with pytest.raises(UndecodableError, match="TIFF compressed by"):
        render(encoded(quarters(64, 48), "TIFF", compression=codec), Options(20), LIMITS, "jpeg")


def test_a_compressed_comment_that_unpacks_to_much_is_refused() -> None:
    import zlib

    body = b"profile\0\0" + zlib.compress(b"\0" * (20 << 20), 9)
    with pytest.raises(UndecodableError):
        render(png(64, 48, chunk(b"iCCP", body), pixels_of_png(sound()["png"])), Options(20), LIMITS, "jpeg")


def test_the_clock_is_looked_at_at_every_read() -> None:
    now = [0.0]
    file = TimedBytes(b"abc", Deadline(5, lambda: now[0]))
    assert file.read(1) == b"a"
    now[0] = 5.1
    with pytest.raises(TooSlowError, match="within 5 seconds"):
        file.read(1)


@pytest.mark.parametrize("name", sorted(sound()))
def test_a_decoder_that_crawls_is_stopped(name: str) -> None:
    ticks = iter(range(1_000_000))
    with pytest.raises(TooSlowError):
        render(sound()[name], Options(20), Limits(decode_seconds=2), "jpeg", lambda: float(next(ticks)))


def test_a_tiff_of_many_pages_shows_the_first() -> None:
    pages = [Image.new("RGB", (30, 30), colour) for colour in ("red", "lime")]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:] * 50)
    image = render(data, Options(10), LIMITS, "png")
    assert struct.unpack(">II", image.data[16:24]) == (10, 10)
