"""A local cloud of the benchmark's own, empty at first and gone at the end, and the way to its machines."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws.instance import Launch, describe, launched
from aws.keys import SshKey
from aws.place import find_place
from aws.session import Cloud, connect
from bake import image as images
from bake.errors import SshUnreachable
from bake.ssh import Login
from bake.ssh import connect as log_in
from bench.errors import BenchError
from localcloud import control, needs
from localcloud.site import Site, site_from_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from bake.image import Image
    from bake.machine import Machine

ROOT = Path(__file__).parent.parent.parent
USER = "admin"
_KEY_NAME = "bench"
_LOOK_SECONDS = 0.02
_BOOT_SECONDS = 180


@dataclass(frozen=True)
class Ground:
    """Where a benchmark happens: its cloud, a key that its machines know, and a folder for what it needs."""

    site: Site
    cloud: Cloud
    folder: Path
    key: SshKey
    key_file: Path
    environment: Mapping[str, str]
    """For processes: this repository's code, at this cloud."""
    say: Callable[[str], None]

    @property
    def debian(self) -> Image:
        """The public image that everything starts from."""
        return images.public(self.cloud, "debian-13", "x86_64")

    def login(self, address: str) -> Login:
        """The way in to a machine."""
        return Login(address, USER, pkey=self.key.private)

    @contextmanager
    def machines(self, image_id: str, count: int = 1) -> Iterator[tuple[str, ...]]:
        """Instances for a block. Yields their addresses at once; they are only starting."""
        wanted = Launch(
            image_id=image_id,
            instance_type="t3.small",
            subnet_id=find_place(self.cloud).subnet_id,
            tags={"Name": "bench"},
            key_name=_KEY_NAME,
        )
        with launched(self.cloud, wanted, count) as ids:
            yield tuple(one["PrivateIpAddress"] for one in describe(self.cloud, ids))

    @contextmanager
    def reached(self, address: str) -> Iterator[Machine]:
        """A login as soon as there is one; asked for far more often than a bake would."""
        deadline = time.monotonic() + _BOOT_SECONDS
        with ExitStack() as stack:
            machine = None
            while machine is None:
                try:
                    machine = stack.enter_context(log_in(self.login(address)))
                except SshUnreachable:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_LOOK_SECONDS)
            yield machine


@dataclass(frozen=True)
class Records:
    """A cloud of records alone, and two public images, that nothing is of."""

    root: Path
    images: tuple[str, str]
    say: Callable[[str], None]


@contextmanager
def records(say: Callable[[str], None]) -> Iterator[Records]:
    """A cloud without machines for a block. Raises BenchError when there is one of that name."""
    site = replace(_unused(), bodies=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amibench-")))
        stack.enter_context(_up(site, folder))
        cloud = connect()
        old, new = (images.public(cloud, one, "x86_64").id for one in ("debian-12", "debian-13"))
        yield Records(ROOT, (old, new), say)


@contextmanager
def ground(say: Callable[[str], None]) -> Iterator[Ground]:
    """A cloud and all that belongs to it, for a block. Raises BenchError when there is one of that name."""
    needs.ensure(say)
    site = _unused()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amibench-")))
        stack.enter_context(_up(site, folder))
        cloud, key = connect(), SshKey.generate()
        cloud.ec2.import_key_pair(KeyName=_KEY_NAME, PublicKeyMaterial=key.public.encode())
        # Machines launched without groups are in the default one, which lets nobody in from outside.
        cloud.ec2.authorize_security_group_ingress(
            GroupName="default", IpProtocol="-1", CidrIp=f"{site.desk_address}/32"
        )
        yield Ground(site, cloud, folder, key, key.write(folder / "key"), dict(os.environ), say)


@contextmanager
def _up(site: Site, folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(_environment(site, folder))
        stack.callback(shutil.rmtree, site.home, ignore_errors=True)
        stack.callback(control.down, site)
        control.up(site)
        yield


def _unused() -> Site:
    site = _site()
    if control.status(site)["running"] or site.home.exists():
        raise BenchError(
            f"the local cloud {site.name} is in use, and a benchmark wants an empty one",
            f"end it first, or name another with LOCALCLOUD_NAME, _HOME, _NETWORK, _PORT (see {site.home})",
        )
    return site


def _site() -> Site:
    if "LOCALCLOUD_NAME" in os.environ:
        return site_from_environment()
    return Site("amibench", Path("/var/lib/amibench"), network=IPv4Network("10.150.0.0/16"), port=8150)


@contextmanager
def _environment(site: Site, folder: Path) -> Iterator[None]:
    before = dict(os.environ)
    ours: dict[str, Any] = {
        **site.environment,
        "LOCALCLOUD_NAME": site.name,
        "LOCALCLOUD_HOME": site.home,
        "LOCALCLOUD_CACHE": site.cache,
        "LOCALCLOUD_NETWORK": site.network,
        "LOCALCLOUD_PORT": site.port,
        "LOCALCLOUD_BODIES": "machines" if site.bodies else "none",
        "AMIBAKE_STATE": folder / "state",
        "PYTHONPATH": ROOT,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    os.environ.update({name: str(value) for name, value in ours.items()})
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "INVOKE_CLOUD"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
