"""What a load balancer is, whatever kind it has on AWS: the value that its configuration is rendered from."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

Mode = Literal["http", "tcp"]
Kind = Literal["classic", "application", "network"]


@dataclass(frozen=True)
class Check:
    """A health check as recorded. Times are in seconds; port 0 is the port that traffic goes to."""

    protocol: Literal["TCP", "SSL", "HTTP", "HTTPS"]
    port: int
    path: str
    interval: int
    timeout: int
    rise: int
    fall: int
    codes: str = "200"
    agent: str = "ELB-HealthChecker/2.0"


@dataclass(frozen=True)
class Pool:
    """Targets that are checked alike and among which requests are shared out.

    With `zones`, each zone gets its turn and the least loaded target in it the request; without, the least
    loaded of all does. `drain_seconds` is how long a target that leaves may finish what it has begun;
    `metric` is what CloudWatch calls a target group.
    """

    name: str
    mode: Mode
    tls: bool
    check: Check
    zones: tuple[str, ...] = ()
    drain_seconds: int = 300
    balance: Literal["leastconn", "roundrobin"] = "leastconn"
    metric: str = ""

    def backend(self, zone: str) -> str:
        """The name of the backend that a zone's targets are in."""
        return f"{self.name}:{zone}" if self.zones else self.name

    @property
    def backends(self) -> tuple[str, ...]:
        """The names of all of its backends."""
        return tuple(map(self.backend, self.zones)) or (self.name,)


@dataclass(frozen=True)
class Forward:
    """Send a request to one of some pools, by weight."""

    pools: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Answer:
    """Answer a request without asking a target."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True)
class Redirect:
    """Send a client elsewhere; the parts may hold AWS's `#{host}` and the like."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | Answer | Redirect


@dataclass(frozen=True)
class Condition:
    """What a rule asks of a request: `path-pattern`, `host-header`, …; one of the patterns must match."""

    field: str
    patterns: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True)
class Rule:
    """An action for the requests that meet all conditions."""

    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A port that is listened on. `certificate` is what TLS is answered with, empty for none."""

    port: int
    mode: Mode
    default: Action
    certificate: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Balancer:
    """A load balancer with its address in the VPC.

    `groups` of None lets all traffic pass; `metric` is what CloudWatch calls it.
    """

    id: str
    name: str
    kind: Kind
    address: IPv4Address
    dns_name: str
    listeners: tuple[Listener, ...]
    pools: tuple[Pool, ...]
    groups: tuple[str, ...] | None = None
    idle_seconds: int = 60
    metric: str = ""

    @property
    def mac(self) -> str:
        """Its interface's hardware address."""
        return "0a:" + ":".join(f"{byte:02x}" for byte in (0x1B, *self.address.packed))


@dataclass(frozen=True)
class Target:
    """Where a pool's requests can go."""

    id: str
    address: IPv4Address
    port: int
    zone: str
