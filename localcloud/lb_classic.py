"""Classic load balancers: moto's records of them as descriptions of what carries their traffic."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from localcloud.lb_model import Balancer, Check, Forward, Listener, Mode, Pool, Target
from localcloud.lb_places import place_of

_AGENT = "ELB-HealthChecker/1.0"


def described(record: Any) -> Balancer | None:
    """What a record describes, None when it has no place here."""
    place = place_of(record)
    if place is None:
        return None
    pools = {_pool_name(listener): _pool(record, listener) for listener in record.listeners}
    return Balancer(
        id=place.id,
        name=record.name,
        kind="classic",
        address=place.address,
        dns_name=record.dns_name,
        listeners=tuple(_listener(listener) for listener in record.listeners),
        pools=tuple(pools.values()),
        groups=tuple(sorted(record.security_groups)),
        idle_seconds=int(record.attributes["connection_settings"]["idle_timeout"]),
        metric=record.name,
    )


def members(
    record: Any, balancer: Balancer, instances: Mapping[str, Any]
) -> dict[str, dict[str, Target | None]]:
    """Where the registered instances are, for each pool."""
    ports = {_pool_name(listener): int(listener.instance_port) for listener in record.listeners}
    enabled = zones(record)
    return {
        pool.name: {
            instance_id: target_of(instances.get(instance_id), ports[pool.name], enabled)
            for instance_id in record.instance_ids
        }
        for pool in balancer.pools
    }


def target_of(instance: Any, port: int, enabled: tuple[str, ...]) -> Target | None:
    """Where a running instance of an enabled zone takes traffic, None for any other."""
    if instance is None or instance.state != "running" or instance.placement.zone not in enabled:
        return None
    return Target(instance.id, IPv4Address(instance.private_ip_address), port, instance.placement.zone)


def zones(record: Any) -> tuple[str, ...]:
    """The zones that traffic is routed to."""
    return tuple(sorted(set(record.availability_zones)))


def pool_names(record: Any) -> list[str]:
    """The names of the pools that a record describes."""
    return list(dict.fromkeys(_pool_name(listener) for listener in record.listeners))


def check(record: Any) -> Check:
    """The health check as recorded."""
    recorded = record.health_check
    protocol, _, rest = recorded.target.partition(":")
    port, slash, path = rest.partition("/")
    return Check(
        protocol=protocol.upper(),
        port=int(port),
        path=slash + path,
        interval=int(recorded.interval),
        timeout=int(recorded.timeout),
        rise=int(recorded.healthy_threshold),
        fall=int(recorded.unhealthy_threshold),
        agent=_AGENT,
    )


def _pool(record: Any, listener: Any) -> Pool:
    draining = record.attributes["connection_draining"]
    across = record.attributes["cross_zone_load_balancing"]["enabled"]
    return Pool(
        name=_pool_name(listener),
        mode=_mode(listener),
        tls=listener.instance_protocol in ("HTTPS", "SSL"),
        check=check(record),
        zones=() if across else zones(record),
        drain_seconds=int(draining.get("timeout", 300)) if draining["enabled"] else 0,
    )


def _listener(listener: Any) -> Listener:
    return Listener(
        port=int(listener.load_balancer_port),
        mode=_mode(listener),
        default=Forward(((_pool_name(listener), 1),)),
        certificate=_certificate(listener),
    )


def _certificate(listener: Any) -> str:
    return str(listener.ssl_certificate_id or "made") if listener.protocol in ("HTTPS", "SSL") else ""


def _mode(listener: Any) -> Mode:
    return "http" if listener.protocol in ("HTTP", "HTTPS") else "tcp"


def _pool_name(listener: Any) -> str:
    return f"{listener.instance_protocol.lower()}-{listener.instance_port}"
