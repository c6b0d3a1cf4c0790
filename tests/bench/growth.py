"""Whether a hit costs the same among a thousand files and among a million.

Both stores are on the node's disk at once, and one or the other is mounted as the cache: so rounds alternate,
and what else this computer does meets both.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figures import Figure, median
from bench.hits import cost, present
from bench.load import wrk

if TYPE_CHECKING:
    from bake.machine import Machine
    from bench.stand import Stand

_FEW, _MANY = 1_000, 1_000_000
_ROUNDS, _WARM_SECONDS, _SECONDS = 5, 2, 3
_FILLING_SECONDS = 1500
_WIDTH = 60
_CACHE, _SMALL = "/var/cache/resizer", "/var/cache/resizer-of-few"
# On the node, by the node's own rule for names; each result is a file of its own.
_FILL = """
import os, sys
sys.path.insert(0, "/opt/resizer/app")
from pathlib import Path
from resizer.address import Rules, parse
from resizer.place import place
root, rules, data = sys.argv[1], Rules(), Path("/tmp/small.jpg").read_bytes()
for number in range(int(sys.argv[2])):
    path = f"{root}/{place(parse(f'medium/grown/{number}.jpg', rules))}"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(file, data)
    os.close(file)
"""


def measure(stand: Stand) -> tuple[Figure, ...]:
    """CPU milliseconds per hit over a thousand files: all there are, and as many out of a million."""
    url = stand.resized(_WIDTH, stand.keys("small", 1)[0])
    with stand.machine() as machine:
        machine.put(present(url, _WIDTH).body, "/tmp/small.jpg")  # noqa: S108 - on a node that is ours alone
        machine.put(_FILL.encode(), "/tmp/fill.py")  # noqa: S108
        # It would evict what nobody has asked for, and walk through a million files meanwhile.
        _done(machine, f"systemctl stop resizer-keeper; install -d -o resizer -g resizer {_SMALL}")
        for root, count in ((_SMALL, _FEW), (_CACHE, _MANY)):
            stand.ground.say(f"write {count} files")
            _done(machine, f"runuser -u resizer -- /opt/resizer/venv/bin/python /tmp/fill.py {root} {count}")
        rounds = [(_small(stand, machine), _cost(stand, _MANY)) for _ in range(_ROUNDS)]
        _done(machine, "systemctl start resizer-keeper")
    return (
        median("hit_cpu_ms_of_a_thousand_files", [few for few, _ in rounds]),
        median("hit_cpu_ms_of_a_million_files", [many for _, many in rounds]),
        median("hit_cpu_ratio_million_to_thousand", [many / few for few, many in rounds], 1.1),
    )


def _small(stand: Stand, machine: Machine) -> float:
    _done(machine, f"mount --bind {_SMALL} {_CACHE}")
    try:
        return _cost(stand, _FEW)
    finally:
        # Apache's service has mounts of its own, which must let go of it as well.
        _done(machine, f"systemctl stop apache2; umount {_CACHE}")


def _cost(stand: Stand, count: int) -> float:
    stand.restart()
    asked = random.Random(count).sample(range(count), _FEW)  # noqa: S311 - a sample, no secret
    urls = [f"{stand.url}/medium/grown/{number}.jpg" for number in asked]
    present(urls[0], _WIDTH)
    wrk(urls, _WARM_SECONDS)
    spent = cost(f"hits of {count}", stand.cpu_seconds, lambda: wrk(urls, _SECONDS))
    stand.ground.say(f"{count} files: {spent:.4f} CPU ms a hit")
    return spent


def _done(machine: Machine, script: str) -> None:
    ended = machine.run(script, timeout_seconds=_FILLING_SECONDS)
    if ended.exit_code:
        raise BenchError(f"`{script}` ended with {ended.exit_code}: {ended.output[-500:]}")
