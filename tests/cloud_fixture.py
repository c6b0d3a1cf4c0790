"""A local cloud of the tests' own, for all that are marked `machines`; nothing of it outlives the session."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aws.instance import Instance
    from aws.session import Cloud
    from bake.machine import Machine
    from localcloud.site import Site

ROOT = Path(__file__).parent.parent
RUN_TAG = "amibake:run"
KEY_NAME = "amitest"


@dataclass(frozen=True)
class Desk:
    """The tests' cloud, and how its machines are launched, reached and left."""

    site: Site
    cloud: Cloud
    key: Any

    def launch(self, image_id: str = "", count: int = 1, **more: Any) -> tuple[Instance, ...]:
        """Running instances of an image (Debian 13 by default), ended with the session at the latest."""
        from aws.instance import wait_running

        return wait_running(self.cloud, self.ask(image_id, count, **more))

    def ask(self, image_id: str = "", count: int = 1, **more: Any) -> tuple[str, ...]:
        """Ask for instances and return their ids at once."""
        from aws.instance import Launch, launch
        from aws.place import find_place

        place = find_place(self.cloud)
        wanted = {
            "instance_type": "t3.small",
            "subnet_id": place.subnet_id,
            "key_name": KEY_NAME,
            "tags": {"Name": "amitest"},
            **more,
        }
        return launch(self.cloud, Launch(image_id=image_id or self.debian, **wanted), count)

    @property
    def debian(self) -> str:
        """The id of the public Debian 13 image."""
        from bake.image import public

        return public(self.cloud, "debian-13", "x86_64").id

    def machine(self, instance: Instance) -> Any:
        """A root shell on an instance, as a context manager."""
        from bake.ssh import Login, wait_for_ssh

        return wait_for_ssh(Login(instance.address, "admin", pkey=self.key.private), 60)

    def describe(self, instance_id: str) -> Any:
        """What EC2 says of an instance."""
        from aws.instance import describe

        return describe(self.cloud, [instance_id])[0]

    def wait_for(self, instance_id: str, state: str, budget_seconds: float = 60) -> Any:
        """The description of an instance once it is in a state."""
        from aws.patience import Patience, wait_for

        def look() -> Any:
            described = self.describe(instance_id)
            return described if described["State"]["Name"] == state else None

        return wait_for(f"{instance_id}: becoming {state}", look, Patience(0.1, budget_seconds))

    def terminate(self, *instances: Instance) -> None:
        """End instances that no other test wants, so that they take no memory from those of others."""
        from aws.instance import terminate

        terminate(self.cloud, [one.id for one in instances])


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Where the tests' cloud lives."""
    with site_of_its_own() as where:
        yield where


@contextmanager
def site_of_its_own(*, bodies: bool = True) -> Iterator[Site]:
    """A local cloud for a block, not up yet; at the end it must have left no trace on this computer."""
    from localcloud import control
    from localcloud.site import Site

    forwarding, alone = Path("/proc/sys/net/ipv4/ip_forward"), not _raised()
    before = forwarding.read_text()
    # Its sockets' paths must be short, which pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="amitest-") as home:
        with slot() as number:
            network = IPv4Network(f"10.{200 + number}.0.0/16")
            where = Site(f"amitest{number}", Path(home), network=network, port=8130 + number, bodies=bodies)
            try:
                yield where
            finally:
                control.down(where)
            assert traces(where) == []
        # Other clouds on this computer, such as those of tests in parallel, may need it still.
        assert not alone or _raised() or forwarding.read_text() == before


@contextmanager
def slot() -> Iterator[int]:
    """A number that no other run of the tests on this computer has now."""
    for number in range(20):
        with Path(tempfile.gettempdir(), f"amibake-tests-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    pytest.fail("twenty runs of the tests are under way on this computer")


@pytest.fixture(scope="session")
def desk(site: Site) -> Desk:
    """The tests' cloud, up, with a launch key known to it."""
    from aws.keys import SshKey
    from aws.session import connect
    from localcloud import control, needs

    needs.ensure(lambda _: None)
    control.up(site)
    with environment(site):
        cloud = connect()
    key = SshKey.generate()
    cloud.ec2.import_key_pair(KeyName=KEY_NAME, PublicKeyMaterial=key.public.encode())
    _let_the_desk_in(cloud, site)
    return Desk(site, cloud, key)


def _let_the_desk_in(cloud: Cloud, site: Site) -> None:
    """Machines launched without groups get the default one, which lets nobody in from outside, as on AWS."""
    cloud.ec2.authorize_security_group_ingress(
        GroupName="default", IpProtocol="-1", CidrIp=f"{site.desk_address}/32"
    )


@pytest.fixture(scope="session")
def cloud(desk: Desk) -> Cloud:
    """Clients of the tests' cloud."""
    return desk.cloud


@pytest.fixture(scope="session")
def debian(desk: Desk) -> Instance:
    """A Debian machine that tests share and leave running, with its files as they found them."""
    (instance,) = desk.launch(tags={"Name": "shared"})
    return instance


@pytest.fixture(scope="session")
def debian_machine(desk: Desk, debian: Instance) -> Iterator[Machine]:
    """A root shell on the shared Debian machine; the tests that reboot machines have their own."""
    with desk.machine(debian) as machine:
        machine.run("cloud-init status --wait", timeout_seconds=120)
        yield machine


@pytest.fixture
def at_the_cloud(desk: Desk) -> Iterator[None]:
    """The environment aims at the tests' cloud for one test."""
    with environment(desk.site):
        yield


def invoke(*argv: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run an invoke task in a process of its own, as from a shell."""
    command = [str(Path(sys.executable).parent / "invoke"), *argv]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def env(desk: Desk) -> dict[str, str]:
    """The environment of the tests' local cloud, with a shelf of the tests' own."""
    with environment(desk.site):
        return {**os.environ, "AMIBAKE_STATE": str(desk.site.home / "shelf")}


@pytest.fixture(scope="session")
def baked(env: dict[str, str]) -> dict[str, Any]:
    """The document of a first bake, of the image that nodes of several tests are launched from."""
    done = invoke("bake", "--json", env=env)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@contextmanager
def environment(site: Site) -> Iterator[None]:
    """Aim boto3 and the desk's tasks in this process, and its children, at a site for a block."""
    ours = {
        **site.environment,
        "LOCALCLOUD_NAME": site.name,
        "LOCALCLOUD_HOME": str(site.home),
        "LOCALCLOUD_NETWORK": str(site.network),
        "LOCALCLOUD_PORT": str(site.port),
        "LOCALCLOUD_CACHE": str(site.cache),
    }
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in ours.items():
            patch.setenv(name, value)
        yield


def leftovers(cloud: Cloud) -> list[str]:
    """Whatever temporary thing of a run is still there: each kind that a bake or a verification makes."""
    tagged: Any = [{"Name": "tag-key", "Values": [RUN_TAG]}]
    reservations = cloud.ec2.describe_instances(Filters=tagged)["Reservations"]
    found = [
        one["InstanceId"]
        for group in reservations
        for one in group["Instances"]
        if one["State"]["Name"] != "terminated"
    ]
    found += [one["KeyName"] for one in cloud.ec2.describe_key_pairs(Filters=tagged)["KeyPairs"]]
    found += [one["GroupId"] for one in cloud.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]]
    named = [one["RoleName"] for one in cloud.iam.list_roles()["Roles"]]
    named += [one["InstanceProfileName"] for one in cloud.iam.list_instance_profiles()["InstanceProfiles"]]
    named += [one["Name"] for one in cloud.s3.list_buckets()["Buckets"]]
    return found + [name for name in named if name.startswith("amibake-")]


def traces(site: Site) -> list[str]:
    """What of a site is on this computer: namespaces, links, rules, control groups, mounts, processes."""
    from localcloud.cgroups import ControlGroup
    from localcloud.process import run

    found = [f"namespace {name}" for name in run(["ip", "netns", "list"]).split() if _of(site, name)]
    found += [f"link {line}" for line in run(["ip", "-o", "link"]).splitlines() if f" {site.name}-" in line]
    found += [f"rules {line}" for line in run(["nft", "list", "tables"]).splitlines() if site.name in line]
    found += [f"route {line}" for line in run(["ip", "route"]).splitlines() if f" {site.name}-" in line]
    group = ControlGroup.of(site).path
    found += [f"control group {group}"] if group.exists() else []
    found += [f"setting {path.parent.name}" for path in _raised() if path.name == f"site-{site.name}"]
    return found + _in_processes(site)


def _raised() -> list[Path]:
    """Which settings of this computer are raised, and for whom."""
    return list(Path("/run/amibake").glob("*/site-*"))


def _in_processes(site: Site) -> list[str]:
    """Processes that carry the site's home in their command line, and mounts of it in any namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        for what, shown in (("cmdline", "process"), ("mounts", "mount in process"), ("environ", "process")):
            with _gone_is_fine():
                if str(site.home).encode() in (process / what).read_bytes():
                    found.append(f"{shown} {process.name}")
    return found


def _of(site: Site, namespace: str) -> bool:
    return namespace.startswith(f"{site.name}-")


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except OSError:
        return
