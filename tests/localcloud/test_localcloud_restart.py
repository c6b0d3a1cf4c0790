"""What a local cloud remembers when it was down, or killed: one of its own, so that no other machines end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cloud_fixture import Desk, environment, site_of_its_own, traces

from aws.instance import Instance, Launch, launch, stop, wait_running
from aws.keys import SshKey
from aws.patience import Patience
from aws.place import find_place
from aws.session import Cloud, connect
from bake import image as images
from bake.image import Image
from localcloud import control
from localcloud.site import Site

pytestmark = pytest.mark.machines


@dataclass(frozen=True)
class World:
    """One of each kind of thing that lasts."""

    desk: Desk
    base: Image
    running: Instance
    stopped: Instance
    group: str
    image: str

    @property
    def cloud(self) -> Cloud:
        return self.desk.cloud

    def launch(self, image: str, name: str) -> Instance:
        return _launched(self.cloud, image, self.group, name)


def _launched(cloud: Cloud, image: str, group: str, name: str) -> Instance:
    subnet = find_place(cloud).subnet_id
    wanted = Launch(image, "t3.small", subnet, {"Name": name}, key_name="lasting", group_ids=(group,))
    (made,) = wait_running(cloud, launch(cloud, wanted))
    return made


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with site_of_its_own() as site:
        control.up(site)
        with environment(site):
            cloud = connect()
        key = SshKey.generate()
        cloud.ec2.import_key_pair(KeyName="lasting", PublicKeyMaterial=key.public.encode())
        group = cloud.ec2.create_security_group(GroupName="lasting", Description="x")["GroupId"]
        cloud.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[_ssh(site)])
        cloud.s3.create_bucket(Bucket="lasting")
        cloud.s3.put_object(Bucket="lasting", Key="a/b", Body=b"kept")
        desk = Desk(site, cloud, key)
        base = images.public(cloud, "debian-13", "x86_64")
        running = _launched(cloud, base.id, group, "running")
        with desk.machine(running) as machine:
            machine.run("echo kept > /root/kept; sync")
        image = cloud.ec2.create_image(InstanceId=running.id, Name="lasting", NoReboot=True)["ImageId"]
        images.wait_available(cloud, image, Patience(0.1, 60))
        cloud.ec2.create_tags(Resources=[image], Tags=[{"Key": images.STATE, "Value": images.VERIFIED}])
        stopped = _launched(cloud, image, group, "stopped")
        stop(cloud, stopped.id)
        yield World(desk, base, running, stopped, group, image)


def _ssh(site: Site) -> Any:
    desk = [{"CidrIp": f"{site.desk_address}/32"}]
    return {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": desk}


def taken_down(site: Site) -> None:
    assert control.down(site)
    assert traces(site) == []


def killed(site: Site) -> None:
    os.kill(int(site.pid_file.read_text()), signal.SIGKILL)
    assert not control.status(site)["running"]


@pytest.mark.parametrize("ended", [taken_down, killed])
def test_machines_images_keys_groups_and_buckets_survive(world: World, ended: Callable[[Site], None]) -> None:
    ended(world.desk.site)
    assert control.up(world.desk.site)
    (same,) = wait_running(world.cloud, (world.running.id,))
    assert same.address == world.running.address
    with world.desk.machine(same) as machine:  # by the key and through the rule that were there
        assert machine.run("cat /root/kept").stdout == "kept\n"
    assert world.desk.describe(world.stopped.id)["State"]["Name"] == "stopped"
    (pair,) = world.cloud.ec2.describe_key_pairs(KeyNames=["lasting"])["KeyPairs"]
    assert pair["KeyType"] == "ed25519"
    (group,) = world.cloud.ec2.describe_security_groups(GroupNames=["lasting"])["SecurityGroups"]
    assert group["GroupId"] == world.group
    rules: Any = group["IpPermissions"]
    assert [{key: rule[key] for key in _ssh(world.desk.site)} for rule in rules] == [_ssh(world.desk.site)]
    assert world.cloud.s3.get_object(Bucket="lasting", Key="a/b")["Body"].read() == b"kept"
    (found,) = world.cloud.ec2.describe_images(ImageIds=[world.image])["Images"]
    assert (found["Name"], found["State"]) == ("lasting", "available")
    assert Image.of(found).state == images.VERIFIED
    assert images.public(world.cloud, "debian-13", "x86_64") == world.base


def test_what_was_kept_can_be_used_anew(world: World) -> None:
    again = world.launch(world.image, "again")
    world.cloud.ec2.start_instances(InstanceIds=[world.stopped.id])
    (started,) = wait_running(world.cloud, (world.stopped.id,))
    for one in (again, started):
        with world.desk.machine(one) as machine:
            assert machine.run("cat /root/kept").stdout == "kept\n"
