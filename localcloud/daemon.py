"""The daemon: moto behind hooks, machines behind the hooks, and the doors to both."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto import settings

from localcloud import backends, call_record, groups, hooks, identities, interruptions, lb_install, own_accord
from localcloud.balancers import OPEN, Balancers
from localcloud.cgroups import ControlGroup
from localcloud.endpoint import Endpoint, fault_pages
from localcloud.errors import DaemonTrouble, LocalCloudError
from localcloud.faults import Faults
from localcloud.firewall import Firewall
from localcloud.lb_traffic import Log
from localcloud.namespaces import listen_in
from localcloud.network import Network
from localcloud.remains import clean_up
from localcloud.request import Request
from localcloud.site import ACCOUNT, METADATA_ADDRESS, Site, site_from_environment
from localcloud.state import Backends, State

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

    from localcloud.catalog import Catalog
    from localcloud.roster import Roster

# None of moto's own images; it reads this when a backend is made.
_MOTO_SETTINGS = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}

_PATIENCE_AT_THE_END_SECONDS = 20


def serve(site: Site) -> None:
    """Run the local cloud until SIGTERM, then leave nothing behind."""
    os.environ.update(_MOTO_SETTINGS)
    settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True  # its variable is read at import, too early
    hooks.verify()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    with ExitStack() as stack:
        stack.enter_context(_only_one(site))
        network = stack.enter_context(_network(site))
        notice = _notices(site.notices)
        state = _state(site, notice)
        faults, log = Faults(), Log()
        catalog, instances, balancers = _cloud(site, network, state.load(), log, notice, faults)
        works = own_accord.install(site, instances)
        stack.enter_context(state.keeping())
        instances.follow(state.touch)
        instances.follow(lambda: lb_install.forget_ended(site, instances))
        if balancers:
            stack.enter_context(
                _traffic(site, network, instances, balancers, log, state.gate.passing, notice)
            )
        endpoint = _endpoint(site, catalog, instances, balancers, state, faults)
        for server in _servers(site, network, endpoint, instances):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        # Before the servers end: machines that go down still ask who they are, and say that they go.
        stack.callback(instances.end_all, patience_seconds=_PATIENCE_AT_THE_END_SECONDS)
        stack.enter_context(own_accord.running(works, instances, state.gate.passing, notice))
        stopping.wait()


@contextmanager
def _traffic(
    site: Site,
    network: Network,
    instances: Roster,
    balancers: Balancers,
    log: Log,
    passing: Callable[[], AbstractContextManager[None]],
    notice: Callable[[str], None],
) -> Iterator[None]:
    """Load balancers that carry traffic, and the name server that knows them, for a block."""
    with ExitStack() as stack:
        names = lb_install.names(site, network, instances, balancers, notice)
        stack.callback(names.stop)
        instances.follow(names.refresh)
        instances.follow(balancers.wake)
        balancers.start()
        stack.callback(lb_install.now_and_then(site, balancers, names, log, passing))
        stack.callback(balancers.stop)
        yield


@contextmanager
def _only_one(site: Site) -> Iterator[None]:
    site.home.mkdir(parents=True, exist_ok=True)
    with (site.home / "daemon.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as why:
            raise DaemonTrouble("this local cloud runs already", "see `invoke local.status`") from why
        clean_up(site)
        site.pid_file.write_text(str(os.getpid()))
        site.notices.write_text("")
        try:
            yield
        finally:
            site.pid_file.unlink(missing_ok=True)


@contextmanager
def _network(site: Site) -> Iterator[Network]:
    network = Network(site)
    if not site.bodies:
        yield network
        return
    try:
        network.up()
        yield network
    finally:
        ControlGroup.of(site).kill()
        network.down()


def _cloud(
    site: Site, network: Network, saved: Backends, log: Log, notice: Callable[[str], None], faults: Faults
) -> tuple[Catalog, Roster, Balancers | None]:
    from localcloud import ec2, image_api
    from localcloud.catalog import Catalog

    catalog = Catalog(site, notice)
    instances = _roster(site, network, catalog, notice, faults)
    ec2.install(site, instances, faults.zone_is_full)
    image_api.install(catalog, instances)
    balancers = lb_install.install(site, network, instances, log, notice) if site.bodies else None
    backends.give_back(saved)
    catalog.load()
    instances.restore(backends.records(saved))
    if balancers:
        catalog.store.drop_unused_layers(instances.layers_in_use())
        catalog.store.drop_unused_disks()
        instances.follow(_guard(site, network, instances, balancers))
    return catalog, instances, balancers


def _guard(site: Site, network: Network, instances: Roster, balancers: Balancers) -> Callable[[], object]:
    firewall = Firewall(network.filter, (site.gateway, site.dns_address, METADATA_ADDRESS))
    return lambda: firewall.refresh(
        [*groups.members(instances.records()), *balancers.guarded()], [*groups.groups(_ec2(site)), OPEN]
    )


def _roster(
    site: Site, network: Network, catalog: Catalog, notice: Callable[[str], None], faults: Faults
) -> Roster:
    if site.bodies:
        from localcloud.instances import Instances

        return Instances(site, network, catalog.layers_of, notice, faults.machine_dies)
    from localcloud.bodies import Bodiless, Later

    later = Later()
    later.start()
    return Bodiless(later, faults.machine_dies)


def _state(site: Site, notice: Callable[[str], None]) -> State:
    from moto.s3.models import FakeKey

    return State(site.state, FakeKey, backends.collect, notice)


def _ec2(site: Site) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][site.region]


def _servers(site: Site, network: Network, endpoint: Endpoint, instances: Roster) -> list[BaseWSGIServer]:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import WSGIRequestHandler

    try:
        outside = socket.create_server(("127.0.0.1", site.port), backlog=256)
    except OSError as why:
        raise DaemonTrouble(
            f"port {site.port} of 127.0.0.1 is in use", "choose another: export LOCALCLOUD_PORT=8118"
        ) from why
    if not site.bodies:
        return [_server(outside, endpoint, MotoRequestHandler)]
    inside = listen_in(network.vpc, str(site.gateway), site.port)
    metadata = listen_in(network.vpc, str(METADATA_ADDRESS), 80)
    return [
        _server(outside, endpoint, MotoRequestHandler),
        _server(inside, endpoint, MotoRequestHandler),
        _server(metadata, identities.metadata_service(site, instances), WSGIRequestHandler),
    ]


def _endpoint(
    site: Site, catalog: Catalog, instances: Roster, balancers: Balancers | None, state: State, faults: Faults
) -> Endpoint:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from localcloud.ebs import Ebs

    def changed(_: Request) -> None:
        catalog.save()
        instances.changed()

    def status(_: dict[str, Any]) -> dict[str, Any]:
        alive = (record for record in instances.records() if record.state != "terminated")
        return {
            "running": True,
            "name": site.name,
            "endpoint_url": site.endpoint_url,
            "region": site.region,
            "machines": [_machine(record) for record in alive],
            "load_balancers": balancers.documents() if balancers else [],
            "dns": {"address": str(site.dns_address)} if balancers else None,
        }

    record = call_record.CallRecord()
    pages = {
        "/local-cloud/status": status,
        **fault_pages(faults),
        **interruptions.pages(instances),
        **call_record.pages(record),
    }
    moto = DomainDispatcherApplication(create_backend_app)
    ebs = Ebs(catalog)

    def aws(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        app = ebs if ebs.concerns(environ) else moto
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    return Endpoint(aws, state.gate.passing, changed, faults, pages, record.note)


def _server(listening: socket.socket, app: Any, handler: Any) -> BaseWSGIServer:
    from werkzeug.serving import make_server

    class Quiet(handler):  # type: ignore[misc]
        def log_request(self, *_: object) -> None:
            """A line per request is noise here; errors are still logged."""

        def address_string(self) -> str:
            return str(self.client_address[0])

    address, port = listening.getsockname()
    handle = os.dup(listening.fileno())
    listening.close()
    return make_server(address, port, app, threaded=True, request_handler=Quiet, fd=handle)


def _machine(record: Any) -> dict[str, Any]:
    return {
        "instance_id": record.id,
        "state": record.state,
        "private_ip": record.private_ip_address,
        "image_id": record.image_id,
    }


def _notices(path: Path) -> Callable[[str], None]:
    def notice(text: str) -> None:
        with path.open("a") as log:
            log.write(text + "\n")

    return notice


def main() -> int:
    """Serve the site that the environment names."""
    try:
        site = site_from_environment()
        # Whoever started it may remove the folder they were in, and programs that it starts would miss it.
        os.chdir("/")
        serve(site)
    except LocalCloudError as why:
        sys.stderr.write(f"{why}\n  next: {why.hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
