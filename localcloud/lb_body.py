"""A load balancer that carries traffic: its namespace, its HAProxy, and the servers in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from localcloud import lb_render
from localcloud.cgroups import ControlGroup
from localcloud.lb_health import Finding, Phase, phase
from localcloud.lb_model import Balancer, Pool, Target
from localcloud.lb_process import BalancerTrouble, HAProxy, Row
from localcloud.network import Network, Port

_LOOK_AGAIN_SECONDS = 0.2
# An instance that goes down without having been deregistered may finish what it is answering.
_GOING_DOWN_SECONDS = 60

Members = Mapping[str, Mapping[str, Target | None]]
"""Pool's name -> id -> where it is, None for one that is registered but cannot take traffic now."""


@dataclass
class Server:
    """A target as HAProxy knows it. Times are of the monotonic clock."""

    name: str
    pool: Pool
    target: Target
    since: float = field(default_factory=time.monotonic)
    settled: bool = False
    leaves_by: float | None = None

    @property
    def backend(self) -> str:
        """The backend it is in."""
        return self.pool.backend(self.target.zone)

    @property
    def path(self) -> str:
        """How commands name it."""
        return f"{self.backend}/{self.name}"


class Body:
    """One load balancer, running. Its methods may be called from several threads."""

    def __init__(
        self, network: Network, folder: Path, cgroup: ControlGroup, follow_log: Callable[[Body, int], None]
    ) -> None:
        self._network = network
        self._folder = folder
        self._cgroup = cgroup
        self._follow_log = follow_log
        self._lock = threading.RLock()
        self._serial = count(1)
        self._servers: list[Server] = []
        self._shown_leaving: dict[tuple[str, str], float] = {}
        self._haproxy: HAProxy | None = None
        self._config = ""
        self._stats: dict[tuple[str, str], Row] = {}
        self._looked = 0.0
        self.balancer: Balancer | None = None

    @property
    def running(self) -> bool:
        """Whether its HAProxy is there."""
        return self._haproxy is not None and self._haproxy.running

    @property
    def has_ended(self) -> bool:
        """Whether its HAProxy was started, and is not there any more."""
        return self._haproxy is not None and not self._haproxy.running

    def apply(self, balancer: Balancer, members: Members, certificates: Mapping[str, str]) -> None:
        """Have it be as described, without dropping a connection that may stay. Raises LocalCloudError."""
        with self._lock:
            if not self.running:
                self._start(balancer, certificates)
            elif balancer != self.balancer:
                self._reload(balancer, certificates)
            self.balancer = balancer
            for pool in balancer.pools:
                self._follow_members(pool, members.get(pool.name, {}))

    def tick(self) -> None:
        """Let go of the targets that are done or out of time."""
        with self._lock:
            if not self.running:
                return
            now = time.monotonic()
            leaving = [server for server in self._servers if server.leaves_by is not None]
            stats = self._running().servers() if leaving else {}
            for server in leaving:
                late = now >= (server.leaves_by or 0)
                busy = stats.get((server.backend, server.name), {}).get("scur", "0") != "0"
                if late or not busy:
                    self._remove(server, end_sessions=late)
            self._shown_leaving = {key: end for key, end in self._shown_leaving.items() if end > now}

    def stop(self) -> None:
        """End it and remove its namespace and files."""
        with self._lock:
            if self._haproxy is not None:
                self._haproxy.stop()
            if self.balancer is not None:
                self._network.unplug(self._port(self.balancer))
            self._haproxy = None
            self._servers = []

    def finding(self, pool: str, target_id: str) -> Finding | None:
        """How a target of a pool stands, None when it is not there."""
        with self._lock:
            found = [one for one in self._servers if one.pool.name == pool and one.target.id == target_id]
            here = [server for server in found if server.leaves_by is None]
            if here:
                return self._finding(here[0])
            if found or (pool, target_id) in self._shown_leaving:
                return Finding(Phase.DRAINING)
            return None

    def leaving(self, pool: str) -> list[str]:
        """The targets of a pool that are draining."""
        with self._lock:
            ids = [one.target.id for one in self._servers if one.pool.name == pool and one.leaves_by]
            ids += [target for name, target in self._shown_leaving if name == pool]
            return sorted(set(ids))

    def zone_of(self, server_name: str) -> str:
        """The zone of the target that a line of the log names, empty when it is gone."""
        return next((one.target.zone for one in self._servers if one.name == server_name), "")

    def standing(self) -> list[tuple[str, str, str, Phase]]:
        """Pool, target, zone and how it stands, of every target that is not leaving."""
        with self._lock:
            here = [server for server in self._servers if server.leaves_by is None]
            return [(one.pool.name, one.target.id, one.target.zone, self._finding(one).phase) for one in here]

    def _start(self, balancer: Balancer, certificates: Mapping[str, str]) -> None:
        if self._haproxy is not None:
            self._haproxy.stop()
        self._servers = []
        port = self._port(balancer)
        self._network.plug(port)
        self._haproxy = HAProxy(self._folder, self._network.namespace(port.machine), self._new_group())
        self.balancer = balancer
        self._config = lb_render.config(balancer, self._folder, {})
        log = self._haproxy.start(self._config, {**lb_render.files(balancer), **certificates})
        self._follow_log(self, log)

    def _reload(self, balancer: Balancer, certificates: Mapping[str, str]) -> None:
        config = lb_render.config(balancer, self._folder, {})
        pools = {pool.name: pool for pool in balancer.pools}
        stay = []
        for server in self._servers:
            pool = pools.get(server.pool.name)
            if server.leaves_by is None and pool and (not pool.zones or server.target.zone in pool.zones):
                server.pool = pool
                stay.append(server)
        if config != self._config:
            servers = {name: [(s.name, s.target) for s in stay if s.pool.name == name] for name in pools}
            begun = lb_render.config(balancer, self._folder, servers)
            self._running().reload(begun, {**lb_render.files(balancer), **certificates})
            # What was leaving stays with the worker before, which ends with its last connection.
            self._servers, self._config = stay, config

    def _follow_members(self, pool: Pool, members: Mapping[str, Target | None]) -> None:
        here = {
            one.target.id: one for one in self._servers if one.pool.name == pool.name and not one.leaves_by
        }
        for target_id, server in here.items():
            if target_id not in members:
                self._leave(server, pool.drain_seconds, show=True)
            elif members[target_id] != server.target:
                self._leave(server, _GOING_DOWN_SECONDS, show=False)
        for target_id, target in members.items():
            if target is not None and (target_id not in here or here[target_id].target != target):
                self._add(pool, target)

    def _add(self, pool: Pool, target: Target) -> None:
        """A new server begins as down: with no weight until it is, lest a request comes in between."""
        server = Server(f"{target.id}.{next(self._serial)}", pool, target)
        words = " ".join(lb_render.server_words(pool, target))
        said = self._running().ask(
            f"add server {server.path} {words} weight 0",
            f"set server {server.path} state ready",
            f"set server {server.path} health down",
            f"enable health {server.path}",
            f"set server {server.path} weight 1",
        )
        if "registered" not in said:
            raise BalancerTrouble(f"HAProxy did not take {server.path}: {said.strip()}")
        self._servers.append(server)
        self._shown_leaving.pop((pool.name, target.id), None)

    def _leave(self, server: Server, seconds: float, *, show: bool) -> None:
        server.leaves_by = time.monotonic() + seconds
        if show and self.balancer is not None and self.balancer.kind != "classic":
            self._shown_leaving[server.pool.name, server.target.id] = server.leaves_by
        if seconds:
            self._running().ask(f"set server {server.path} state drain")
        else:
            self._remove(server, end_sessions=True)

    def _remove(self, server: Server, *, end_sessions: bool) -> None:
        said = self._running().ask(
            f"set server {server.path} state maint",
            *([f"shutdown sessions server {server.path}"] if end_sessions else []),
            f"del server {server.path}",
        )
        if "deleted" in said or "No such server" in said:
            self._servers.remove(server)

    def _finding(self, server: Server) -> Finding:
        row = self._look().get((server.backend, server.name))
        if row is None:
            return Finding(Phase.REGISTERING)
        age = time.monotonic() - server.since
        outcome = row["check_status"]
        stands = phase(row["status"], outcome, age, server.pool.check, settled=server.settled)
        server.settled = server.settled or stands in (Phase.HEALTHY, Phase.UNHEALTHY)
        return Finding(stands, outcome, row["check_code"])

    def _look(self) -> dict[tuple[str, str], Row]:
        if not self.running:
            return {}
        if time.monotonic() - self._looked > _LOOK_AGAIN_SECONDS:
            self._stats = self._running().servers()
            self._looked = time.monotonic()
        return self._stats

    def _running(self) -> HAProxy:
        if self._haproxy is None:
            raise BalancerTrouble("the load balancer does not run")
        return self._haproxy

    def _new_group(self) -> ControlGroup:
        return ControlGroup(self._cgroup.path.parent).child(self._cgroup.path.name)

    def _port(self, balancer: Balancer) -> Port:
        return Port(balancer.id, balancer.address, balancer.mac)
