"""Images come and go: CreateImage, RegisterImage, CopyImage, DeregisterImage, and their snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from image_cloud import ImageCloud, refused


@pytest.fixture
def ec2(image_cloud: ImageCloud) -> Any:
    return image_cloud.client("ec2")


def tagged(**by_kind: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for kind, tags in by_kind.items()
    ]


def of_snapshot(snapshot: str, **ebs: Any) -> dict[str, Any]:
    return {
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, **ebs}}],
    }


def described(ec2: Any, image_id: str) -> dict[str, Any]:
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    return dict(image)


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def test_an_image_is_pending_until_the_machine_is_captured(image_cloud: ImageCloud, ec2: Any) -> None:
    image_cloud.machines.may_finish.clear()
    made = ec2.create_image(InstanceId=image_cloud.instance(), Name="slow")["ImageId"]
    snapshot = image_cloud.snapshot_of(made)
    assert described(ec2, made)["State"] == "pending"
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "pending"
    with refused("InvalidAMIID.Unavailable"):
        image_cloud.instance(ImageId=made)
    image_cloud.machines.may_finish.set()
    image_cloud.wait(lambda: described(ec2, made)["State"] == "available")
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed"


def test_an_image_that_cannot_be_captured_fails_and_says_why(image_cloud: ImageCloud, ec2: Any) -> None:
    image_cloud.machines.trouble = "no room on the disk"
    made = described(ec2, image_cloud.image())
    assert made["State"] == "failed"
    assert made["StateReason"]["Message"] == "no room on the disk"
    assert "no room on the disk" in image_cloud.notices[-1]


def test_an_image_keeps_the_block_devices_and_features_of_its_instance(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    base = ec2.register_image(
        Name="arm", Architecture="arm64", BootMode="uefi", ImdsSupport="v2.0", EnaSupport=True,
        VirtualizationType="hvm", **of_snapshot(image_cloud.snapshot_of(image_cloud.image())),
    )["ImageId"]  # fmt: skip
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}},
        {
            "DeviceName": "/dev/sdf",
            "Ebs": {"VolumeSize": 3, "VolumeType": "gp2", "DeleteOnTermination": False},
        },
    ]
    instance = image_cloud.instance(ImageId=base, BlockDeviceMappings=mappings)
    made = described(ec2, ec2.create_image(InstanceId=instance, Name="like its instance")["ImageId"])
    assert (made["Architecture"], made["BootMode"], made["ImdsSupport"]) == ("arm64", "uefi", "v2.0")
    devices = {one["DeviceName"]: one["Ebs"] for one in made["BlockDeviceMappings"]}
    assert (devices["/dev/xvda"]["VolumeSize"], devices["/dev/xvda"]["DeleteOnTermination"]) == (20, True)
    assert (devices["/dev/sdf"]["VolumeSize"], devices["/dev/sdf"]["VolumeType"]) == (3, "gp2")
    assert devices["/dev/sdf"]["DeleteOnTermination"] is False
    assert made["SourceInstanceId"] == instance


def test_image_and_snapshot_carry_their_tags_from_the_creating_call_on(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    made = image_cloud.image(TagSpecifications=tagged(image={"of": "image"}, snapshot={"of": "snapshot"}))
    snapshot = image_cloud.snapshot_of(made)
    assert tags_of(described(ec2, made)) == {"of": "image"}
    assert tags_of(ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]) == {"of": "snapshot"}


def test_a_taken_name_is_refused_by_every_call_that_makes_images(image_cloud: ImageCloud, ec2: Any) -> None:
    made = image_cloud.image("taken")
    with refused("InvalidAMIName.Duplicate", made):
        ec2.create_image(InstanceId=image_cloud.instance(), Name="taken")
    with refused("InvalidAMIName.Duplicate"):
        ec2.register_image(Name="taken", **of_snapshot(image_cloud.snapshot_of(made)))
    with refused("InvalidAMIName.Duplicate"):
        ec2.copy_image(Name="taken", SourceImageId=made, SourceRegion="us-east-1")


def test_a_name_that_ec2_would_not_take_is_refused(image_cloud: ImageCloud, ec2: Any) -> None:
    with refused("InvalidAMIName.Malformed"):
        ec2.create_image(InstanceId=image_cloud.instance(), Name="what:now")


def test_a_registered_image_has_all_that_was_said_of_it(image_cloud: ImageCloud, ec2: Any) -> None:
    snapshot = image_cloud.snapshot_of(image_cloud.image())
    made = ec2.register_image(
        Name="registered", Description="by hand", Architecture="arm64", BootMode="uefi", ImdsSupport="v2.0",
        TpmSupport="v2.0", EnaSupport=True, SriovNetSupport="simple", VirtualizationType="hvm",
        TagSpecifications=tagged(image={"a": "b"}, snapshot={"c": "d"}),
        **of_snapshot(snapshot, VolumeSize=12, VolumeType="gp3", DeleteOnTermination=False),
    )["ImageId"]  # fmt: skip
    image = described(ec2, made)
    wanted = {
        "State": "available", "Name": "registered", "Description": "by hand", "Architecture": "arm64",
        "BootMode": "uefi", "ImdsSupport": "v2.0", "TpmSupport": "v2.0", "EnaSupport": True,
        "SriovNetSupport": "simple", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs", "Public": False,
    }  # fmt: skip
    assert {key: image[key] for key in wanted} == wanted
    (device,) = image["BlockDeviceMappings"]
    assert device["Ebs"] == {
        "SnapshotId": snapshot, "VolumeSize": 12, "VolumeType": "gp3", "DeleteOnTermination": False,
        "Encrypted": False,
    }  # fmt: skip
    assert tags_of(image) == {"a": "b"}
    assert tags_of(ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0])["c"] == "d"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (of_snapshot("snap-00000000000000000"), "InvalidSnapshot.NotFound"),
        (of_snapshot("snap-x"), "InvalidSnapshotID.Malformed"),
        ({"RootDeviceName": "/dev/xvda"}, "InvalidBlockDeviceMapping"),
        ({"ImageLocation": "bucket/image.manifest.xml"}, "Unsupported"),
    ],
)
def test_what_cannot_be_registered_is_refused(ec2: Any, more: dict[str, Any], code: str) -> None:
    with refused(code):
        ec2.register_image(Name="registered", **more)


def test_a_volume_smaller_than_its_snapshot_is_refused(image_cloud: ImageCloud, ec2: Any) -> None:
    with refused("InvalidBlockDeviceMapping", "expect size >= 8GB"):
        ec2.register_image(
            Name="small", **of_snapshot(image_cloud.snapshot_of(image_cloud.image()), VolumeSize=4)
        )


def test_a_snapshot_survives_its_image_and_can_be_registered_and_launched_again(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    first = image_cloud.image()
    snapshot, layers = image_cloud.snapshot_of(first), image_cloud.catalog.layers_of(first)
    ec2.deregister_image(ImageId=first)
    again = ec2.register_image(Name="again", **of_snapshot(snapshot))["ImageId"]
    assert image_cloud.catalog.layers_of(again) == layers
    assert (layers[0] / "made-of").exists()
    assert image_cloud.instance(ImageId=again).startswith("i-")


def test_layers_go_with_the_last_that_needs_them(image_cloud: ImageCloud, ec2: Any) -> None:
    first = image_cloud.image()
    snapshot, (layer, *_) = image_cloud.snapshot_of(first), image_cloud.catalog.layers_of(first)
    copied = ec2.copy_image(Name="copy", SourceImageId=first, SourceRegion="us-east-1")["ImageId"]
    with refused("InvalidSnapshot.InUse", first):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.deregister_image(ImageId=first)
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert layer.exists(), "the copy stands on it"
    image_cloud.machines.in_use = [layer]
    ec2.deregister_image(ImageId=copied, DeleteAssociatedSnapshots=True)
    assert layer.exists(), "a machine stands on it"
    image_cloud.machines.in_use = []
    image_cloud.catalog.store.drop_unused_layers([])
    assert not layer.exists()


def test_a_layer_that_is_being_made_is_not_dropped(image_cloud: ImageCloud) -> None:
    store = image_cloud.catalog.store
    with store.new_layer() as layer:
        layer.with_suffix(".draft").mkdir()
        assert store.drop_unused_layers([]) == []
    assert store.drop_unused_layers([]) == [layer.with_suffix(".draft")]


def test_deregistering_tells_what_became_of_each_snapshot(image_cloud: ImageCloud, ec2: Any) -> None:
    first = image_cloud.image()
    snapshot = image_cloud.snapshot_of(first)
    second = ec2.register_image(Name="second", **of_snapshot(snapshot))["ImageId"]
    answer = ec2.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": snapshot, "ReturnCode": "skipped"}]
    answer = ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": snapshot, "ReturnCode": "success"}]
    with refused("InvalidSnapshot.NotFound"):
        ec2.describe_snapshots(SnapshotIds=[snapshot])


def test_a_deregistered_image_is_not_found_any_more(image_cloud: ImageCloud, ec2: Any) -> None:
    made = image_cloud.image()
    ec2.deregister_image(ImageId=made)
    with refused("InvalidAMIID.NotFound", made):
        ec2.describe_images(ImageIds=[made])
    with refused("InvalidAMIID.Unavailable"):
        ec2.deregister_image(ImageId=made)
    with refused("InvalidAMIID.NotFound"):
        image_cloud.instance(ImageId=made)


def test_images_of_others_are_not_ours_to_end(image_cloud: ImageCloud, ec2: Any) -> None:
    with refused("AuthFailure"):
        ec2.deregister_image(ImageId=image_cloud.debian())


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_copy_stands_on_the_same_layers(image_cloud: ImageCloud, ec2: Any, region: str) -> None:
    source = image_cloud.image(TagSpecifications=tagged(image={"a": "source", "b": "source"}))
    there = image_cloud.client("ec2", region)
    copied = there.copy_image(
        Name="copy", SourceImageId=source, SourceRegion="us-east-1", CopyImageTags=True,
        TagSpecifications=tagged(image={"a": "copy"}, snapshot={"of": "copy"}),
    )["ImageId"]  # fmt: skip
    image_cloud.wait(lambda: described(there, copied)["State"] == "available")
    image = described(there, copied)
    assert tags_of(image) == {"a": "copy", "b": "source"}
    assert (image["SourceImageId"], image["SourceImageRegion"]) == (source, "us-east-1")
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert snapshot != image_cloud.snapshot_of(source)
    assert tags_of(there.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]) == {"of": "copy"}
    assert image_cloud.catalog.layers_of(copied) == image_cloud.catalog.layers_of(source)


def test_a_copy_is_of_its_own_region_only_and_not_launched_there(image_cloud: ImageCloud, ec2: Any) -> None:
    there = image_cloud.client("ec2", "eu-central-1")
    source = image_cloud.image()
    copied = there.copy_image(Name="copy", SourceImageId=source, SourceRegion="us-east-1")["ImageId"]
    image_cloud.wait(lambda: described(there, copied)["State"] == "available")
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[copied])
    with refused("Unsupported", "us-east-1"):
        there.run_instances(ImageId=copied, MinCount=1, MaxCount=1)


def test_a_copy_without_copied_tags_has_none(image_cloud: ImageCloud, ec2: Any) -> None:
    source = image_cloud.image(TagSpecifications=tagged(image={"a": "source"}))
    copied = ec2.copy_image(Name="copy", SourceImageId=source, SourceRegion="us-east-1")["ImageId"]
    assert tags_of(described(ec2, copied)) == {}


def test_a_copy_that_is_asked_for_twice_with_one_token_is_made_once(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    asked = {"Name": "copy", "SourceImageId": image_cloud.image(), "SourceRegion": "us-east-1"}
    first = ec2.copy_image(ClientToken="once", **asked)["ImageId"]
    assert ec2.copy_image(ClientToken="once", **asked)["ImageId"] == first
    with refused("IdempotentParameterMismatch"):
        ec2.copy_image(ClientToken="once", **{**asked, "Name": "another"})


def test_a_root_volumes_snapshot_can_be_registered(image_cloud: ImageCloud, ec2: Any) -> None:
    instance = image_cloud.instance()
    (volume,) = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}]
    )["Volumes"]  # fmt: skip
    snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"], Description="as it is")["SnapshotId"]
    image_cloud.wait(lambda: image_cloud.catalog.snapshots[snapshot].state == "completed")
    made = ec2.register_image(Name="of a volume", **of_snapshot(snapshot))["ImageId"]
    assert (image_cloud.catalog.layers_of(made)[0] / "made-of").read_text() == f"{instance} running"


def test_a_snapshot_is_copied_with_what_it_stands_on(image_cloud: ImageCloud, ec2: Any) -> None:
    source = image_cloud.snapshot_of(image_cloud.image())
    there = image_cloud.client("ec2", "eu-central-1")
    copied = there.copy_snapshot(SourceSnapshotId=source, SourceRegion="us-east-1")["SnapshotId"]
    records = image_cloud.catalog.snapshots
    assert records[copied].layers == records[source].layers
    with refused("InvalidSnapshot.NotFound"):
        ec2.describe_snapshots(SnapshotIds=[copied])


def test_every_volume_of_an_instance_is_snapshot_at_once(image_cloud: ImageCloud, ec2: Any) -> None:
    extra = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3}}
    instance = image_cloud.instance(BlockDeviceMappings=[extra])
    made = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance}, TagSpecifications=tagged(snapshot={"a": "b"})
    )["Snapshots"]  # fmt: skip
    assert sorted(one["VolumeSize"] for one in made) == [3, 8]
    found = ec2.describe_snapshots(Filters=[{"Name": "tag:a", "Values": ["b"]}])["Snapshots"]
    assert {one["SnapshotId"] for one in found} == {one["SnapshotId"] for one in made}


def test_a_dry_run_makes_nothing(image_cloud: ImageCloud, ec2: Any) -> None:
    instance = image_cloud.instance()
    with refused("DryRunOperation"):
        ec2.create_image(InstanceId=instance, Name="dry", DryRun=True)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
