"""EC2's calls about snapshots: CreateSnapshot, CopySnapshot, DescribeSnapshots, DeleteSnapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from localcloud.calls import Call, answer_instead
from localcloud.capture import Capture
from localcloud.catalog import Catalog, Machines, new_id
from localcloud.filters import passes, values_of_tags
from localcloud.images import replace
from localcloud.lookup import snapshot_in, snapshot_to_use
from localcloud.pages import page
from localcloud.refusals import refuse_unless
from localcloud.site import ACCOUNT
from localcloud.snapshots import SnapshotRecord


class SnapshotActions:
    """The calls by which snapshots are made of volumes, found and ended."""

    def __init__(self, catalog: Catalog, machines: Machines) -> None:
        self._catalog = catalog
        self._machines = machines
        self._capture = Capture(catalog, machines)

    def install(self) -> None:
        """Answer these calls in moto's place."""
        answer_instead(
            self._catalog.lock,
            "moto.ec2.responses.elastic_block_store:ElasticBlockStore",
            (
                self.create_snapshot,
                self.create_snapshots,
                self.copy_snapshot,
                self.describe_snapshots,
                self.delete_snapshot,
            ),
        )

    def create_snapshot(self, call: Call) -> dict[str, Any]:
        """Make a snapshot of a volume; of a machine's root volume while the machine goes on."""
        snapshot = self._of_volume(call, call.text("VolumeId"))
        return describe(snapshot, snapshot.tags)

    def create_snapshots(self, call: Call) -> dict[str, Any]:
        """Make a snapshot of every volume of an instance."""
        asked = call.get("InstanceSpecification", {})
        instance = call.backend.get_instance(asked.get("InstanceId", ""))
        without_root = str(asked.get("ExcludeBootVolume", "")).lower() == "true"
        made = [
            self._of_volume(call, block.volume_id)
            for name, block in instance.get_block_device_mapping
            if not (without_root and name == instance.root_device_name)
        ]
        return {"Snapshots": [describe(one, one.tags) for one in made]}

    def copy_snapshot(self, call: Call) -> dict[str, Any]:
        """Make a snapshot that stands on what another one stands on."""
        refuse_unless(
            not call.flag("Encrypted"), "Unsupported", "this local cloud keeps no encrypted snapshots"
        )
        source = snapshot_to_use(self._catalog, call.text("SourceRegion"), call.text("SourceSnapshotId"))
        now = self._catalog.now()
        copied = replace(
            source,
            id=new_id("snap"),
            started=now,
            completed=now,
            region=call.region,
            description=call.text("Description"),
            client_token="",
            parent="",
            tags=call.tags("snapshot")["snapshot"],
        )
        self._catalog.keep(copied, new=True)
        return {"SnapshotId": copied.id, "Tags": _tag_list(copied.tags)}

    def describe_snapshots(self, call: Call) -> dict[str, Any]:
        """The account's snapshots that the call asks for, a page of them."""
        ids, owners = call.get("SnapshotIds", []), call.get("OwnerIds", [])
        named = [snapshot_in(self._catalog, call.region, one) for one in ids]
        here = [
            one
            for one in self._catalog.snapshots.values()
            if one.region == call.region and one.owner == ACCOUNT
        ]
        wanted = [ACCOUNT if one == "self" else one for one in owners] or [ACCOUNT]
        tags = {one.id: self._catalog.tags_of(one) for one in here}
        found = [
            one
            for one in named or here
            if one.owner in wanted and passes(call.filters(), partial(values_of, one, tags[one.id]))
        ]
        shown, token = page(
            found,
            lambda one: f"{one.started} {one.id}",
            call.number("MaxResults"),
            call.text("NextToken"),
            smallest=5,
        )
        snapshots = [describe(one, tags[one.id]) for one in shown]
        return {"Snapshots": snapshots, **({"NextToken": token} if token else {})}

    def delete_snapshot(self, call: Call) -> None:
        """End a snapshot that no image needs; what it alone stood on is removed."""
        snapshot = snapshot_in(self._catalog, call.region, call.text("SnapshotId"))
        users = self._catalog.users_of(snapshot.id)
        refuse_unless(
            not users,
            "InvalidSnapshot.InUse",
            f"The snapshot {snapshot.id} is currently in use by {', '.join(users)}",
        )
        self._catalog.forget(snapshot)
        self._catalog.store.drop_unused_layers(self._machines.layers_in_use())
        self._catalog.store.drop_unused_disks()

    def _of_volume(self, call: Call, volume_id: str) -> SnapshotRecord:
        volume = call.backend.get_volume(volume_id)
        instance = volume.attachment.instance if volume.attachment else None
        root = instance is not None and volume.attachment.device == instance.root_device_name
        before = self._catalog.snapshots.get(volume.snapshot_id or "")
        now = self._catalog.now()
        snapshot = SnapshotRecord(
            id=new_id("snap"),
            owner=ACCOUNT,
            started=now,
            completed="" if root else now,
            size_gib=int(volume.size),
            region=call.region,
            description=call.text("Description"),
            state="pending" if root else "completed",
            volume=volume.id,
            layers=before.layers if before and not root else (),
            disks=before.disks if before and not root else (),
            tags=call.tags("snapshot")["snapshot"],
        )
        self._catalog.keep(snapshot, new=True)
        if root:
            self._capture.begin(instance, snapshot.id, reboot=False)
        return snapshot


def describe(snapshot: SnapshotRecord, tags: Mapping[str, str]) -> dict[str, Any]:
    """A snapshot as EC2 shows it."""
    shown: dict[str, Any] = {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume,
        "State": snapshot.state,
        "StartTime": datetime.fromisoformat(snapshot.started),
        "Progress": "100%" if snapshot.state == "completed" else "0%",
        "OwnerId": snapshot.owner,
        "Description": snapshot.description,
        "VolumeSize": snapshot.size_gib,
        "Encrypted": False,
        "StorageTier": "standard",
        "Tags": _tag_list(tags),
    }
    if snapshot.completed:
        shown["CompletionTime"] = datetime.fromisoformat(snapshot.completed)
    if snapshot.state_message:
        shown["StateMessage"] = snapshot.state_message
    return shown


def values_of(snapshot: SnapshotRecord, tags: Mapping[str, str], name: str) -> Sequence[object] | None:
    """What a filter of DescribeSnapshots looks at; None when EC2 has no such filter."""
    if (found := values_of_tags(tags, name)) is not None:
        return found
    values: dict[str, object] = {
        "description": snapshot.description,
        "encrypted": False,
        "owner-id": snapshot.owner,
        "progress": "100%" if snapshot.state == "completed" else "0%",
        "snapshot-id": snapshot.id,
        "start-time": snapshot.started,
        "status": snapshot.state,
        "storage-tier": "standard",
        "volume-id": snapshot.volume,
        "volume-size": snapshot.size_gib,
    }
    if name == "owner-alias":
        return []
    return [values[name]] if name in values else None


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
