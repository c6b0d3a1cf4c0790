"""Many at once: hits and misses together, a stampede for one result, and more misses than can be made."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench import cpu, servers
from bench.errors import BenchError
from bench.figures import Figure
from bench.load import Answers, open_loop, wrk
from bench.stand import fetched

if TYPE_CHECKING:
    from bench.stand import Stand

_HOT = 100
_RATE = 150
_SECONDS = 20
_MISSES = int(_RATE * _SECONDS * 0.04 * 1.3)
_SHARES = {"hit": 0.96, "miss": 0.04}
_CLOSED_SECONDS = 25
_STAMPEDE = 24
_SATURATING = 120


def measure(stand: Stand, saturation_seconds: float) -> tuple[Figure, ...]:
    """Latencies of the 96/4 mix beside thumbor's, and how the node bears too much."""
    hot = stand.keys("hot", _HOT)
    ours = _mixed(stand, hot, "mine", stand.resized)
    network = servers.Network(stand.address, stand.pid)
    with servers.thumbor(stand.folder, stand.originals, network=network) as server:
        theirs = _mixed(stand, hot, "theirs", lambda width, key: f"{server.url}/unsafe/{width}x0/{key}")
    return (
        Figure("mixed_hit_p99_ratio_to_hits_alone", ours.hit_p99_ms / ours.alone_p99_ms, 1.5),
        Figure("mixed_all_p99_ms", ours.all_p99_ms),
        Figure("mixed_all_p99_ratio_to_thumbor", ours.all_p99_ms / theirs.all_p99_ms, 0.35),
        Figure("closed_loop_p99_ratio_to_thumbor", ours.closed_p99_ms / theirs.closed_p99_ms, 1.0),
        _stampede(stand),
        *_saturation(stand, saturation_seconds),
    )


class _Mixed:
    def __init__(self, alone: Answers, mixed: dict[str, Answers], closed_p99_ms: float) -> None:
        self.alone_p99_ms = alone.percentile(0.99)
        self.hit_p99_ms = mixed["hit"].percentile(0.99)
        every = Answers(mixed["hit"].latencies_ms + mixed["miss"].latencies_ms)
        self.all_p99_ms = every.percentile(0.99)
        self.closed_p99_ms = closed_p99_ms


def _mixed(stand: Stand, hot: Sequence[str], series: str, url: Callable[[int, str], str]) -> _Mixed:
    """Hits alone, then with misses among them, in an open loop; then as many connections as answers allow."""
    hits = [url(300, key) for key in hot]
    for each in hits:
        _expect_200(each)
    cold = stand.keys(f"{series}-open", _MISSES)
    alone = open_loop({"hit": hits}, {"hit": 1.0}, _RATE, _SECONDS / 2)["hit"]
    mixed = open_loop({"hit": hits, "miss": [url(600, key) for key in cold]}, _SHARES, _RATE, _SECONDS)
    for name, answers in mixed.items():
        if answers.failed:
            raise BenchError(f"{series}, {name}: {dict(answers.statuses)}")
    fresh = stand.keys(f"{series}-closed", _MISSES)
    turns = [each for miss in fresh for each in (*(hits * 24)[:24], url(600, miss))]
    # Each once: the quicker one would soon be asked for what it has made.
    closed = wrk(turns, _CLOSED_SECONDS, connections=32, once=True)
    stand.ground.say(
        f"{series}: hits alone p99 {alone.percentile(0.99):.1f} ms; in the mix hits"
        f" {mixed['hit'].percentile(0.99):.1f}, misses {mixed['miss'].percentile(0.99):.1f} ms;"
        f" closed loop of {closed.requests} p99 {closed.p99_ms:.0f} ms, {closed.errors} errors"
    )
    return _Mixed(alone, mixed, closed.p99_ms)


def _expect_200(url: str) -> None:
    answer = fetched(url)
    if answer.status != 200:
        raise BenchError(f"{url} answers {answer.status}: {answer.body[:200]!r}")


def _stampede(stand: Stand) -> Figure:
    """How many renderings there are for one cold result that many want at once."""
    (key,) = stand.keys("stampede", 1)
    with ThreadPoolExecutor(_STAMPEDE) as pool:
        answers = list(pool.map(fetched, [stand.resized(500, key)] * _STAMPEDE))
    if any(answer.status != 200 for answer in answers):
        raise BenchError(f"a stampede was answered with {Counter(answer.status for answer in answers)}")
    states = Counter(str(answer.headers["X-Resizer"]) for answer in answers)
    stand.ground.say(f"{_STAMPEDE} at once for one result: {dict(states)}")
    return Figure("stampede_renders", states["render"], 1)


def _saturation(stand: Stand, seconds: float) -> tuple[Figure, ...]:
    """Far more misses than can be rendered: what is answered, and whether memory grows."""
    keys = stand.keys("flood", 40)
    first, flood = (int(_SATURATING * each * 1.1) for each in (seconds / 4, seconds))
    widths = range(301, 302 + (first + flood) // len(keys))
    urls = [stand.resized(width, key) for width in widths for key in keys]
    # Large and small ones all the time: what grows is not to be the results.
    random.Random(1).shuffle(urls)  # noqa: S311 - an order
    open_loop({"miss": urls[:first]}, {"miss": 1.0}, _SATURATING, seconds / 4)
    before = _memory_bytes(stand)
    # Each once: what has been made would be a hit.
    answers = open_loop({"miss": urls[first:]}, {"miss": 1.0}, _SATURATING, seconds)["miss"]
    grown = _memory_bytes(stand) - before
    others = sum(times for status, times in answers.statuses.items() if status not in ("200", "503"))
    stand.ground.say(f"{_SATURATING} misses a second for {seconds:g} s: {dict(answers.statuses)}")
    return (
        Figure("saturation_answers_other_than_200_and_503", others, 0),
        Figure("saturation_memory_grown_bytes", grown, 30e6),
    )


def _memory_bytes(stand: Stand) -> int:
    return sum(cpu.proportional_bytes(one.pid) for one in stand.processes())
