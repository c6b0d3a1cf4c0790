"""A real browser shows the page of results: every format in every mode, upright and in the right colours."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw
from resizer_browser import Page, Shown, browsed, in_a_network_of_its_own
from resizer_picture import encoded, quarters

from resizer import development, showroom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.machines

Colour = tuple[int, ...]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UPRIGHT = (RED, GREEN, BLUE, WHITE)
ON_ITS_SIDE = (BLUE, RED, WHITE, GREEN)
IN_GRAY = tuple((level,) * 3 for level in (76, 150, 29, 255))
DARK, PAGE = (0x1F, 0x29, 0x33), (0xB8, 0xC4, 0xD0)
WINDOW = (1000, 4900)
FRAMES = 4
TOLERANCE = 24  # of 255: what a JPEG and a palette of 256 may do to a flat colour
STILL, MOVING, SEEN_THROUGH = "still.jpg", "moving.gif", "through.png"
# Of an original of 300 x 200: how large each result is, and the colours of its quarters.
RESULTS: dict[str, tuple[int, int, tuple[Colour, ...]]] = {
    "w120,h120": (120, 80, UPRIGHT),
    "w120,h120,fill": (120, 120, UPRIGHT),
    "w120,h120,pad": (120, 120, UPRIGHT),
    "w120,h120,pad,bg_1f2933": (120, 120, UPRIGHT),
    "w120,h120,crop": (120, 120, UPRIGHT),
    "w120,h120,smart": (120, 120, UPRIGHT),
    "w120,h120,gray": (120, 80, IN_GRAY),
    "w120,h120,blur3": (120, 80, UPRIGHT),
    "w120,h120,sharpen2": (120, 80, UPRIGHT),
    "w120,h120,rot90": (80, 120, ON_ITS_SIDE),
}
EVERY = [(mode, fmt) for mode in RESULTS for fmt in showroom.FORMATS]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that lies on its side as a camera held so stores it, one that moves, one that is seen through."""
    folder = tmp_path_factory.mktemp("originals")
    upright = quarters(300, 200)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    (folder / STILL).write_bytes(encoded(turned, "JPEG", quality=95, subsampling=0, exif=exif))
    frames = [upright.copy() for _ in range(FRAMES)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle((146, 40 * number, 154, 40 * number + 8), fill="black")
    moving = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0}
    (folder / MOVING).write_bytes(encoded(frames[0], "GIF", **moving))
    through = upright.convert("RGBA")
    through.paste((0, 0, 0, 0), (150, 100, 300, 200))
    (folder / SEEN_THROUGH).write_bytes(encoded(through, "PNG"))
    return folder


@pytest.fixture(scope="module")
def page(originals: Path) -> Iterator[Page]:
    with in_a_network_of_its_own() as apart:
        yield apart.submit(_shown, originals).result()


def _shown(originals: Path) -> Page:
    with development.configured(originals, None) as toml, development.server(toml, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            return browsed(f"http://{development.HOST}:{server.server_port}/", *WINDOW)
        finally:
            server.shutdown()
            thread.join()


def shown(page: Page, key: str, mode: str, fmt: str) -> Shown:
    return page.images[key, f"{mode},f_{fmt}"]


def corners_seen(page: Page, key: str, mode: str, fmt: str) -> list[Colour]:
    """The colours near the corners of what is in the box, row by row."""
    width, height, _ = RESULTS[mode]
    inner = 80 if "pad" in mode else height
    rows = [(height - inner) / 2 + inner * share for share in (0.06, 0.94)]
    image = shown(page, key, mode, fmt)
    return [page.colour(image, width * share, y) for y in rows for share in (0.06, 0.94)]


def bars_seen(page: Page, key: str, mode: str, fmt: str) -> list[Colour]:
    """The colours above and beneath what is in the box."""
    return [page.colour(shown(page, key, mode, fmt), 60, y) for y in (4, 115)]


def are(seen: Sequence[Colour], wanted: Sequence[Colour]) -> bool:
    pairs = [pair for colours in zip(seen, wanted, strict=True) for pair in zip(*colours, strict=True)]
    return all(abs(one - other) <= TOLERANCE for one, other in pairs)


def behind(mode: str, fmt: str) -> Colour:
    """What is to be seen where there is no picture."""
    return DARK if "bg_" in mode else WHITE if fmt == "jpeg" else PAGE


def test_the_page_shows_every_mode_in_every_format(page: Page) -> None:
    assert tuple(RESULTS) == showroom.MODES
    assert page.shown == len(page.images) == 3 * len(EVERY)


@pytest.mark.parametrize(("mode", "fmt"), EVERY)
def test_each_result_is_decoded_in_just_the_size_asked_for(page: Page, mode: str, fmt: str) -> None:
    width, height, _ = RESULTS[mode]
    size = f"{width} x {height}"
    assert shown(page, STILL, mode, fmt).told == size
    assert shown(page, SEEN_THROUGH, mode, fmt).told == size
    moves = f", {FRAMES} frames" if fmt in {"gif", "webp"} else ""
    assert shown(page, MOVING, mode, fmt).told == size + moves


@pytest.mark.parametrize(("mode", "fmt"), EVERY)
@pytest.mark.parametrize("key", [STILL, MOVING])
def test_each_result_is_upright_and_in_its_colours(page: Page, key: str, mode: str, fmt: str) -> None:
    seen = corners_seen(page, key, mode, fmt)
    assert are(seen, RESULTS[mode][2]), seen


@pytest.mark.parametrize(("mode", "fmt"), EVERY)
def test_what_is_transparent_lets_its_background_through(page: Page, mode: str, fmt: str) -> None:
    _, _, colours = RESULTS[mode]
    last = colours[2 if "rot90" in mode else 3]
    wanted = [behind(mode, fmt) if colour == last else colour for colour in colours]
    seen = corners_seen(page, SEEN_THROUGH, mode, fmt)
    assert are(seen, wanted), seen


@pytest.mark.parametrize(("mode", "fmt"), [each for each in EVERY if "pad" in each[0]])
@pytest.mark.parametrize("key", [STILL, MOVING, SEEN_THROUGH])
def test_padding_has_its_background(page: Page, key: str, mode: str, fmt: str) -> None:
    seen = bars_seen(page, key, mode, fmt)
    assert are(seen, [behind(mode, fmt)] * 2), seen
