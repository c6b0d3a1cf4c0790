"""Whether a hit costs the same among a thousand files and among a million."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figures import Figure, median
from bench.load import wrk
from bench.stand import fetched

if TYPE_CHECKING:
    from bench.stand import Stand

_FEW, _MANY = 1_000, 1_000_000
_ASKED = 2_000
_ROUNDS, _SECONDS = 3, 4
# On the node, with the node's own rule for names: files of one block, as many as are wanted.
_FILL = """
import os, sys
sys.path.insert(0, "/opt/resizer/app")
from pathlib import Path
from resizer.address import Rules, parse
from resizer.place import place
root, first, last = Path("/var/cache/resizer"), int(sys.argv[1]), int(sys.argv[2])
data = Path("/tmp/small.jpg").read_bytes()
for number in range(first, last):
    path = root / place(parse(f"medium/grown/{number}.jpg", Rules()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
"""


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds per hit over two thousand files of a store of a thousand, then of a million."""
    small = fetched(stand.resized(60, stand.keys("small", 1)[0])).body
    with stand.machine() as machine:
        machine.put(small, "/tmp/small.jpg")  # noqa: S108 - on a node that is ours alone
        machine.put(_FILL.encode(), "/tmp/fill.py")  # noqa: S108
    _fill(stand, 0, _FEW)
    few = _costs(stand, _FEW)
    stand.ground.say(f"{_FEW} files: {json.dumps(few)} CPU ms a hit; now {_MANY}")
    _fill(stand, _FEW, _MANY)
    many = _costs(stand, _MANY)
    stand.ground.say(f"{_MANY} files: {json.dumps(many)} CPU ms a hit")
    return (
        median("hit_cpu_ms_of_a_thousand_files", few),
        median("hit_cpu_ms_of_a_million_files", many),
        Figure("hit_cpu_ratio_million_to_thousand", sorted(many)[1] / sorted(few)[1], 1.1),
    )


def _fill(stand: Stand, first: int, last: int) -> None:
    with stand.machine() as machine:
        done = machine.run(
            f"runuser -u resizer -- /opt/resizer/venv/bin/python /tmp/fill.py {first} {last}",
            timeout_seconds=900,
        )
    if done.exit_code:
        raise BenchError(f"the cache could not be filled: {done.output[-500:]}")


def _costs(stand: Stand, count: int) -> list[float]:
    asked = random.Random(count).sample(range(count), min(count, _ASKED))  # noqa: S311 - a sample, no secret
    urls = [f"{stand.url}/medium/grown/{number}.jpg" for number in asked]
    if (state := fetched(urls[0]).headers["X-Resizer"]) != "apache":
        raise BenchError(f"{urls[0]} is no hit: X-Resizer is {state}")
    wrk(urls, 2)
    costs = []
    for _ in range(_ROUNDS):
        before = stand.cpu_seconds()
        seen = wrk(urls, _SECONDS)
        if seen.errors:
            raise BenchError(f"{seen.errors} of {seen.requests} hits failed")
        costs.append(round((stand.cpu_seconds() - before) / seen.requests * 1000, 4))
    return costs
