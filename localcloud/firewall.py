"""Security groups, enforced: what EC2 knows of groups and their members, as one nftables ruleset.

Stateful, as on AWS: replies pass by connection tracking, also after the rule that let the request in is gone.
No rule is no answer: the packet is dropped, and a client times out.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from localcloud.network import PORTS

_ANY_PORT = (0, 65535)
_EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class Rule:
    """Traffic that a group lets through: a protocol, a range of ports, and the other side of it.

    `protocol` is `tcp`, `udp`, `icmp`, an IP protocol's number or `-1` for all; for ICMP the ports are type
    and code. The other side is a `cidr` or the members of a `group`.
    """

    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr: str = ""
    group: str = ""


@dataclass(frozen=True)
class Group:
    """A security group."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Member:
    """What a group protects: an address in the VPC, a machine's or a load balancer's."""

    id: str
    address: IPv4Address
    groups: tuple[str, ...]


class Firewall:
    """Keeps the rules that are loaded those of the groups. `load` replaces them all at once."""

    def __init__(self, load: Callable[[str], None], router: Iterable[IPv4Address]) -> None:
        self._load = load
        self._router = tuple(router)
        self._loaded = ""
        self._lock = threading.Lock()

    def refresh(self, members: Iterable[Member], groups: Iterable[Group]) -> bool:
        """Load the rules if they changed. Returns whether they did."""
        rules = ruleset(members, groups, self._router)
        with self._lock:
            if rules == self._loaded:
                return False
            self._load(rules)
            self._loaded = rules
            return True


def ruleset(members: Iterable[Member], groups: Iterable[Group], router: Iterable[IPv4Address]) -> str:
    """The rules, as `nft -f` reads them: they replace the ones before in one transaction.

    What the VPC itself serves at `router` (metadata, the AWS endpoint, name service) is outside of groups.
    """
    members = sorted(members, key=lambda member: member.id)
    known = sorted(groups, key=lambda group: group.id)
    lines = [
        "table inet firewall {}",
        "delete table inet firewall",
        "table inet firewall {",
        *(line for group in known for line in _members_set(group, members)),
        *(line for group in known for line in _group_chains(group, {group.id for group in known})),
        *(line for member in members for line in _member_chains(member, {group.id for group in known})),
        *_dispatch("leaving", "saddr", "from", members, "drop"),
        *_dispatch("arriving", "daddr", "to", members, f'oifname "{PORTS}" drop', "accept"),
        *_hooks(", ".join(map(str, router))),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _hooks(router: str) -> Iterator[str]:
    known = ("ct state established,related accept", "ct state invalid drop")
    leaving = f'iifname "{PORTS}" goto leaving'
    to_router, from_router = (f"ip {field} {{ {router} }} accept" for field in ("daddr", "saddr"))
    yield from _chain("forward", _hook("forward", "drop"), *known, leaving, "goto arriving")
    yield from _chain(
        "input", _hook("input", "accept"), *known, 'iifname "lo" accept', to_router, leaving, "goto arriving"
    )
    yield from _chain(
        "output", _hook("output", "accept"), *known, 'oifname "lo" accept', from_router, "goto arriving"
    )


def _hook(name: str, policy: str) -> str:
    return f"type filter hook {name} priority filter; policy {policy};"


def _dispatch(name: str, field: str, verb: str, members: list[Member], *otherwise: str) -> Iterator[str]:
    """A chain that sends a packet on to the chain of the member that owns its address."""
    where = ", ".join(f"{member.address} : goto {verb}_{_name(member.id)}" for member in members)
    yield from _chain(name, *([f"ip {field} vmap {{ {where} }}"] if where else []), *otherwise)


def _member_chains(member: Member, known: set[str]) -> Iterator[str]:
    groups = [group for group in sorted(set(member.groups)) if group in known]
    for verb, chain in (("from", "out"), ("to", "in")):
        yield from _chain(
            f"{verb}_{_name(member.id)}", *(f"jump {chain}_{_name(group)}" for group in groups), "drop"
        )


def _group_chains(group: Group, known: set[str]) -> Iterator[str]:
    """What the group lets in is let in; what it lets out must still be let in at the other end."""
    allowed_in = (_match(rule, "saddr", known) for rule in group.ingress)
    allowed_out = (_match(rule, "daddr", known) for rule in group.egress)
    name = _name(group.id)
    yield from _chain(
        f"in_{name}", *sorted({f"{match} accept".strip() for match in allowed_in if match is not None})
    )
    yield from _chain(
        f"out_{name}",
        *sorted({f"{match} goto arriving".strip() for match in allowed_out if match is not None}),
    )


def _members_set(group: Group, members: list[Member]) -> Iterator[str]:
    addresses = ", ".join(str(member.address) for member in members if group.id in member.groups)
    yield f"set {_name(group.id)} {{"
    yield "type ipv4_addr"
    if addresses:
        yield f"elements = {{ {addresses} }}"
    yield "}"


def _match(rule: Rule, field: str, known: set[str]) -> str | None:
    """The nftables expression of a rule, None for one that lets nothing through here (IPv6, prefix lists)."""
    peer = _peer(rule, field, known)
    traffic = _traffic(rule)
    return None if peer is None or traffic is None else f"{peer} {traffic}".strip()


def _peer(rule: Rule, field: str, known: set[str]) -> str | None:
    if rule.group:
        return f"ip {field} @{_name(rule.group)}" if rule.group in known else None
    with suppress(ValueError):
        network = IPv4Network(rule.cidr, strict=False)
        return "" if network == _EVERYWHERE else f"ip {field} {network}"
    return None


def _traffic(rule: Rule) -> str | None:
    protocol = rule.protocol
    if protocol == "-1":
        return ""
    low = -1 if rule.from_port is None else rule.from_port
    high = -1 if rule.to_port is None else rule.to_port
    if protocol in ("tcp", "udp") and low >= 0 and (low, high) != _ANY_PORT:
        return f"{protocol} dport {low}" + (f"-{high}" if high > low else "")
    if protocol == "icmp" and low >= 0:
        return f"icmp type {low}" + (f" icmp code {high}" if high >= 0 else "")
    if protocol in ("tcp", "udp", "icmp") or protocol.isdecimal():
        return f"meta l4proto {protocol}"
    return None


def _chain(name: str, *rules: str) -> Iterator[str]:
    yield f"chain {name} {{"
    yield from rules
    yield "}"


def _name(identifier: str) -> str:
    """An identifier of EC2's as nftables takes names."""
    return "".join(letter if letter.isalnum() else "_" for letter in identifier)
