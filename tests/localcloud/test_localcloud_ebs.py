"""The EBS direct APIs: blocks on disk, checked, listed, read again; and what EC2 says of such snapshots."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from image_cloud import ImageCloud, refused

from localcloud.disks import BLOCK_BYTES, Disk

ZEROS = bytes(BLOCK_BYTES)


def block(text: str) -> bytes:
    return text.encode().ljust(BLOCK_BYTES, b".")


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def aggregate(*written: bytes) -> str:
    return checksum(b"".join(hashlib.sha256(data).digest() for data in written))


@pytest.fixture
def ebs(image_cloud: ImageCloud) -> Any:
    return image_cloud.client("ebs")


@pytest.fixture
def ec2(image_cloud: ImageCloud) -> Any:
    return image_cloud.client("ec2")


def put(ebs: Any, snapshot: str, index: int, data: bytes, **more: Any) -> Any:
    asked = {
        "SnapshotId": snapshot, "BlockIndex": index, "BlockData": data, "DataLength": len(data),
        "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256",
    }  # fmt: skip
    return ebs.put_snapshot_block(**{**asked, **more})


def completed(cloud: ImageCloud, written: dict[int, bytes], **more: Any) -> str:
    """A completed snapshot with some blocks."""
    ebs = cloud.client("ebs")
    snapshot = str(ebs.start_snapshot(**{"VolumeSize": 1, **more})["SnapshotId"])
    for index, data in written.items():
        put(ebs, snapshot, index, data)
    whole = aggregate(*(written[index] for index in sorted(written)))
    ebs.complete_snapshot(
        SnapshotId=snapshot, ChangedBlocksCount=len(written), Checksum=whole, ChecksumAlgorithm="SHA256",
        ChecksumAggregationMethod="LINEAR",
    )  # fmt: skip
    cloud.wait(lambda: cloud.catalog.snapshots[snapshot].state == "completed")
    return snapshot


def test_blocks_are_read_as_they_were_put(image_cloud: ImageCloud, ebs: Any) -> None:
    written = {7: block("seven"), 0: block("nought"), 2047: block("last"), 3: ZEROS}
    snapshot = completed(image_cloud, written)
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)
    assert (listed["BlockSize"], listed["VolumeSize"]) == (BLOCK_BYTES, 1)
    assert [one["BlockIndex"] for one in listed["Blocks"]] == [0, 3, 7, 2047]
    for one in listed["Blocks"]:
        answer = ebs.get_snapshot_block(SnapshotId=snapshot, **one)
        data = answer["BlockData"].read()
        assert data == written[one["BlockIndex"]]
        assert (answer["Checksum"], answer["ChecksumAlgorithm"]) == (checksum(data), "SHA256")
        assert answer["DataLength"] == BLOCK_BYTES


def test_a_disk_takes_the_room_of_what_is_not_zero_in_it(image_cloud: ImageCloud) -> None:
    snapshot = completed(image_cloud, {0: block("one"), 9: ZEROS}, VolumeSize=100)
    file = Disk(image_cloud.catalog.store.disks, snapshot).data.stat()
    assert file.st_size == 100 * 2**30
    assert file.st_blocks * 512 < 2 * BLOCK_BYTES


def test_zeros_replace_what_was_put_before(image_cloud: ImageCloud, ebs: Any) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(ebs, snapshot, 0, block("something"))
    put(ebs, snapshot, 0, ZEROS)
    assert Disk(image_cloud.catalog.store.disks, snapshot).read(0) == ZEROS


@pytest.mark.parametrize(
    ("index", "data", "more", "saying"),
    [
        (0, block("x"), {"Checksum": checksum(b"y")}, "does not match"),
        (0, block("x"), {"DataLength": 512}, "DataLength"),
        (0, b"short", {"DataLength": BLOCK_BYTES}, "not 5"),
        (0, block("x") + b"more", {"DataLength": BLOCK_BYTES}, "not 524292"),
        (2048, block("x"), {}, "there is no block 2048"),
    ],
)
def test_a_block_that_is_not_right_is_refused_and_not_kept(
    image_cloud: ImageCloud, ebs: Any, index: int, data: bytes, more: dict[str, Any], saying: str
) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with refused("ValidationException", saying):
        put(ebs, snapshot, index, data, **more)
    assert list(Disk(image_cloud.catalog.store.disks, snapshot).written()) == []


def test_a_refusal_tells_its_reason(ebs: Any) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with pytest.raises(ebs.exceptions.ValidationException) as caught:
        put(ebs, snapshot, 5000, ZEROS)
    assert caught.value.response["Reason"] == "INVALID_BLOCK"
    with pytest.raises(ebs.exceptions.ResourceNotFoundException) as caught:
        put(ebs, "snap-00000000000000000", 0, ZEROS)
    assert caught.value.response["Reason"] == "SNAPSHOT_NOT_FOUND"


@pytest.mark.parametrize(
    ("count", "said"), [(2, aggregate(block("x"))), (1, aggregate(block("y"))), (0, aggregate())]
)
def test_a_snapshot_is_not_completed_unless_count_and_checksum_are_right(
    image_cloud: ImageCloud, ebs: Any, count: int, said: str
) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put(ebs, snapshot, 0, block("x"))
    with refused("ValidationException"):
        ebs.complete_snapshot(
            SnapshotId=snapshot, ChangedBlocksCount=count, Checksum=said, ChecksumAlgorithm="SHA256",
            ChecksumAggregationMethod="LINEAR",
        )  # fmt: skip
    assert image_cloud.catalog.snapshots[snapshot].state == "pending"
    put(ebs, snapshot, 1, block("still writable"))


def test_a_completed_snapshot_takes_no_more_blocks(image_cloud: ImageCloud, ebs: Any) -> None:
    snapshot = completed(image_cloud, {0: block("x")})
    with refused("ValidationException", "not pending"):
        put(ebs, snapshot, 1, block("late"))
    assert ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)["Status"] == "completed"


def test_a_pending_snapshot_cannot_be_read(ebs: Any) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with refused("ValidationException", "pending"):
        ebs.list_snapshot_blocks(SnapshotId=snapshot)


def test_a_block_is_not_given_without_its_own_token(image_cloud: ImageCloud, ebs: Any) -> None:
    snapshot = completed(image_cloud, {0: block("x"), 1: block("y")})
    first, second = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    with refused("ValidationException", "token"):
        ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=0, BlockToken=second["BlockToken"])
    assert first["BlockToken"] != second["BlockToken"]


def test_a_snapshot_that_is_started_twice_with_one_token_is_started_once(ebs: Any) -> None:
    first = ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"]
    assert ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"] == first
    with refused("ConflictException"):
        ebs.start_snapshot(VolumeSize=2, ClientToken="once")


@pytest.mark.parametrize(
    ("asked", "saying"),
    [
        ({"VolumeSize": 1, "Encrypted": True}, "encrypted"),
        ({"VolumeSize": 70000}, "70000"),
    ],
)
def test_what_cannot_be_started_is_refused(ebs: Any, asked: dict[str, Any], saying: str) -> None:
    with refused("ValidationException", saying):
        ebs.start_snapshot(**asked)


def test_a_child_has_its_parents_blocks_and_its_own(image_cloud: ImageCloud, ebs: Any) -> None:
    parent = completed(image_cloud, {0: block("kept"), 1: block("replaced")})
    child = completed(image_cloud, {1: block("new"), 2: block("added")}, ParentSnapshotId=parent)
    found = {
        one["BlockIndex"]: ebs.get_snapshot_block(SnapshotId=child, **one)["BlockData"].read()
        for one in ebs.list_snapshot_blocks(SnapshotId=child)["Blocks"]
    }
    assert found == {0: block("kept"), 1: block("new"), 2: block("added")}
    changed = ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
    shape = [(one["BlockIndex"], "FirstBlockToken" in one, "SecondBlockToken" in one) for one in changed]
    assert shape == [(1, True, True), (2, False, True)]
    token = changed[0]["FirstBlockToken"]
    assert ebs.get_snapshot_block(SnapshotId=parent, BlockIndex=1, BlockToken=token)[
        "BlockData"
    ].read() == block("replaced")


def test_without_a_first_snapshot_everything_has_changed(image_cloud: ImageCloud, ebs: Any) -> None:
    snapshot = completed(image_cloud, {4: block("x")})
    (changed,) = ebs.list_changed_blocks(SecondSnapshotId=snapshot)["ChangedBlocks"]
    assert (changed["BlockIndex"], "FirstBlockToken" in changed) == (4, False)


def test_snapshots_that_have_nothing_in_common_are_not_compared(image_cloud: ImageCloud, ebs: Any) -> None:
    one, other = completed(image_cloud, {0: block("x")}), completed(image_cloud, {0: block("x")})
    with pytest.raises(ebs.exceptions.ValidationException) as caught:
        ebs.list_changed_blocks(FirstSnapshotId=one, SecondSnapshotId=other)
    assert caught.value.response["Reason"] == "UNRELATED_SNAPSHOTS"


def test_a_child_outlives_its_parent(image_cloud: ImageCloud, ebs: Any, ec2: Any) -> None:
    parent = completed(image_cloud, {0: block("kept")})
    child = completed(image_cloud, {}, ParentSnapshotId=parent)
    ec2.delete_snapshot(SnapshotId=parent)
    (one,) = ebs.list_snapshot_blocks(SnapshotId=child)["Blocks"]
    assert ebs.get_snapshot_block(SnapshotId=child, **one)["BlockData"].read() == block("kept")
    ec2.delete_snapshot(SnapshotId=child)
    assert list(image_cloud.catalog.store.disks.iterdir()) == []


def test_listings_come_in_pages(image_cloud: ImageCloud, ebs: Any) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    disk = Disk(image_cloud.catalog.store.disks, snapshot)
    for index in range(0, 500, 2):
        disk.write(index, ZEROS, hashlib.sha256(ZEROS).digest())
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=250)
    image_cloud.wait(lambda: image_cloud.catalog.snapshots[snapshot].state == "completed")
    asked = {"SnapshotId": snapshot, "MaxResults": 100, "StartingBlockIndex": 100}
    first = ebs.list_snapshot_blocks(**asked)
    second = ebs.list_snapshot_blocks(**asked, NextToken=first["NextToken"])
    found = [one["BlockIndex"] for one in first["Blocks"] + second["Blocks"]]
    assert (len(first["Blocks"]), found) == (100, list(range(100, 500, 2)))
    assert "NextToken" not in second
    with refused("ValidationException", "page token"):
        ebs.list_snapshot_blocks(SnapshotId=snapshot, NextToken="AAAA")


def test_ec2_shows_a_snapshot_of_blocks_from_its_start_on(
    image_cloud: ImageCloud, ebs: Any, ec2: Any
) -> None:
    tags = [{"Key": "amibake:run", "Value": "r1"}]
    snapshot = ebs.start_snapshot(VolumeSize=3, Description="raw", Tags=tags)["SnapshotId"]

    def shown() -> dict[str, Any]:
        (found,) = ec2.describe_snapshots(Filters=[{"Name": "tag:amibake:run", "Values": ["r1"]}])[
            "Snapshots"
        ]
        return dict(found)

    assert (shown()["SnapshotId"], shown()["State"]) == (snapshot, "pending")
    assert (shown()["VolumeSize"], shown()["Description"], shown()["Tags"]) == (3, "raw", tags)
    with refused("IncorrectState"):
        register(ec2, snapshot)
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)
    image_cloud.wait(lambda: shown()["State"] == "completed")
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])


def test_an_image_of_a_raw_disk_is_registered_and_holds_its_snapshot_but_does_not_boot(
    image_cloud: ImageCloud, ec2: Any
) -> None:
    snapshot = completed(image_cloud, {0: block("boot sector")})
    image = register(ec2, snapshot)
    with refused("InvalidSnapshot.InUse", image):
        ec2.delete_snapshot(SnapshotId=snapshot)
    with refused("Unsupported", "made of machines"):
        image_cloud.instance(ImageId=image)
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert list(image_cloud.catalog.store.disks.iterdir()) == []


def test_a_copied_image_of_a_raw_disk_can_be_read_elsewhere(image_cloud: ImageCloud, ec2: Any) -> None:
    image = register(ec2, completed(image_cloud, {5: block("x")}))
    there = image_cloud.client("ec2", "eu-west-1")
    copied = there.copy_image(Name="copy", SourceImageId=image, SourceRegion="us-east-1")["ImageId"]
    listed = image_cloud.client("ebs", "eu-west-1").list_snapshot_blocks(
        SnapshotId=image_cloud.snapshot_of(copied)
    )
    assert [one["BlockIndex"] for one in listed["Blocks"]] == [5]


def test_a_machines_snapshot_has_no_blocks_and_says_so(image_cloud: ImageCloud, ebs: Any) -> None:
    with refused("ValidationException", "a machine's files"):
        ebs.list_snapshot_blocks(SnapshotId=image_cloud.snapshot_of(image_cloud.image()))


def test_a_new_daemon_goes_on_with_a_snapshot_that_was_begun(new_cloud: Callable[[], ImageCloud]) -> None:
    before = new_cloud()
    snapshot = before.client("ebs").start_snapshot(VolumeSize=1)["SnapshotId"]
    put(before.client("ebs"), snapshot, 0, block("before"))
    after = new_cloud()
    ebs = after.client("ebs")
    put(ebs, snapshot, 1, block("after"))
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=2)
    after.wait(lambda: after.catalog.snapshots[snapshot].state == "completed")
    assert len(ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]) == 2


def register(ec2: Any, snapshot: str) -> str:
    return str(
        ec2.register_image(
            Name="raw", Architecture="x86_64", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        )["ImageId"]
    )  # fmt: skip
