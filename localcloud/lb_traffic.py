"""What load balancers' logs tell, as the metrics that AWS publishes of it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from localcloud.cloudwatch import Datum
from localcloud.lb_body import Body
from localcloud.lb_health import Phase
from localcloud.lb_model import Balancer
from localcloud.lb_render import LOG_MARK

NAMESPACES = {"classic": "AWS/ELB", "application": "AWS/ApplicationELB", "network": "AWS/NetworkELB"}
_READ_BYTES = 1 << 18

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Hit:
    """One request, or one connection that carried no HTTP: then without status.

    `pool` and `zone` are where it was sent to, empty when nowhere; `seconds` is what its target took to begin
    its answer, None when the load balancer itself answered.
    """

    pool: str
    zone: str
    status: int | None
    seconds: float | None


def hit(line: bytes, zone_of: Callable[[str], str]) -> Hit | None:
    """What a line of the log tells, None for one that tells of something else."""
    parts = line.decode(errors="replace").split()
    if len(parts) != 6 or parts[0] != LOG_MARK:
        return None
    _, _, backend, server, status, milliseconds = parts
    sent = not server.startswith("<")
    return Hit(
        pool=backend.partition(":")[0] if sent else "",
        zone=zone_of(server) if sent else "",
        status=int(status) if status.isdecimal() else None,
        seconds=int(milliseconds) / 1000 if milliseconds.isdecimal() and sent else None,
    )


def data(balancer: Balancer, hits: Mapping[Hit, int], healthy: Mapping[str, int]) -> Iterator[Datum]:
    """The metrics of some requests. `healthy` is how many targets of each pool are in service."""
    for one, times in hits.items():
        if balancer.kind == "network":
            names = [("NewFlowCount", 1.0, "Count")] if one.pool else []
        else:
            names = list(_of_hit(balancer.kind, one))
        for name, value, unit in names:
            for dimensions in _dimensions(balancer, one.pool, one.zone):
                yield Datum(name, value, unit, dimensions, times)
    if balancer.kind == "application":
        yield from _per_target(balancer, hits, healthy)


def hosts(balancer: Balancer, standing: Iterable[tuple[str, str, str, Phase]]) -> Iterator[Datum]:
    """How many targets are in service and how many are not, by pool and by zone."""
    counts: Counter[tuple[Dimensions, bool]] = Counter()
    groups: set[Dimensions] = {_dimensions(balancer, pool.name, "")[-1] for pool in balancer.pools}
    seen: set[tuple[str, str]] = set()
    for pool, target, zone, phase in standing:
        if balancer.kind == "classic" and (target, zone) in seen:
            continue
        seen.add((target, zone))
        of_pool = _dimensions(balancer, pool, "")[-1]
        of_zone = tuple(sorted([*of_pool, ("AvailabilityZone", zone)]))
        groups |= {of_pool, of_zone}
        counts.update({(of_pool, phase is Phase.HEALTHY): 1, (of_zone, phase is Phase.HEALTHY): 1})
    for dimensions in sorted(groups):
        yield Datum("HealthyHostCount", counts[dimensions, True], "Count", dimensions)
        yield Datum("UnHealthyHostCount", counts[dimensions, False], "Count", dimensions)


class Log:
    """Reads load balancers' logs, and counts what they tell until it is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits: dict[Body, Counter[Hit]] = {}

    def follow(self, body: Body, descriptor: int) -> None:
        """Read a log to its end, in a thread of its own."""
        threading.Thread(target=self._read, args=(body, descriptor), name="log", daemon=True).start()

    def take(self, body: Body) -> Counter[Hit]:
        """What was counted of a load balancer since it was last taken."""
        with self._lock:
            return self._hits.pop(body, Counter())

    def _read(self, body: Body, descriptor: int) -> None:
        rest = b""
        try:
            while chunk := os.read(descriptor, _READ_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                # Under load most lines are alike, so that few are taken apart.
                self._count(body, Counter(lines))
        finally:
            os.close(descriptor)

    def _count(self, body: Body, lines: Counter[bytes]) -> None:
        found = [(hit(line, body.zone_of), times) for line, times in lines.items()]
        with self._lock:
            counter = self._hits.setdefault(body, Counter())
            for one, times in found:
                if one is not None:
                    counter[one] += times


def _of_hit(kind: str, one: Hit) -> Iterator[tuple[str, float, str]]:
    classic = kind == "classic"
    if one.pool:
        yield "RequestCount", 1.0, "Count"
    if one.seconds is not None:
        yield "Latency" if classic else "TargetResponseTime", one.seconds, "Seconds"
    if one.status is not None and 100 <= one.status < 600:
        by = ("Backend" if classic else "Target") if one.seconds is not None else "ELB"
        yield f"HTTPCode_{by}_{one.status // 100}XX{'' if classic else '_Count'}", 1.0, "Count"


def _per_target(balancer: Balancer, hits: Mapping[Hit, int], healthy: Mapping[str, int]) -> Iterator[Datum]:
    """What scaling by requests looks at: requests shared out over the targets in service."""
    for pool in balancer.pools:
        requests = sum(times for one, times in hits.items() if one.pool == pool.name)
        if requests and healthy.get(pool.name):
            each = requests / healthy[pool.name]
            group = ("TargetGroup", pool.metric)
            for dimensions in ((group,), (("LoadBalancer", balancer.metric), group)):
                yield Datum("RequestCountPerTarget", each, "Count", dimensions)


def _dimensions(balancer: Balancer, pool: str, zone: str) -> list[Dimensions]:
    """The sets of dimensions that a metric is published under; the last is the narrowest without a zone."""
    whole = ("LoadBalancerName" if balancer.kind == "classic" else "LoadBalancer", balancer.metric)
    found: list[Dimensions] = [(whole,)]
    group = next((one.metric for one in balancer.pools if one.name == pool and one.metric), "")
    if zone:
        found += [tuple(sorted([whole, ("AvailabilityZone", zone)]))]
        if group:
            found += [tuple(sorted([whole, ("AvailabilityZone", zone), ("TargetGroup", group)]))]
    if group:
        found += [tuple(sorted([whole, ("TargetGroup", group)]))]
    return found
