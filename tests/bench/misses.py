"""What the rare request costs: a result that must be made, or fetched from the store."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

from bench import cpu, servers
from bench.errors import BenchError
from bench.figures import Figure
from bench.stand import fetched

if TYPE_CHECKING:
    from bench.stand import Stand

_IMAGES = 30
_FIRST, _FURTHER = 600, (450, 300, 150)
_SETTLED_SECONDS = 3
"""What is put into the store after a reply belongs to its cost."""
_TWELVE_MEGAPIXELS = (4240, 2832)


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds and picture quality of first and further sizes beside thumbor's; memory; S3 hits."""
    keys = stand.keys("first", _IMAGES)
    with servers.thumbor(stand.folder, stand.originals, best=True) as server:
        spent = cpu.meter(lambda: [server.pid])
        rival = [f"{server.url}/unsafe/{_FIRST}x0/{key}" for key in keys]
        theirs = _cost(rival, spent)
        their_further = _cost([url.replace(f"{_FIRST}x", f"{_FURTHER[0]}x") for url in rival], spent)
        their_psnr = psnr(stand, rival[0])
    first = _cost([stand.resized(_FIRST, key) for key in keys], stand.cpu_seconds)
    ours_psnr = psnr(stand, stand.resized(_FIRST, keys[0]))
    further = _cost([stand.resized(width, key) for width in _FURTHER for key in keys], stand.cpu_seconds)
    from_store = _from_store(stand, keys)
    stand.ground.say(
        f"misses, CPU ms: first {first:.1f}, further {further:.1f}, from S3 {from_store:.2f};"
        f" thumbor {theirs:.1f}, {their_further:.1f}; PSNR {ours_psnr:.1f} dB, thumbor {their_psnr:.1f} dB"
    )
    return (
        Figure("first_size_cpu_ms", first),
        Figure("first_size_cpu_ms_thumbor", theirs),
        Figure("first_size_cpu_ratio_to_thumbor", first / theirs, 1.0),
        Figure("first_size_psnr_behind_thumbor_db", their_psnr - ours_psnr, 0.0),
        Figure("further_size_cpu_ms", further),
        Figure("further_size_cpu_ratio_to_thumbor", further / theirs, 0.33),
        Figure("s3_hit_cpu_ms", from_store, 3.0),
        *_memory(stand),
    )


def _cost(urls: Sequence[str], spent: Callable[[], float]) -> float:
    before = spent()
    for url in urls:
        answer = fetched(url)
        if answer.status != 200:
            raise BenchError(f"{url} answers {answer.status}: {answer.body[:200]!r}")
    time.sleep(_SETTLED_SECONDS)
    return (spent() - before) / len(urls) * 1000


def psnr(stand: Stand, url: str) -> float:
    """How near a result is to the original scaled with all care, in decibels; results are of quality 80."""
    shown = Image.open(io.BytesIO(fetched(url).body)).convert("RGB")
    with Image.open(stand.originals / "original.jpg") as original:
        best = original.convert("RGB").resize(shown.size, Image.Resampling.LANCZOS)
    squares = ImageStat.Stat(ImageChops.difference(best, shown)).rms
    mean = sum(each * each for each in squares) / len(squares)
    return 10 * math.log10(255 * 255 / mean) if mean else math.inf


def _from_store(stand: Stand, keys: Sequence[str]) -> float:
    """The cost of a result that another node has made: this one has lost its disk."""
    with stand.machine() as machine:
        machine.run("find /var/cache/resizer -type f -path '*/??/??/*' -delete")
    urls = [stand.resized(width, key) for width in _FURTHER for key in keys]
    answers = fetched(urls[0]).headers["X-Resizer"]
    if answers != "s3":
        raise BenchError(f"what the store has is answered from {answers!r}")
    return _cost(urls[1:], stand.cpu_seconds)


def _memory(stand: Stand) -> tuple[Figure, ...]:
    """What the daemons have at rest, and how much more the one that renders 12 megapixels takes."""
    from resizer.photograph import photograph

    daemons = {one.pid for one in stand.processes() if _is_daemon(one.pid)}
    idle = {pid: cpu.resident_bytes(pid) for pid in daemons}
    at_rest = max(cpu.proportional_bytes(pid) for pid in daemons)
    for pid in daemons:
        _forget_peak(pid)
    stand.store.put_object(Bucket="originals", Key="large.jpg", Body=photograph(*_TWELVE_MEGAPIXELS))
    answer = fetched(stand.resized(_FIRST, "large.jpg"))
    if answer.status != 200:
        raise BenchError(f"12 megapixels are answered with {answer.status}: {answer.body[:200]!r}")
    over = max(cpu.peak_bytes(pid) - idle[pid] for pid in daemons)
    return (
        Figure("daemon_process_idle_bytes", at_rest, 60e6),
        Figure("render_12_megapixels_over_idle_bytes", over, 40e6),
    )


def _is_daemon(pid: int) -> bool:
    from pathlib import Path

    words = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"wsgi" in words or b"python" in words


def _forget_peak(pid: int) -> None:
    from pathlib import Path

    Path(f"/proc/{pid}/clear_refs").write_text("5")
