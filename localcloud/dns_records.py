"""What names there are in the VPC: load balancers', instances' and those of Route 53's zones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from localcloud.dns_zones import Record, Zone

_TTL_SECONDS = 60  # what AWS gives load balancers' names, aliases to them and instances' names

# Record types whose value ends in a name; Route 53 takes such names as absolute, with or without a last dot.
_ENDING_IN_NAMES = ("CNAME", "NS", "MX", "PTR", "SRV")


def zones(
    hosted: Iterable[Any], balancers: Mapping[str, IPv4Address], instances: Iterable[Any], inside: str
) -> tuple[Zone, ...]:
    """Every zone: one for each load balancer's name, one of instances below `inside`, and the hosted ones.

    A load balancer's name is a zone of its own so that names of real ones, which are beside it, still
    resolve. Of several hosted zones with one name, the first counts.
    """
    found = {
        name: Zone(name, (Record(name, _TTL_SECONDS, "A", str(address)),))
        for name, address in balancers.items()
    }
    private = tuple(
        Record(_host_name(one.private_ip_address, inside), _TTL_SECONDS, "A", one.private_ip_address)
        for one in instances
        if one.state != "terminated"
    )
    found[inside] = Zone(inside, private)
    for zone in hosted:
        name = _name(zone.name)
        found.setdefault(name, Zone(name, tuple(_hosted_records(zone, name, balancers))))
    return tuple(sorted(found.values()))


def _host_name(address: str, inside: str) -> str:
    return f"ip-{address.replace('.', '-')}.{inside}"


def _hosted_records(zone: Any, apex: str, balancers: Mapping[str, IPv4Address]) -> Iterator[Record]:
    sets = [one for one in list(zone.rrsets) if not (one.type in ("SOA", "NS") and _name(one.name) == apex)]
    chosen: dict[tuple[str, str], list[Any]] = {}
    for one in sets:
        chosen.setdefault((_name(one.name), one.type), []).append(one)
    for (name, kind), candidates in chosen.items():
        for one in _weighted(kind, candidates):
            yield from _records(one, name, sets, balancers)


def _weighted(kind: str, candidates: list[Any]) -> list[Any]:
    """Of weighted sets those with a weight; a name can stand for one other only: for that of most weight."""
    alive = [one for one in candidates if one.weight is None or int(one.weight) > 0]
    if kind == "CNAME":
        return sorted(alive, key=lambda one: -int(one.weight or 0))[:1]
    return alive


def _records(
    record_set: Any, name: str, sets: list[Any], balancers: Mapping[str, IPv4Address]
) -> Iterator[Record]:
    kind = record_set.type
    if record_set.alias_target:
        target = _name(record_set.alias_target["DNSName"]).removeprefix("dualstack.")
        if kind == "A" and target in balancers:
            yield Record(name, _TTL_SECONDS, "A", str(balancers[target]))
            return
        same = [
            one for one in sets if _name(one.name) == target and one.type == kind and not one.alias_target
        ]
        for one in same:
            yield from _records(one, name, sets, balancers)
        return
    for value in record_set.records:
        text = f"{str(value).rstrip('.')}." if kind in _ENDING_IN_NAMES else str(value)
        yield Record(name, int(record_set.ttl or 300), str(kind), " ".join(text.split("\n")))


def _name(text: str) -> str:
    """A name as Route 53 keeps it, in lower case, without its last dot and with `*` as itself."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), str(text)).rstrip(".").lower()
