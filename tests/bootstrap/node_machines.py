"""Nodes for the machine tests: Debian with this room on it and a small web server, without a bake."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOM = Path(__file__).parents[2] / "bootstrap"
SETTINGS = """
services = ["web.service"]
health_url = "http://127.0.0.1/health"
health_budget_seconds = 20
[inputs.BUCKET]
default = "ignore"
[inputs.MESSAGE]
default = "text:none"
[[render]]
template = "/etc/amibake/message.tmpl"
target = "/srv/www/message"
"""
WEB = """
[Service]
ExecStart=/usr/bin/python3 -m http.server 80 --directory /srv/www
ExecReload=/bin/kill -0 $MAINPID
"""
# As the image's spec does it: files in their places, the interpreter where the scripts look for it.
INSTALL = """
set -e
mkdir -p /opt/amibake/venv/bin /etc/amibake /srv/www
tar -C / --no-same-owner -xf /home/admin/room.tar
ln -sf /usr/bin/python3 /opt/amibake/venv/bin/python
ln -sf /opt/amibake/bootstrap/node-bootstrap /usr/local/bin/node-bootstrap
echo well > /srv/www/health
echo 'message: ${MESSAGE}' > /etc/amibake/message.tmpl
systemctl daemon-reload
systemctl enable -q node-bootstrap node-decommission
"""
# A script that ends the run it is part of, once: what a crash, or an impatient person, does.
CRASH = """#!/bin/sh
# ---
# RightScript Name: Crash once
# ...
test -e /var/lib/crash || exit 0
rm /var/lib/crash
kill -KILL $PPID
"""
SLOW = """#!/bin/sh
# ---
# RightScript Name: Take three seconds
# ...
sleep 3
"""
REBOOT = """#!/bin/sh
# ---
# RightScript Name: Reboot in the middle of the first boot
# ...
test ! -e /var/lib/rebooted || exit 0
touch /var/lib/rebooted
sync
systemctl reboot
sleep 60
"""
# A script that takes until it is let go: a boot as long as a test wants it.
HOLD = """#!/bin/sh
# ---
# RightScript Name: Hold until told
# ...
for _ in $(seq 600); do test -e /var/lib/go && exit 0; sleep 0.2; done
exit 1
"""
EXTRA = {"hold": HOLD, "crash": CRASH, "slow": SLOW, "reboot": REBOOT}
BOOT = ("hostname", "metrics", "cache-volume", "configure", "apache", "warm-cache", "register")


@dataclass(frozen=True)
class Cluster:
    """Nodes of one image, a classic load balancer for them, and the faults of the cloud they are in."""

    desk: Any
    image_id: str
    profile: str
    group: str

    @property
    def elb(self) -> Any:
        """The classic load balancers of the cloud."""
        return boto3.client("elb")

    def launch(self, inputs: dict[str, str], lists: dict[str, list[str]] | None = None, **more: Any) -> Any:
        """A running node."""
        from aws.userdata import node_user_data

        told = {
            "user_data": node_user_data(inputs, lists),
            "profile": self.profile,
            "group_ids": (self.group,),
            **more,
        }
        (node,) = self.desk.launch(more.pop("image_id", self.image_id), **told)
        return node

    def health(self, balancer: str, instance_id: str) -> str:
        """How a node stands with a load balancer, empty when it is not registered."""
        found = self.elb.describe_instance_health(LoadBalancerName=balancer)["InstanceStates"]
        return next((one["State"] for one in found if one["InstanceId"] == instance_id), "")

    def tags(self, instance_id: str) -> dict[str, str]:
        """What a node says of itself in its tags."""
        tags = self.desk.describe(instance_id).get("Tags", [])
        return {one["Key"]: one["Value"] for one in tags if one["Key"].startswith("bootstrap:")}

    def wait_for_state(self, instance_id: str, *states: str, budget_seconds: float = 120) -> str:
        """The state of a node, once it is one of these."""
        from aws.patience import Patience, wait_for

        def look() -> str | None:
            state = self.tags(instance_id).get("bootstrap:state")
            return state if state in states else None

        return wait_for(f"{instance_id}: {' or '.join(states)}", look, Patience(0.3, budget_seconds))

    def refuse(self, action: str, count: int, code: str = "", nth: int = 1) -> None:
        """Let so many calls of an action fail, from the nth on; throttled, unless there is a code."""
        from localcloud.control import fault

        fault(self.desk.site, {"refuse": {"action": action, "code": code, "nth": nth, "count": count}})

    def heal(self) -> None:
        """Let everything go well again."""
        from localcloud.control import fault

        fault(self.desk.site, {"clear": True})

    def calls(self, since: float) -> list[dict[str, Any]]:
        """Who called what since a Unix time, by the cloud's own record."""
        from localcloud.control import calls

        return calls(self.desk.site, since)

    @contextmanager
    def counted(self, *actions: str) -> Iterator[Callable[[], dict[str, int]]]:
        """Count calls of actions for a block."""
        from localcloud.control import fault

        far = 100_000
        for action in actions:
            fault(self.desk.site, {"refuse": {"action": action, "code": "", "nth": far, "count": 1}})

        def count() -> dict[str, int]:
            left = fault(self.desk.site, {})["refused"]
            return {one["action"]: far - one["nth"] for one in left if one["nth"] > far // 2}

        yield count
        self.heal()


@pytest.fixture(scope="session")
def cluster(desk: Any) -> Iterator[Cluster]:
    """An image with this room on it, and a role that may do what the room's policy says."""
    from cloud_fixture import environment

    from aws import temporary

    with environment(desk.site):
        (builder,) = desk.launch(tags={"Name": "bootstrap"})
        with desk.machine(builder) as machine:
            install(machine)
        name = unique("bootstrap")
        image = desk.cloud.ec2.create_image(InstanceId=builder.id, Name=name)["ImageId"]
        desk.cloud.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
        desk.terminate(builder)
        temporary.create_profile(desk.cloud, name, {}, temporary.node_policy("*", log_group="nodes-*"))
        yield Cluster(desk, image, name, _group(desk, name))
        temporary.delete_profile(desk.cloud, name)
        desk.cloud.ec2.deregister_image(ImageId=image)


def _group(desk: Any, name: str) -> str:
    """A group that lets in the desk, and the load balancers' health checks."""
    ec2 = desk.cloud.ec2
    made = ec2.create_security_group(GroupName=name, Description="nodes")["GroupId"]
    for source in (f"{desk.site.desk_address}/32", str(desk.site.network)):
        ec2.authorize_security_group_ingress(GroupId=made, IpProtocol="-1", CidrIp=source)
    return str(made)


@pytest.fixture
def balancer(cluster: Cluster) -> Iterator[str]:
    """A classic load balancer that checks each second or as often as it may."""
    from aws.place import find_place

    place, name = find_place(cluster.desk.cloud), unique("web")
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    cluster.elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], Subnets=[place.subnet_id])
    check = {"Target": "HTTP:80/health", "Interval": 5, "Timeout": 2}
    cluster.elb.configure_health_check(
        LoadBalancerName=name, HealthCheck={**check, "HealthyThreshold": 2, "UnhealthyThreshold": 2}
    )
    drained = {"ConnectionDraining": {"Enabled": True, "Timeout": 1}}
    cluster.elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes=drained)
    yield name
    cluster.elb.delete_load_balancer(LoadBalancerName=name)


def install(machine: Any) -> None:
    """Put this room onto a machine, with its scripts and those that make trouble."""
    machine.put(_archive(), "room.tar")
    machine.run("cloud-init status --wait", timeout_seconds=120)
    done = machine.run(INSTALL, timeout_seconds=60)
    assert done.ok, done.output


def boot(machine: Any, *arguments: str, seconds: float = 300) -> dict[str, Any]:
    """`node-bootstrap boot` in the environment that systemd gives it, as JSON; stranded or not."""
    command = " ".join(("boot", "--json", *arguments))
    done = machine.run(f". /etc/profile; node-bootstrap {command} 2>/tmp/said", timeout_seconds=seconds)
    return dict(json.loads(done.stdout))


def changed(document: dict[str, Any]) -> list[str]:
    """Everything that the scripts of a boot changed."""
    return [what for one in document["scripts"] for what in one["changed"]]


def unique(word: str) -> str:
    """A name that no other test uses."""
    return f"{word}-{time.time_ns() % 10**9}"


def _archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for path in sorted(ROOM.rglob("*")):
            inside = path.relative_to(ROOM)
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            folder = "opt/amibake" if inside.parts[0] == "scripts" else "opt/amibake/bootstrap"
            tar.add(path, f"{folder}/{inside}")
            if path.suffix in (".service", ".timer"):
                tar.add(path, f"etc/systemd/system/{inside}")
        for name, text in EXTRA.items():
            _add(tar, f"opt/amibake/scripts/{name}", text, 0o755)
        _add(tar, "etc/amibake/bootstrap.toml", SETTINGS, 0o644)
        _add(tar, "etc/systemd/system/web.service", WEB, 0o644)
    return held.getvalue()


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), mode
    tar.addfile(entry, io.BytesIO(text.encode()))
