"""Costs and capacity on paper: how many nodes a load needs, with the sum shown."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.errors import BadSize

_ROUNDING = 1e-9
COSTS_FILE = Path(__file__).with_name("costs.toml")


@dataclass(frozen=True)
class Costs:
    """CPU milliseconds per request, by what it takes to answer it, and where the figures are from."""

    hit_cpu_ms: float
    s3_cpu_ms: float
    render_cpu_ms: float
    source: str


@dataclass(frozen=True)
class Load:
    """Requests per second at the peak, and the shares on a node's disk and in S3; the rest is rendered."""

    rps: float
    hit_ratio: float
    s3_ratio: float = 0.0

    @property
    def render_ratio(self) -> float:
        """The share of requests that must be rendered."""
        return max(0.0, 1 - self.hit_ratio - self.s3_ratio)


@dataclass(frozen=True)
class Nodes:
    """What a node is, how busy it may be, and how many zones there are, of which some may be lost."""

    cores: int
    utilisation: float = 0.6
    zones: int = 2
    lost_zones: int = 1


@dataclass(frozen=True)
class Sizing:
    """How many nodes, and the sum behind it."""

    load: Load
    costs: Costs
    nodes: Nodes
    degraded: bool = False

    @property
    def cpu_ms_per_request(self) -> float:
        """The mean request's CPU time."""
        load, costs = self.load, self.costs
        return (
            load.hit_ratio * costs.hit_cpu_ms
            + load.s3_ratio * costs.s3_cpu_ms
            + load.render_ratio * costs.render_cpu_ms
        )

    @property
    def busy_cores(self) -> float:
        """Cores that do nothing but answer."""
        return self.load.rps * self.cpu_ms_per_request / 1000

    @property
    def needed(self) -> int:
        """Nodes for the load alone."""
        return max(1, math.ceil(self.busy_cores / self.nodes.utilisation / self.nodes.cores))

    @property
    def with_spare(self) -> int:
        """Nodes so that those of the zones that are left carry the load; the same number in each zone."""
        left = self.nodes.zones - self.nodes.lost_zones
        return math.ceil(self.needed / left) * self.nodes.zones

    def lines(self) -> list[str]:
        """The sum, for people."""
        load, costs, nodes = self.load, self.costs, self.nodes
        shares = (
            (load.hit_ratio, costs.hit_cpu_ms),
            (load.s3_ratio, costs.s3_cpu_ms),
            (load.render_ratio, costs.render_cpu_ms),
        )
        products = " + ".join(f"{share:.1%} x {cpu_ms:g} ms" for share, cpu_ms in shares)
        used = f"{nodes.utilisation:.0%} utilisation / {nodes.cores} cores"
        return [
            "CPU per request = hits x hit + S3 x s3 + renders x render",
            f"  = {products} = {self.cpu_ms_per_request:.3f} ms",
            f"busy cores = {load.rps:g}/s x {self.cpu_ms_per_request:.3f} ms = {self.busy_cores:.2f}",
            f"nodes = busy cores / {used}, rounded up = {self.needed}",
            f"with {nodes.lost_zones} of {nodes.zones} zones lost: {self.with_spare}",
            f"figures: {costs.source}",
        ]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "nodes": self.with_spare,
            "nodes_without_spare": self.needed,
            "busy_cores": round(self.busy_cores, 3),
            "cpu_ms_per_request": round(self.cpu_ms_per_request, 4),
            "render_share_of_cpu": round(self.render_share, 3),
        }

    @property
    def render_share(self) -> float:
        """The part of the CPU that goes into rendering: what a better hit ratio would save."""
        rendering = self.load.render_ratio * self.costs.render_cpu_ms
        return rendering / self.cpu_ms_per_request

    def __rich__(self) -> str:
        """As people read it."""
        return "\n".join(
            [*self.lines(), f"{self.with_spare} nodes; {self.render_share:.0%} of the CPU renders"]
        )


def costs(path: Path = COSTS_FILE) -> Costs:
    """The costs on file. Raises BadSize when they cannot be used."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Costs(
            float(found["hit_cpu_ms"]),
            float(found["s3_cpu_ms"]),
            float(found["render_cpu_ms"]),
            str(found["source"]),
        )
    except (OSError, KeyError, ValueError) as why:
        raise BadSize(
            f"{path}: no costs can be read: {why}", "`invoke bench.resizer` measures hit, s3 and render"
        ) from why


def size(load: Load, costs: Costs, nodes: Nodes) -> Sizing:
    """How many nodes a load needs. Raises BadSize, naming what cannot be."""
    wrong = [
        (load.rps <= 0, f"{load.rps:g} requests per second"),
        (not 0 <= load.hit_ratio <= 1, f"a hit ratio of {load.hit_ratio:g}"),
        (
            not 0 <= load.s3_ratio <= 1 - load.hit_ratio + _ROUNDING,
            f"an S3 ratio of {load.s3_ratio:g} beside those hits",
        ),
        (not 0 < nodes.utilisation <= 1, f"a utilisation of {nodes.utilisation:g}"),
        (nodes.cores < 1, f"a node of {nodes.cores} cores"),
        (not 0 <= nodes.lost_zones < nodes.zones, f"{nodes.lost_zones} lost of {nodes.zones} zones"),
    ]
    for impossible, what in wrong:
        if impossible:
            raise BadSize(f"{what} cannot be", "ratios go from 0 to 1, and a zone must be left")
    return Sizing(load, costs, nodes)
