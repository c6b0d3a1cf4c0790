"""Block devices of an image: which snapshot a device is made of, and how large its volume becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class BlockDevice:
    """One device of an image, or of an instance that is launched from it."""

    device: str
    snapshot: str = ""
    size_gib: int = 8
    volume_type: str = "gp3"
    delete_on_termination: bool = True
    iops: int = 0
    throughput: int = 0

    def shown(self) -> dict[str, Any]:
        """As EC2 shows it."""
        ebs: dict[str, Any] = {
            "DeleteOnTermination": self.delete_on_termination,
            "VolumeSize": self.size_gib,
            "VolumeType": self.volume_type,
            "Encrypted": False,
        }
        if self.snapshot:
            ebs["SnapshotId"] = self.snapshot
        if self.iops:
            ebs["Iops"] = self.iops
        if self.throughput:
            ebs["Throughput"] = self.throughput
        return {"DeviceName": self.device, "Ebs": ebs}

    def with_ebs(self, ebs: Mapping[str, Any]) -> BlockDevice:
        """This device with what a request says about it."""
        return replace(
            self,
            snapshot=ebs.get("SnapshotId") or self.snapshot,
            size_gib=int(ebs.get("VolumeSize") or self.size_gib),
            volume_type=ebs.get("VolumeType") or self.volume_type,
            delete_on_termination=_flag(ebs.get("DeleteOnTermination"), self.delete_on_termination),
            iops=int(ebs.get("Iops") or self.iops),
            throughput=int(ebs.get("Throughput") or self.throughput),
        )


def laid_over(
    devices: Iterable[BlockDevice], requested: Iterable[Mapping[str, Any]], default: BlockDevice | None = None
) -> tuple[BlockDevice, ...]:
    """Devices as a request changes them: other sizes, more devices, and `NoDevice` for one less.

    A device that is new takes what the request leaves open from `default`.
    """
    by_name = {device.device: device for device in devices}
    blank = default or BlockDevice("", volume_type="gp2")
    for mapping in requested:
        name = mapping["DeviceName"]
        if mapping.get("NoDevice") is not None:
            by_name.pop(name, None)
        elif "Ebs" in mapping:
            before = by_name.get(name) or replace(blank, device=name)
            by_name[name] = before.with_ebs(mapping["Ebs"] or {})
    return tuple(by_name.values())


def _flag(value: object, otherwise: bool) -> bool:  # noqa: FBT001
    return otherwise if value is None else str(value).lower() == "true"
