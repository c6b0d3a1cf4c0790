"""Images as they are kept: a record of each.

An image is a list of block devices; the files of its root device are the layers of that device's snapshot,
folders that an overlay mount stacks, newest first. An image made from a machine is one layer more than the
image the machine was started from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from localcloud.blockdevices import BlockDevice
from localcloud.site import ACCOUNT

TIME = "%Y-%m-%dT%H:%M:%S.000Z"
ROOT_DEVICE = "/dev/xvda"

# For all but 24 hours after protection with a cooldown was switched off, protection is one of these.
UNPROTECTED = "disabled"
PROTECTED = "enabled-without-cooldown"
PROTECTED_WITH_COOLDOWN = "enabled-with-cooldown"


@dataclass(frozen=True)
class ImageRecord:
    """All that is kept of an image between runs of the daemon. Times are in UTC, as ISO 8601."""

    id: str
    name: str
    owner: str
    created: str
    snapshot: str
    layers: tuple[str, ...] = ()
    description: str = ""
    architecture: str = "x86_64"
    size_gib: int = 8
    source_instance: str = ""
    state: str = "available"
    state_reason: str = ""
    public: bool = False
    region: str = "us-east-1"
    root_device: str = ROOT_DEVICE
    block_devices: tuple[BlockDevice, ...] = ()
    boot_mode: str = ""
    imds_support: str = ""
    tpm_support: str = ""
    sriov_net_support: str = "simple"
    ena_support: bool = True
    virtualization: str = "hvm"
    source_image: str = ""
    source_region: str = ""
    client_token: str = ""
    deprecation: str = ""
    protection: str = UNPROTECTED
    protected_until: str = ""
    last_launched: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    launch_permissions: tuple[dict[str, str], ...] = ()

    @classmethod
    def read(cls, path: Path) -> ImageRecord:
        """The record in a file that the store wrote; an older one may lack fields or have others."""
        kept: dict[str, Any] = json.loads(path.read_text())
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in kept.items() if key in known}
        values["layers"] = tuple(values.get("layers", ()))
        values["launch_permissions"] = tuple(values.get("launch_permissions", ()))
        values["block_devices"] = tuple(BlockDevice(**one) for one in values.get("block_devices", ()))
        return cls(**values)

    @property
    def devices(self) -> tuple[BlockDevice, ...]:
        """The image's block devices; the root device alone when nothing else was said of it."""
        return self.block_devices or (BlockDevice(self.root_device, self.snapshot, self.size_gib),)

    @property
    def snapshots(self) -> tuple[str, ...]:
        """The ids of the snapshots that the image needs."""
        return tuple(device.snapshot for device in self.devices if device.snapshot)

    @property
    def is_public(self) -> bool:
        """Whether every account may launch the image."""
        return {"Group": "all"} in self.launch_permissions

    @property
    def own(self) -> bool:
        """Whether the image belongs to the site's account, and so is kept in the site's records."""
        return self.owner == ACCOUNT

    def may_be_launched_by(self, account: str) -> bool:
        """Whether an account owns the image or was given permission to launch it."""
        return self.owner == account or self.is_public or {"UserId": account} in self.launch_permissions


__all__ = [
    "PROTECTED",
    "PROTECTED_WITH_COOLDOWN",
    "ROOT_DEVICE",
    "TIME",
    "UNPROTECTED",
    "ImageRecord",
    "replace",
]
