"""What the common request costs: a result that is there already.

All rivals listen on the node's address, in its network, so that only servers are compared; each is charged
with the CPU time of all its processes, and starts anew in every round, as some starts are luckier with their
memory than others. Thumbor is there twice: with its best settings, and as it is installed. `apache_static`
is Debian's stock Apache with its log, `apache_bare` one with nothing: see `apaches.py`. HEAD is asked by ab,
as wrk cannot, and held against a GET by ab.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image

from bench import apaches, cpu, servers
from bench.errors import BenchError
from bench.figures import Figure, median
from bench.load import Closed, ab, wrk
from bench.stand import fetched

if TYPE_CHECKING:
    from bench.stand import Stand

_ROUNDS = 5
_WARM_SECONDS = 1
_SECONDS = 3
_WIDTH = 600
# Debian's Apache ends a process now and then, and with it connections that were just asked on.
_FAILED_SHARE = 0.005


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds per request, interleaved over some rounds, and their ratios."""
    (key,) = stand.keys("hit", 1)
    first = present(stand.resized(_WIDTH, key), _WIDTH)
    (stand.originals / "small.jpg").write_bytes(first.body)
    network = servers.Network(stand.address, stand.pid)
    rivals: Mapping[str, Callable[[ExitStack], Mapping[str, float]]] = {
        "ours": partial(_ours, stand, stand.resized(_WIDTH, key), first.headers["ETag"]),
        "apache_static": partial(_apache, "apache_static", apaches.DEBIAN, stand, first.body),
        "apache_bare": partial(_apache, "apache_bare", apaches.BARE, stand, first.body),
        "nginx_static": partial(_nginx, stand, network),
        "thumbor": partial(_thumbor, stand, network, key),
        "thumbor_by_default": partial(_thumbor_by_default, stand, network, key),
    }
    rounds: list[dict[str, float]] = []
    for _ in range(_ROUNDS):
        costs: dict[str, float] = {}
        for measured in rivals.values():
            with ExitStack() as stack:
                costs |= measured(stack)
        stand.ground.say("hits, CPU ms: " + ", ".join(f"{name} {cost:.3f}" for name, cost in costs.items()))
        rounds.append(costs)
    return _figures(rounds)


def _figures(rounds: list[dict[str, float]]) -> tuple[Figure, ...]:
    costs = [median(f"hit_cpu_ms_{name}", [one[name] for one in rounds]) for name in rounds[0]]
    ratios = {
        "hit_cpu_ratio_to_apache_static": ("ours", "apache_static", 1.15),
        "hit_cpu_ratio_to_apache_bare": ("ours", "apache_bare", None),
        "hit_cpu_ratio_to_nginx_static": ("ours", "nginx_static", None),
        "hit_cpu_ratio_to_thumbor": ("ours", "thumbor", 1 / 12),
        "hit_cpu_ratio_to_thumbor_by_default": ("ours", "thumbor_by_default", 1 / 12),
        "not_modified_cpu_ratio_to_hit": ("not_modified", "ours", 1.0),
        "head_cpu_ratio_to_hit": ("head_by_ab", "ours_by_ab", 1.0),
    }
    return (
        *costs,
        *(
            median(name, [one[above] / one[below] for one in rounds], aim)
            for name, (above, below, aim) in ratios.items()
        ),
    )


def _ours(stand: Stand, url: str, etag: str, _: ExitStack) -> Mapping[str, float]:
    stand.restart()
    present(url, _WIDTH)
    wrk([url], _WARM_SECONDS)
    asked: Mapping[str, Callable[[], Closed]] = {
        "ours": lambda: wrk([url], _SECONDS),
        "not_modified": lambda: wrk([url], _SECONDS, headers=[f"If-None-Match: {etag}"]),
        "ours_by_ab": lambda: ab(url, _SECONDS),
        "head_by_ab": lambda: ab(url, _SECONDS, head=True),
    }
    return {name: cost(name, stand.cpu_seconds, load) for name, load in asked.items()}


def _apache(
    name: str, apache: apaches.Apache, stand: Stand, file: bytes, stack: ExitStack
) -> Mapping[str, float]:
    url = stack.enter_context(apaches.running(apache, stand, file))
    return {name: _static(name, url, partial(stand.cpu_seconds, apache.name))}


def _nginx(stand: Stand, network: servers.Network, stack: ExitStack) -> Mapping[str, float]:
    server = stack.enter_context(servers.nginx(stand.folder, stand.originals, network))
    return {"nginx_static": _static("nginx", f"{server.url}/small.jpg", cpu.meter(lambda: [server.pid]))}


def _thumbor(stand: Stand, network: servers.Network, key: str, stack: ExitStack) -> Mapping[str, float]:
    server = stack.enter_context(servers.thumbor(stand.folder, stand.originals, network=network))
    url = f"{server.url}/unsafe/{_WIDTH}x0/{key}"
    present(url, _WIDTH, hit=False)
    return {"thumbor": _static("thumbor", url, cpu.meter(lambda: [server.pid]))}


def _thumbor_by_default(
    stand: Stand, network: servers.Network, key: str, stack: ExitStack
) -> Mapping[str, float]:
    """It keeps the original, and makes the result anew each time."""
    server = stack.enter_context(servers.thumbor_by_default(stand.folder, network))
    url = f"{server.url}/unsafe/{_WIDTH}x0/{stand.stored(key)}"
    present(url, _WIDTH, hit=False)
    return {"thumbor_by_default": _static("thumbor", url, cpu.meter(lambda: [server.pid]))}


def _static(name: str, url: str, spent: Callable[[], float]) -> float:
    wrk([url], _WARM_SECONDS)
    return cost(name, spent, lambda: wrk([url], _SECONDS))


def cost(name: str, spent: Callable[[], float], load: Callable[[], Closed]) -> float:
    """CPU milliseconds for each request of a load. Raises BenchError when too many of them fail."""
    before = spent()
    seen = load()
    if seen.errors > _FAILED_SHARE * seen.requests or not seen.requests:
        raise BenchError(f"{name}: {seen.errors} of {seen.requests} requests failed")
    return (spent() - before) / seen.requests * 1000


def present(url: str, width: int, *, hit: bool = True) -> Any:
    """A result, once it is there; one that Apache serves by itself, where that is asked for."""
    for _ in range(3):
        answer = fetched(url)
        if answer.status != 200 or Image.open(io.BytesIO(answer.body)).width != width:
            raise BenchError(f"{urlsplit(url).path} answers {answer.status}: {answer.body[:200]!r}")
        if not hit or answer.headers["X-Resizer"] == "apache":
            return answer
    raise BenchError(f"{url} does not become a hit: X-Resizer is {answer.headers['X-Resizer']}")
