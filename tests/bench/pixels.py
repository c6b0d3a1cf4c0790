"""Pixels: what a rendering costs in CPU and memory, and how near it comes to a full LANCZOS, beside others.

    PYTHONPATH=.:tests python -m bench.pixels [--rounds 7]

`thumbor` is its algorithm (draft to the size wanted, LANCZOS, quality 80, optimised, progressive) without its
server, `vips` is libvips' thumbnail where pyvips is installed. CPU is the best of all rounds, interleaved.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageStat
from rich.console import Console
from rich.table import Table

from resizer.limits import Limits
from resizer.master import LONGEST_SIDE, suffices
from resizer.options import Options
from resizer.photograph import photograph
from resizer.pixels import render, render_with_master

WIDTHS = (100, 200, 300, 400, 600)
QUALITY = 80
LIMITS = Limits()
Method = Callable[[bytes, int], Any]


def pictures() -> dict[str, bytes]:
    """Photographs by name; the third is of no round size, the last two are progressive."""
    whole = {
        "1 Mpix": photograph(1200, 800),
        "4 Mpix": photograph(2464, 1632),
        "4 Mpix odd": photograph(2461, 1637),
        "12 Mpix": photograph(4000, 3000),
    }
    return whole | {f"{name} progressive": progressive(whole[name]) for name in ("4 Mpix", "12 Mpix")}


def progressive(data: bytes) -> bytes:
    """The same picture as a progressive JPEG."""
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).save(out, "JPEG", quality=90, progressive=True)
    return out.getvalue()


def target(image: Image.Image, width: int) -> tuple[int, int]:
    """The size of an image scaled to a width."""
    return width, max(1, round(image.height * width / image.width))


def plain(data: bytes, width: int) -> Image.Image:
    """The reference: every pixel decoded, every pixel weighed."""
    image = Image.open(io.BytesIO(data))
    return image.resize(target(image, width), Image.Resampling.LANCZOS)


def thumbor_pixels(data: bytes, width: int) -> Image.Image:
    """What thumbor makes of it before encoding."""
    image = Image.open(io.BytesIO(data))
    size = target(image, width)
    image.draft(None, size)
    return image.resize(size, Image.Resampling.LANCZOS)


def thumbor(data: bytes, width: int) -> bytes:
    """What thumbor makes of it."""
    out = io.BytesIO()
    thumbor_pixels(data, width).save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()


def ours(data: bytes, width: int, fmt: str = "jpeg") -> bytes:
    """What this repository makes of it."""
    return render(data, Options(width, quality=QUALITY), LIMITS, fmt).data


def vips(data: bytes, width: int) -> bytes:
    """What libvips makes of it, on one thread (VIPS_CONCURRENCY=1)."""
    import pyvips

    picture = pyvips.Image.thumbnail_buffer(data, width)
    made: bytes = picture.write_to_buffer(".jpg", Q=QUALITY, optimize_coding=True, strip=True)
    return made


def decoded(data: bytes) -> Image.Image:
    """An image of bytes."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def decibels(one: Image.Image, other: Image.Image) -> float:
    """PSNR over all three channels."""
    noise = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).rms
    power = sum(band * band for band in noise) / 3
    return 99.0 if power == 0 else 10 * math.log10(255 * 255 / power)


def best(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least CPU milliseconds of each call; they take turns, so that a noisy spell meets them all."""
    found = dict.fromkeys(calls, math.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            found[name] = min(found[name], (time.process_time() - start) * 1000)
    return found


def row(name: str, data: bytes, copy: bytes | None, width: int, rounds: int) -> list[str]:
    """One line of the table."""
    calls: dict[str, Callable[[], Any]] = {"thumbor": partial(thumbor, data, width)}
    calls["ours"] = partial(ours, data, width)
    if importlib.util.find_spec("pyvips"):
        calls["vips"] = partial(vips, data, width)
    derived = copy is not None and suffices(copy, Options(width))
    if copy and derived:
        calls["master"] = partial(ours, copy, width)
    cost, full = best(calls, rounds), plain(data, width)
    files = [f"{decibels(decoded(calls[each]()), full):.2f}" for each in ("thumbor", "ours")]
    pixels = [thumbor_pixels(data, width), decoded(ours(data, width, "png"))]
    pixels += [decoded(ours(copy, width, "png"))] if copy and derived else []
    ratios = [
        f"{cost[each] / cost['thumbor']:.2f}" if each in cost else "" for each in ("ours", "vips", "master")
    ]
    noise = [f"{decibels(each, full):.1f}" for each in pixels]
    return [name, str(width), f"{cost['thumbor']:.1f}", *ratios, *noise, *[""] * (3 - len(noise)), *files]


def peak() -> float:
    """The most megabytes this process has held since the last `forget_peak`."""
    (line,) = (
        each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    """Let `peak` begin anew (getrusage's would be the parent's, who painted the picture)."""
    Path("/proc/self/clear_refs").write_text("5")


def child(path: Path) -> float:
    """In a process of its own: what rendering a file adds to one that has rendered a small picture."""
    ours(photograph(64, 64), 32)
    forget_peak()
    before = peak()
    ours(path.read_bytes(), 600)
    return peak() - before


def memory(data: bytes) -> float:
    """The megabytes that one rendering of a picture adds to an idle process."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        argv = [sys.executable, "-m", "bench.pixels", "--child", file.name]
        return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def speeds(found: dict[str, bytes], rounds: int) -> Table:
    """Measure CPU and nearness."""
    heads = ["picture", "width", "thumbor ms", "ours x", "vips x", "of master x"]
    heads += ["thumbor dB", "ours dB", "of master dB", "thumbor file dB", "ours file dB"]
    table = Table(*heads, box=None)
    for name, data in found.items():
        _, made = render_with_master(data, Options(WIDTHS[-1]), LIMITS, "jpeg", LONGEST_SIDE)
        for width in WIDTHS:
            table.add_row(*row(name, data, made.data if made else None, width, rounds))
    return table


def peaks(found: dict[str, bytes]) -> Table:
    """Measure memory."""
    table = Table("picture", "peak of 600 wide, MB over idle", box=None)
    for name, data in found.items():
        table.add_row(name, f"{memory(data):.0f}")
    return table


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", type=Path, help="print the megabytes that rendering this file takes")
    asked = parser.parse_args()
    console = Console(width=160)
    if asked.child:
        console.print(child(asked.child))
        return
    found = pictures()
    console.print(speeds(found, asked.rounds))
    console.print(peaks(found))


if __name__ == "__main__":
    main()
