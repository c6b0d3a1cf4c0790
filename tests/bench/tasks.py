"""`invoke bench.…`: figures, from the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console

if TYPE_CHECKING:
    from bench.figures import Measured

SERVING = ("hits", "misses", "crowds", "growth")
PARTS = ("booting", "converging", "baking")
JOINING = ("joining", "again")
FLEETS = ("desk", "roll")

_stderr = Console(stderr=True)


@task(help={"only": f"one part of it: {', '.join(PARTS)}"})
def bake(_: Context, only: str = "") -> Measured:
    """Measure baking, converging beside Ansible and pyinfra, and booting, on a local cloud of its own."""
    from bench import baking, booting, converging
    from bench.cloud import ground
    from bench.figures import Measured

    _refuse_unknown(only, PARTS)
    figures: list[Any] = []
    details: dict[str, Any] = {}
    with ground(_say) as where:
        if only in ("", "booting"):
            figures += booting.measure(where)
        if only in ("", "converging"):
            figures += converging.measure(where)
        if only in ("", "baking"):
            of_bakes, details = baking.measure(where)
            figures += of_bakes
    return Measured(tuple(figures), details)


@task(help={"only": f"one part of it: {', '.join(JOINING)}"})
def boot(_: Context, only: str = "") -> Measured:
    """Measure how a node comes into service, beside nodes that are set up at boot; then ten at once."""
    from bench import again, joining
    from bench.cloud import ground
    from bench.figures import Measured
    from bench.yard import yard

    _refuse_unknown(only, JOINING)
    figures: list[Any] = []
    with ground(_say) as where, yard(where) as nodes:
        if only in ("", "again"):
            figures += again.measure(nodes)
        if only in ("", "joining"):
            figures += joining.measure(nodes)
    return Measured(tuple(figures))


@task(
    help={
        "only": f"one part of it: {', '.join(SERVING)}",
        "saturate": "seconds of more misses than can be rendered",
    }
)
def resizer(_: Context, only: str = "", saturate: int = 300) -> Measured:
    """Measure a baked node's hits and misses beside thumbor, libvips, nginx and a plain Apache."""
    from bench import crowds, growth, hits, misses
    from bench.cloud import ground
    from bench.figures import Measured
    from bench.stand import stand

    _refuse_unknown(only, SERVING)
    figures: list[Any] = []
    with ground(_say) as where, stand(where) as node:
        if only in ("", "hits"):
            figures += hits.measure(node)
        if only in ("", "misses"):
            figures += misses.measure(node)
        if only in ("", "crowds"):
            figures += crowds.measure(node, saturate)
        if only in ("", "growth"):
            figures += growth.measure(node)
    return Measured(tuple(figures))


@task(help={"only": f"one part of it: {', '.join(FLEETS)}"})
def fleet(_: Context, only: str = "") -> Measured:
    """Measure what a desk spends on 100 and 1,000 nodes that are records alone, and a roll-out under load."""
    from bench import fleets, rolls
    from bench.cloud import ground, records
    from bench.figures import Measured

    _refuse_unknown(only, FLEETS)
    figures: list[Any] = []
    calls: dict[str, Any] = {}
    if only in ("", "desk"):
        with records(_say) as where:
            of_desks, calls = fleets.measure(where)
            figures += of_desks
    if only in ("", "roll"):
        with ground(_say) as machines:
            figures += rolls.measure(machines)
    return Measured(tuple(figures), calls)


def _refuse_unknown(only: str, parts: tuple[str, ...]) -> None:
    from bench.errors import BenchError

    if only not in ("", *parts):
        raise BenchError(f"there is no part {only!r}", f"leave --only out, or choose: {', '.join(parts)}")


def _say(text: str) -> None:
    _stderr.print(f"  [dim]{text}[/]", highlight=False, soft_wrap=True)


TASKS_WITHOUT_CLOUD: tuple[Any, ...] = (bake, boot, fleet, resizer)
