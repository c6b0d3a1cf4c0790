"""A roll-out under load as users feel it: failed requests, and the 99th percentile, beside that at rest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import baking
from bench.cloud import ROOT
from bench.figures import Figure
from bench.steady import Load, load
from fleet import lb
from fleet.dns_question import ask

if TYPE_CHECKING:
    from bench.cloud import Ground

_SITE = ROOT / "tests" / "fleet" / "site"
_FILE = _SITE / "shop.toml"
_NAME = "shop"
_SETTLING_SECONDS, _REST_SECONDS = 15, 60
_P99, _TIMES = 0.99, 2.0


def measure(ground: Ground) -> tuple[Figure, ...]:
    """Four nodes of a page, behind a classic load balancer, replaced one by one while it is asked for."""
    baked = [baking.invoke(ground, "bake", f"--spec={_SITE / one}") for one in ("site.toml", "second.toml")]
    ours = f"--file={_FILE}"
    try:
        baking.invoke(ground, "fleet.up", ours)
        with load(_url(ground)) as asked:
            time.sleep(_SETTLING_SECONDS + _REST_SECONDS)
            began = time.monotonic()
            image = f"--image={baked[1].document['image_id']}"
            rolled = baking.invoke(ground, "fleet.roll", ours, image, "--watch=2")
            ended = time.monotonic()
            time.sleep(_SETTLING_SECONDS + _REST_SECONDS)
        return _figures(asked, began, ended, rolled.seconds)
    finally:
        baking.invoke(ground, "fleet.down", ours)


def _url(ground: Ground) -> str:
    (balancer,) = lb.ours(ground.cloud, _NAME)
    (address,) = ask(str(ground.site.dns_address), balancer.dns_name).addresses
    return f"http://{address}/"


def _figures(asked: Load, began: float, ended: float, seconds: float) -> tuple[Figure, ...]:
    """What is at rest differs with what else the computer does: the quieter of before and after counts."""
    during = asked.all(since=began, until=ended)
    before = asked.all(since=began - _REST_SECONDS, until=began).percentile(_P99)
    after = asked.all(since=ended + _SETTLING_SECONDS).percentile(_P99)
    became = during.percentile(_P99)
    return (
        Figure("roll_of_4_seconds", seconds),
        Figure("roll_of_4_requests", sum(during.statuses.values())),
        Figure("roll_of_4_failed_requests", during.failed, 0),
        Figure("roll_of_4_p99_before_ms", before),
        Figure("roll_of_4_p99_during_ms", became),
        Figure("roll_of_4_p99_after_ms", after),
        Figure("roll_of_4_p99_ratio_to_rest", became / min(before, after), _TIMES),
    )
