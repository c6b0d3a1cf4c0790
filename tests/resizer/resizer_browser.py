"""Debian's Chromium, without a window: what it makes of a page, as a document and as a picture.

A browser drops its connections, those to its own computer too, whenever a network of the computer changes, as
the machines' of other tests do: so it and its server get one of their own.
"""

from __future__ import annotations

import ctypes
import io
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

_PATIENCE_SECONDS = 120
# On a clock of the browser's own, which stands still while images load, and jumps when nothing is to do.
_SCRIPT_MILLISECONDS = 100_000_000
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Shown:
    """An image on the page: where it is, and what the page's script says of it."""

    x: int
    y: int
    told: str


@dataclass(frozen=True)
class Page:
    """A page that has been shown: its images by key and options, how many it says it has, and its picture."""

    images: dict[tuple[str, str], Shown]
    shown: int
    picture: Image.Image

    def colour(self, image: Shown, x: float, y: float) -> tuple[int, ...]:
        """The colour of a pixel of the picture, `x` and `y` pixels from an image's upper left corner."""
        pixel = self.picture.getpixel((image.x + round(x), image.y + round(y)))
        assert isinstance(pixel, tuple)
        return pixel


def in_a_network_of_its_own() -> ThreadPoolExecutor:
    """A thread whose sockets and programs know no network but a loopback of their own."""
    return ThreadPoolExecutor(1, initializer=_leave_the_network)


def _leave_the_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def browsed(url: str, width: int, height: int) -> Page:
    """Show a page in a window of this size."""
    with tempfile.TemporaryDirectory(prefix="browser-") as folder:
        picture = Path(folder) / "page.png"
        argv = [
            shutil.which("chromium") or "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--no-proxy-server", "--hide-scrollbars", "--force-device-scale-factor=1",
            "--force-color-profile=srgb", f"--user-data-dir={folder}/me", f"--window-size={width},{height}",
            f"--virtual-time-budget={_SCRIPT_MILLISECONDS}", f"--screenshot={picture}", "--dump-dom", url,
        ]  # fmt: skip
        ended = subprocess.run(argv, capture_output=True, check=True, timeout=_PATIENCE_SECONDS)
        reader = _Reader()
        reader.feed(ended.stdout.decode())
        image = Image.open(io.BytesIO(picture.read_bytes())).convert("RGB")
        return Page(reader.images, reader.shown, image)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: dict[tuple[str, str], Shown] = {}
        self.shown = 0
        self._last: tuple[str, str, int, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "body":
            self.shown = int(named.get("data-shown", 0))
        if tag == "img":
            x, y = (round(float(each)) for each in named["data-at"].split(","))
            self._last = named["src"].rpartition("/")[2], named["alt"], x, y

    def handle_data(self, data: str) -> None:
        if self._last and data.strip():
            key, options, x, y = self._last
            self.images[key, options] = Shown(x, y, data.strip())
            self._last = None
