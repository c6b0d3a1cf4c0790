"""Load balancers: AWS's records of them on one side, what carries their traffic on the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from localcloud.cgroups import ControlGroup
from localcloud.errors import LocalCloudError
from localcloud.firewall import Group, Member, Rule
from localcloud.lb_body import Body, Members
from localcloud.lb_certificates import made_for
from localcloud.lb_health import Finding
from localcloud.lb_model import Balancer
from localcloud.lb_render import certificate_file
from localcloud.network import Network
from localcloud.site import Site

_TICK_SECONDS = 0.5
_REST_SECONDS = 5.0
_EVERYTHING = (Rule("-1", cidr="0.0.0.0/0"),)
OPEN = Group("open", _EVERYTHING, _EVERYTHING)
"""Lets everything pass: what guards a load balancer that has no groups."""


@dataclass(frozen=True)
class Wanted:
    """A load balancer that should run, and who belongs to it."""

    balancer: Balancer
    members: Members


Source = Callable[[], Iterable[Wanted]]
Certificates = Callable[[str], str | None]
"""A certificate's ARN -> it and its key as PEM, None for one that is not there."""


class Balancers:
    """Every load balancer of the site. A thread keeps what runs as the records are."""

    def __init__(
        self,
        site: Site,
        network: Network,
        sources: Iterable[Source],
        certificate: Certificates,
        notice: Callable[[str], None],
        follow_log: Callable[[Body, int], None],
    ) -> None:
        self._site = site
        self._network = network
        self._sources = tuple(sources)
        self._certificate = certificate
        self._notice = notice
        self._follow_log = follow_log
        self._bodies: dict[str, Body] = {}
        self._made: dict[str, str] = {}
        self._told: set[str] = set()
        self._resting: dict[str, float] = {}
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="load-balancers", daemon=True)

    def start(self) -> None:
        """Bring up what is recorded, and follow the records from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End all of them at once."""
        self._ended.set()
        self._changed.set()
        self._thread.join()
        for body in self._bodies.values():
            body.stop()

    def wake(self) -> None:
        """Look at the records soon."""
        self._changed.set()

    def bodies(self) -> list[Body]:
        """Those that run."""
        return [body for body in list(self._bodies.values()) if body.running]

    def runs(self, balancer_id: str) -> bool:
        """Whether a load balancer carries traffic."""
        body = self._bodies.get(balancer_id)
        return body is not None and body.running

    def finding(self, balancer_id: str, pool: str, target_id: str) -> Finding | None:
        """How a target stands, None when it is not there."""
        body = self._bodies.get(balancer_id)
        return body.finding(pool, target_id) if body is not None else None

    def leaving(self, balancer_id: str, pool: str) -> list[str]:
        """The targets of a pool that are draining."""
        body = self._bodies.get(balancer_id)
        return body.leaving(pool) if body is not None else []

    def guarded(self) -> list[Member]:
        """Their addresses with the groups that guard them, for the firewall."""
        return [
            Member(one.id, one.address, (OPEN.id,) if one.groups is None else one.groups)
            for one in self._recorded()
        ]

    def addresses(self) -> dict[str, IPv4Address]:
        """DNS name -> address, of each one recorded."""
        return {one.dns_name: one.address for one in self._recorded()}

    def documents(self) -> list[dict[str, Any]]:
        """What `local.status` says of them."""
        return [
            {"name": one.name, "type": one.kind, "address": str(one.address), "dns_name": one.dns_name}
            for one in self._recorded()
        ]

    def _recorded(self) -> list[Balancer]:
        return [wanted.balancer for source in self._sources for wanted in source()]

    def _follow(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(_TICK_SECONDS)
            self._changed.clear()
            # The records change under us now and then; the next look sees them whole.
            with suppress(RuntimeError):
                self._make_true([wanted for source in self._sources for wanted in source()])

    def _make_true(self, wanted: list[Wanted]) -> None:
        there = {one.balancer.id for one in wanted}
        for balancer_id in [known for known in self._bodies if known not in there]:
            self._bodies.pop(balancer_id).stop()
        for one in wanted:
            rested = time.monotonic() >= self._resting.get(one.balancer.id, 0)
            if rested and not self._ended.is_set():
                self._guard(one.balancer, lambda one=one: self._apply(one))  # type: ignore[misc]
        for body in list(self._bodies.values()):
            if body.balancer is not None:
                self._guard(body.balancer, body.tick)

    def _apply(self, wanted: Wanted) -> None:
        balancer = wanted.balancer
        body = self._bodies.get(balancer.id)
        if body is None:
            body = self._bodies[balancer.id] = Body(
                self._network,
                self._site.home / "load-balancers" / balancer.id,
                ControlGroup(ControlGroup.of(self._site).path / balancer.id),
                self._follow_log,
            )
        elif body.has_ended:
            self._notice(f"the load balancer {balancer.name} had ended by itself; it is started again")
        body.apply(balancer, wanted.members, self._certificates(balancer))

    def _certificates(self, balancer: Balancer) -> Mapping[str, str]:
        found = {}
        for listener in balancer.listeners:
            if listener.certificate:
                pem = self._certificate(listener.certificate) or self._made.get(balancer.dns_name)
                if pem is None:
                    pem = self._made[balancer.dns_name] = made_for(balancer.dns_name)
                found[certificate_file(listener.certificate)] = pem
        return found

    def _guard(self, balancer: Balancer, act: Callable[[], None]) -> None:
        """One load balancer's trouble is told once and does not keep others from their work."""
        try:
            act()
        except (LocalCloudError, OSError) as why:
            self._resting[balancer.id] = time.monotonic() + _REST_SECONDS
            text = f"load balancer {balancer.name}: {why}"
            if text not in self._told:
                self._told.add(text)
                self._notice(text)
