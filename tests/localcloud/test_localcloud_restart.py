"""What a local cloud remembers when it was down: a cloud of its own, so that no other test's machines end."""

from __future__ import annotations

import pytest
from cloud_fixture import environment, site_of_its_own, traces

from aws.instance import Launch, launch, wait_running
from aws.patience import Patience
from aws.place import find_place
from aws.session import connect
from bake import image as images
from localcloud import control

pytestmark = pytest.mark.machines


def test_images_their_tags_and_machines_survive() -> None:
    with site_of_its_own() as site:
        control.up(site)
        with environment(site):
            cloud = connect()
        base = images.public(cloud, "debian-13", "x86_64")
        wanted = Launch(base.id, "t3.small", find_place(cloud).subnet_id, {"Name": "x"})
        (source,) = wait_running(cloud, launch(cloud, wanted))
        made = cloud.ec2.create_image(InstanceId=source.id, Name="lasting", NoReboot=True)["ImageId"]
        images.wait_available(cloud, made, Patience(0.1, 60))
        cloud.ec2.create_tags(Resources=[made], Tags=[{"Key": images.STATE, "Value": images.VERIFIED}])
        assert control.down(site) == [source.id]
        assert traces(site) == []
        control.up(site)
        (found,) = cloud.ec2.describe_images(ImageIds=[made])["Images"]
        assert (found["Name"], found["State"]) == ("lasting", "available")
        assert images.Image.of(found).state == images.VERIFIED
        (same,) = wait_running(cloud, (source.id,))
        assert same.address == source.address
        assert images.public(cloud, "debian-13", "x86_64") == base
        (again,) = wait_running(
            cloud, launch(cloud, Launch(made, "t3.small", find_place(cloud).subnet_id, {"Name": "x"}))
        )
        assert again.id
