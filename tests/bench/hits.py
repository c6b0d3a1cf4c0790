"""What the common request costs: a result that is there already."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image

from bench import cpu, servers
from bench.errors import BenchError
from bench.figures import Figure, median
from bench.load import wrk
from bench.stand import fetched, static_apache

if TYPE_CHECKING:
    from bench.stand import Stand

_ROUNDS = 3
_SECONDS = 4
_WIDTH = 600
# A plain Apache recycles a process now and then, and with it connections that were just asked on.
_FAILED_SHARE = 0.001


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds per request, interleaved over some rounds, and their ratios."""
    (key,) = stand.keys("hit", 1)
    url = stand.resized(_WIDTH, key)
    first = _present(url)
    (stand.originals / "small.jpg").write_bytes(first.body)
    with ExitStack() as stack:
        plain = stack.enter_context(static_apache(stand))
        nginx = stack.enter_context(servers.nginx(stand.folder, stand.originals))
        thumbor = stack.enter_context(servers.thumbor(stand.folder, stand.originals, best=True))
        rival = f"{thumbor.url}/unsafe/{_WIDTH}x0/{key}"
        _present(rival, hit=False)
        ways: Mapping[str, tuple[str, Callable[[], float], str]] = {
            "ours": (url, stand.cpu_seconds, ""),
            "apache_static": (plain, lambda: stand.cpu_seconds("astatic"), ""),
            "nginx_static": (f"{nginx.url}/small.jpg", cpu.meter(lambda: [nginx.pid]), ""),
            "thumbor": (rival, cpu.meter(lambda: [thumbor.pid]), ""),
            "not_modified": (url, stand.cpu_seconds, f"If-None-Match: {first.headers['ETag']}"),
        }
        rounds = [{name: _cost(name, *way) for name, way in ways.items()} for _ in range(_ROUNDS)]
    stand.ground.say("hits, CPU ms: " + ", ".join(f"{name} {rounds[-1][name]:.3f}" for name in ways))
    return _figures(rounds)


def _figures(rounds: list[dict[str, float]]) -> tuple[Figure, ...]:
    costs = [median(f"hit_cpu_ms_{name}", [one[name] for one in rounds]) for name in rounds[0]]
    ratios = {
        "hit_cpu_ratio_to_apache_static": ("ours", "apache_static", 1.15),
        "hit_cpu_ratio_to_nginx_static": ("ours", "nginx_static", None),
        "hit_cpu_ratio_to_thumbor": ("ours", "thumbor", 1 / 12),
        "not_modified_cpu_ratio_to_hit": ("not_modified", "ours", 1.0),
    }
    return (
        *costs,
        *(
            median(name, [one[above] / one[below] for one in rounds], aim)
            for name, (above, below, aim) in ratios.items()
        ),
    )


def _cost(name: str, url: str, spent: Callable[[], float], header: str) -> float:
    before = spent()
    seen = wrk([url], _SECONDS, headers=[header] if header else [])
    if seen.errors > _FAILED_SHARE * seen.requests or not seen.requests:
        raise BenchError(f"{name}: {seen.errors} of {seen.requests} requests to {urlsplit(url).path} failed")
    return (spent() - before) / seen.requests * 1000


def _present(url: str, *, hit: bool = True) -> Any:
    """A result, once it is there; one that Apache serves by itself, where that is asked for."""
    for _ in range(3):
        answer = fetched(url)
        if answer.status != 200 or Image.open(io.BytesIO(answer.body)).width != _WIDTH:
            raise BenchError(f"{url} answers {answer.status}, or another picture: {answer.body[:200]!r}")
        if not hit or answer.headers["X-Resizer"] == "apache":
            return answer
    raise BenchError(f"{url} does not become a hit: X-Resizer is {answer.headers['X-Resizer']}")
