"""What a new daemon knows of images and snapshots: all that the one before it knew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from image_cloud import ImageCloud


def described(ec2: Any, image_id: str) -> dict[str, Any]:
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    return dict(image)


def test_a_new_daemon_knows_everything_again(new_cloud: Callable[[], ImageCloud]) -> None:
    before = new_cloud()
    ec2 = before.client("ec2")
    made = before.image(
        "kept", TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}]
    )
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    ec2.create_tags(Resources=[made], Tags=[{"Key": "later", "Value": "yes"}])
    snapshot = before.snapshot_of(made)
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=["111122223333"]
    )
    gone = before.image("gone")
    left = before.snapshot_of(gone)
    ec2.deregister_image(ImageId=gone)
    image, snapshots = described(ec2, made), ec2.describe_snapshots()["Snapshots"]

    forget_everything_in_moto()
    after = new_cloud()
    ec2 = after.client("ec2")
    assert described(ec2, made) == image
    assert described(ec2, made)["Tags"] == [{"Key": "a", "Value": "b"}, {"Key": "later", "Value": "yes"}]
    assert ec2.describe_snapshots()["Snapshots"] == snapshots
    assert left in [one["SnapshotId"] for one in snapshots]
    permissions = ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == [{"UserId": "111122223333"}]
    sharing = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert sharing["CreateVolumePermissions"] == [{"UserId": "111122223333"}]
    assert all(layer.exists() for layer in after.catalog.layers_of(made))


def test_an_image_whose_making_was_cut_off_has_failed(new_cloud: Callable[[], ImageCloud]) -> None:
    before = new_cloud()
    before.machines.may_finish.clear()
    made = before.client("ec2").create_image(InstanceId=before.instance(), Name="cut off")["ImageId"]
    snapshot = before.snapshot_of(made)
    forget_everything_in_moto()
    ec2 = new_cloud().client("ec2")
    assert described(ec2, made)["State"] == "failed"
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "error"
    before.machines.trouble = "its daemon has ended"
    before.machines.may_finish.set()


def test_a_record_of_an_earlier_version_is_still_read(
    new_cloud: Callable[[], ImageCloud], tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "images"
    folder.mkdir(parents=True)
    (folder / "ami-0123456789abcdef0.json").write_text(
        '{"id": "ami-0123456789abcdef0", "name": "old", "owner": "123456789012", "layers": ["/somewhere"],'
        ' "created": "2026-01-01T00:00:00.000Z", "snapshot": "snap-0123456789abcdef0",'
        ' "snapshot_tags": {}, "launch_permissions": []}'
    )
    cloud = new_cloud()
    assert described(cloud.client("ec2"), "ami-0123456789abcdef0")["Name"] == "old"
    assert cloud.catalog.layers_of("ami-0123456789abcdef0") == (Path("/somewhere"),)


def forget_everything_in_moto() -> None:
    from moto.core.base_backend import BackendDict

    BackendDict.reset()
