"""An image as moto keeps it, true to its record where moto's own class answers with constants.

Imported only by a process that serves moto: the import costs a second.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.ec2.models.amis import Ami

from localcloud.images import ImageRecord

ROOT_DEVICE = "/dev/xvda"


class LocalAmi(Ami):  # type: ignore[misc]
    """An AMI whose block device is the one it was made with."""

    size_gib = 8
    ena_support = True
    imds_support: str | None = None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """As EC2 shows the root volume of an image on EBS."""
        return [
            {
                "DeviceName": self.root_device_name,
                "Ebs": {
                    "SnapshotId": self.ebs_snapshot.id,
                    "VolumeSize": self.size_gib,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp3",
                    "Encrypted": False,
                },
            }
        ]


def ami_of(backend: Any, record: ImageRecord) -> LocalAmi:
    """Moto's image for a record, with the record's snapshot."""
    ami = LocalAmi(
        backend,
        record.id,
        name=record.name,
        description=record.description,
        owner_id=record.owner,
        public=record.public,
        virtualization_type="hvm",
        architecture=record.architecture,
        state=record.state,
        creation_date=datetime.fromisoformat(record.created),
        hypervisor="xen",
        root_device_type="ebs",
        root_device_name=ROOT_DEVICE,
        image_location=f"{record.owner}/{record.name}",
        tags=record.tags,
    )
    ami.size_gib = record.size_gib
    ami.instance_id = record.source_instance or None
    ami.launch_permissions = [dict(permission) for permission in record.launch_permissions]
    snapshot = ami.ebs_snapshot
    del backend.snapshots[snapshot.id]
    snapshot.id = record.snapshot
    snapshot.volume.size = record.size_gib
    backend.snapshots[record.snapshot] = snapshot
    if record.snapshot_tags:
        backend.create_tags([record.snapshot], record.snapshot_tags)
    return ami
