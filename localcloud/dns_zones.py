"""Zones as the name server reads them: pure functions from records to its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

# What Route 53 gives its zones: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html
_SERVER = "ns-2048.awsdns-64.net."
_SOA = f"{_SERVER} awsdns-hostmaster.amazon.com. {{serial}} 7200 900 1209600 86400"
_SOA_SECONDS = 900
_NS_SECONDS = 172800


@dataclass(frozen=True, order=True)
class Record:
    """One record: an absolute name without its last dot, seconds to keep it, type and value."""

    name: str
    ttl: int
    kind: str
    value: str


@dataclass(frozen=True, order=True)
class Zone:
    """A zone and its records, without those that every zone has."""

    name: str
    records: tuple[Record, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return re.sub(r"[^a-z0-9.-]", "_", self.name.lower()) + ".zone"


def zone_file(zone: Zone, serial: int) -> str:
    """A zone's file."""
    apex = f"{zone.name}."
    lines = [
        f"{apex} {_SOA_SECONDS} IN SOA {_SOA.format(serial=serial)}",
        f"{apex} {_NS_SECONDS} IN NS {_SERVER}",
        *(f"{one.name}. {one.ttl} IN {one.kind} {one.value}" for one in sorted(set(zone.records))),
    ]
    return "\n".join(lines) + "\n"


def server_config(
    address: IPv4Address, forwarders: Iterable[str], zones: Iterable[Zone], folder: Path
) -> str:
    """The name server's configuration: it answers for its zones and asks the forwarders for all else."""
    others = [f"{server};" for server in forwarders]
    forwarding = [f"    forwarders {{ {' '.join(others)} }};", "    forward only;"] if others else []
    lines = [
        "options {",
        f'    directory "{folder}";',
        f"    listen-on {{ {address}; }};",
        "    listen-on-v6 { none; };",
        f"    query-source address {address};",
        "    allow-query { any; };",
        "    recursion yes;",
        "    allow-recursion { any; };",
        *forwarding,
        "    dnssec-validation no;",
        "    empty-zones-enable no;",
        "    max-cache-size 8m;",
        "    notify no;",
        "    pid-file none;",
        "    lock-file none;",
        "    session-keyfile none;",
        "};",
        "controls { };",
        *(
            f'zone "{zone.name}" {{ type primary; file "{zone.file}"; check-names ignore; }};'
            for zone in zones
        ),
    ]
    return "\n".join(lines) + "\n"
