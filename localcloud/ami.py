"""What moto itself must know of our images and snapshots, for the calls that it answers: launches, tags.

The records are the truth; these mirror them and hold nothing that is not in a record.
Imported only by a process that serves moto: the import costs a second.
"""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_block_store import Snapshot

from localcloud.images import ImageRecord
from localcloud.snapshots import SnapshotRecord


class LocalAmi(Ami):  # type: ignore[misc]
    """An AMI as moto's own calls look at it."""

    def __init__(self, backend: Any, record: ImageRecord) -> None:
        # Moto's own makes a volume and a snapshot that are not the image's.
        self.ec2_backend = backend
        self.id = record.id
        self.name = record.name
        self.description = record.description
        self.owner_id = record.owner
        self.owner_alias = None
        self.state = record.state
        self.architecture = record.architecture
        self.virtualization_type = record.virtualization
        self.hypervisor = "xen"
        self.platform = None
        self.kernel_id = None
        self.image_type = "machine"
        self.root_device_name = record.root_device
        self.root_device_type = "ebs"
        self.boot_mode = record.boot_mode
        self.creation_date = datetime.fromisoformat(record.created)
        self.instance_id = record.source_instance or None
        self.product_codes: set[str] = set()
        self.launch_permissions = [dict(permission) for permission in record.launch_permissions]


class LocalSnapshot(Snapshot):  # type: ignore[misc]
    """A snapshot as moto's own calls look at it."""

    def __init__(self, backend: Any, record: SnapshotRecord) -> None:
        volume = SimpleNamespace(id=record.volume, size=record.size_gib, encrypted=False)
        super().__init__(backend, record.id, volume, record.description, owner_id=record.owner)
        self.status = record.state
        self.start_time = datetime.fromisoformat(record.started)
        self.create_volume_permission_userids = set(record.shared_users)
        self.create_volume_permission_groups = set(record.shared_groups)


def mirror(backend: Any, record: ImageRecord | SnapshotRecord) -> None:
    """Let moto know of a record as it is now."""
    if isinstance(record, ImageRecord):
        backend.amis[record.id] = LocalAmi(backend, record)
    else:
        backend.snapshots[record.id] = LocalSnapshot(backend, record)


def shared(backend: Any, snapshot_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The users and groups with whom moto's own calls have shared a snapshot."""
    snapshot = backend.snapshots[snapshot_id]
    users, groups = snapshot.create_volume_permission_userids, snapshot.create_volume_permission_groups
    return tuple(sorted(users)), tuple(sorted(groups))


def unmirror(backend: Any, record_id: str) -> None:
    """Let moto forget an image or a snapshot, and the tags it had."""
    backend.amis.pop(record_id, None)
    backend.snapshots.pop(record_id, None)
    backend.tags.pop(record_id, None)
