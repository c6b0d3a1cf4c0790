"""moto's backends as one value that can be saved, and their return."""

from __future__ import annotations

from typing import Any

from localcloud.state import Backends


def collect() -> Backends:
    """Every backend that is in use, by service, account and region."""
    from moto.core.base_backend import BackendDict

    found: Backends = {}
    for service in list(BackendDict._instances):
        accounts = {account: dict(regions.items()) for account, regions in list(dict.items(service))}
        found[service.service_name] = {account: regions for account, regions in accounts.items() if regions}
    return found


def give_back(saved: Backends) -> None:
    """Put saved backends in moto's place, without what the image catalogue enters by itself."""
    from moto.backends import get_backend

    for name, accounts in saved.items():
        service = get_backend(name)
        for account, regions in accounts.items():
            for region, backend in regions.items():
                dict.__setitem__(service[account], region, backend)
    for backend in _regions(saved, "ec2"):
        _reserve_addresses(backend)
        _forget_terminated(backend)
        _forget_images(backend)
    for store in _regions(saved, "ssm"):
        _forget_public_parameters(store)


def records(saved: Backends) -> list[Any]:
    """Every instance in saved backends, oldest first."""
    return [
        record
        for backend in _regions(saved, "ec2")
        for reservation in backend.reservations.values()
        for record in reservation.instances
    ]


def _forget_images(backend: Any) -> None:
    """The catalogue's own records are the truth about images and snapshots."""
    from localcloud.ami import LocalAmi, LocalSnapshot

    for kind, held in ((LocalAmi, backend.amis), (LocalSnapshot, backend.snapshots)):
        for name in [name for name, one in held.items() if isinstance(one, kind)]:
            del held[name]
            backend.tags.pop(name, None)


def _forget_public_parameters(store: Any) -> None:
    """The catalogue publishes the newest images' names anew, and moto its own."""
    for name in [name for name in store._parameters if name.startswith("/aws/")]:
        del store._parameters[name]


def _forget_terminated(backend: Any) -> None:
    """EC2 forgets terminated instances within the hour."""
    for name, reservation in list(backend.reservations.items()):
        reservation.instances = [
            record for record in reservation.instances if record.state not in ("terminated", "shutting-down")
        ]
        if not reservation.instances:
            del backend.reservations[name]


def _reserve_addresses(backend: Any) -> None:
    """A subnet gives out addresses by an iterator that starts anew: it must pass over the router's again."""
    for of_zone in backend.subnets.values():
        for subnet in of_zone.values():
            subnet._reserved_ips = subnet._reserved_ips | subnet.aws_reserved_ips


def _regions(saved: Backends, service: str) -> list[Any]:
    return [backend for regions in saved.get(service, {}).values() for backend in regions.values()]
