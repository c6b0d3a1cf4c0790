"""What the rare request costs: a result that must be made, or fetched from the store."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

from bench import cpu, servers
from bench.errors import BenchError
from bench.figures import Figure, median
from bench.stand import fetched
from bench.vips import Vips, vips

if TYPE_CHECKING:
    from bench.stand import Stand

_THUMBORS = ("thumbor", "thumbor_from_s3", "thumbor_by_default")
_RIVALS = (*_THUMBORS, "libvips")
_IMAGES = 60
_TURN = 20
_FIRST, _FURTHER = 600, (450, 300, 150)
_SETTLED_SECONDS = 1
"""What is put into the store after a reply belongs to its cost."""
_TWELVE_MEGAPIXELS = (4240, 2832)


@dataclass(frozen=True)
class Rival:
    """One who is asked for the same: where, and how many seconds of CPU all of its processes have spent."""

    url: Callable[[int, str], str]
    spent: Callable[[], float]

    def cost(self, width: int, keys: Sequence[str]) -> float:
        """CPU milliseconds of one result."""
        return _cost([self.url(width, key) for key in keys], self.spent)

    def result(self, width: int, key: str) -> bytes:
        """One result."""
        data: bytes = fetched(self.url(width, key)).body
        return data


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds and picture quality of first and further sizes beside others'; memory; S3 hits.

    Thumbor reads files of this computer; then what we read, the same objects of the same S3; and these once
    more as it is installed. libvips reads files, and serves nobody. All take turns, some images each, so that
    a noisy spell meets everybody.
    """
    keys = stand.keys("first", _IMAGES)
    with ExitStack() as stack:
        rivals: dict[str, Rival | Vips] = {
            "ours": Rival(stand.resized, stand.cpu_seconds),
            **_thumbors(stand, stack),
            "libvips": stack.enter_context(vips(stand.folder, stand.originals)),
        }
        for one in rivals.values():
            one.cost(_FIRST, stand.keys("warm", 2))
        blocks = [keys[begin : begin + _TURN] for begin in range(0, _IMAGES, _TURN)]
        firsts = [{name: one.cost(_FIRST, some) for name, one in rivals.items()} for some in blocks]
        furthers = [
            {
                name: sum(one.cost(width, some) for width in _FURTHER) / len(_FURTHER)
                for name, one in rivals.items()
            }
            for some in blocks
        ]
        quality = {name: psnr(stand, one.result(_FIRST, keys[0])) for name, one in rivals.items()}
    from_store = _from_store(stand, keys)
    stand.ground.say(f"misses, CPU ms in turns: first {firsts}, further {furthers}, from S3 {from_store:.2f}")
    return (
        *(median(f"first_size_cpu_ms{_of(name)}", [each[name] for each in firsts]) for name in rivals),
        *(_ratio("first_size_cpu_ratio_to", firsts, firsts, name, 1.0) for name in _THUMBORS),
        _ratio("first_size_cpu_ratio_to", firsts, firsts, "libvips"),
        *(Figure(f"first_size_psnr_db{_of(name)}", decibels) for name, decibels in quality.items()),
        Figure("first_size_psnr_behind_thumbor_db", quality["thumbor"] - quality["ours"], 0.0),
        *(median(f"further_size_cpu_ms{_of(name)}", [each[name] for each in furthers]) for name in rivals),
        *(_ratio("further_size_cpu_ratio_to", furthers, furthers, name, 0.33) for name in _THUMBORS),
        _ratio("further_size_cpu_ratio_to", furthers, furthers, "libvips"),
        *(_ratio("further_size_cpu_ratio_to_first_of", furthers, firsts, name) for name in _RIVALS),
        Figure("s3_hit_cpu_ms", from_store, 3.0),
        *_memory(stand),
    )


def _thumbors(stand: Stand, stack: ExitStack) -> dict[str, Rival]:
    """Thumbor in the node's network, by where it has its originals from, and by its settings."""
    network = servers.Network(stand.address, stand.pid)
    best = partial(servers.thumbor, stand.folder, stand.originals, network=network)
    made: dict[str, tuple[AbstractContextManager[servers.Server], Callable[[str], str]]] = {
        "thumbor": (best(), str),
        "thumbor_from_s3": (best(over_http=True), stand.stored),
        "thumbor_by_default": (servers.thumbor_by_default(stand.folder, network), stand.stored),
    }
    return {name: _thumbor(stack.enter_context(server), named) for name, (server, named) in made.items()}


def _thumbor(server: servers.Server, named: Callable[[str], str]) -> Rival:
    def url(width: int, key: str) -> str:
        return f"{server.url}/unsafe/{width}x0/{named(key)}"

    return Rival(url, partial(cpu.cpu_seconds, [server.pid]))


def _of(name: str) -> str:
    return "" if name == "ours" else f"_{name}"


def _ratio(
    what: str,
    ours: Sequence[Mapping[str, float]],
    theirs: Sequence[Mapping[str, float]],
    name: str,
    aim: float | None = None,
) -> Figure:
    """Ours in each turn beside theirs in the same."""
    values = [mine["ours"] / their[name] for mine, their in zip(ours, theirs, strict=True)]
    return median(f"{what}_{name}", values, aim)


def _cost(urls: Sequence[str], spent: Callable[[], float]) -> float:
    before = spent()
    for url in urls:
        answer = fetched(url)
        if answer.status != 200:
            raise BenchError(f"{url} answers {answer.status}: {answer.body[:200]!r}")
    time.sleep(_SETTLED_SECONDS)
    return (spent() - before) / len(urls) * 1000


def psnr(stand: Stand, result: bytes) -> float:
    """How near a result is to the original scaled with all care, in decibels; results are of quality 80."""
    shown = Image.open(io.BytesIO(result)).convert("RGB")
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
