"""Calls that make images and end them: CreateImage, RegisterImage, DeregisterImage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from localcloud.blockdevices import BlockDevice, laid_over
from localcloud.calls import Call, answer_instead
from localcloud.capture import Capture
from localcloud.catalog import Catalog, Machines, new_id
from localcloud.image_requests import requested_image
from localcloud.images import UNPROTECTED, ImageRecord, replace
from localcloud.lookup import image_of_ours, snapshot_to_use
from localcloud.refusals import check_id, refuse_unless
from localcloud.site import ACCOUNT
from localcloud.snapshots import SnapshotRecord

_UEFI = ("uefi", "uefi-preferred")


class ImageActions:
    """The calls by which images come and go."""

    def __init__(self, catalog: Catalog, machines: Machines) -> None:
        self._catalog = catalog
        self._machines = machines
        self._capture = Capture(catalog, machines)

    def install(self) -> None:
        """Answer these calls in moto's place."""
        answer_instead(
            self._catalog.lock,
            "moto.ec2.responses.amis:AmisResponse",
            (self.create_image, self.register_image, self.deregister_image),
        )

    def create_image(self, call: Call) -> dict[str, Any]:
        """Make an image of an instance's disk."""
        tags = call.tags("image", "snapshot")
        image = requested_image(self._catalog, call, tags["image"])
        instance = call.backend.get_instance(call.text("InstanceId"))
        refuse_unless(
            instance.state in ("running", "stopped"), "IncorrectState", f"{instance.id} is {instance.state}"
        )
        image = _like_its_instance(image, instance, self._catalog.images.get(instance.image_id))
        if call.text("BootModeOverride"):
            image = replace(image, boot_mode=call.text("BootModeOverride"))
        devices = laid_over(_devices_of(instance), call.get("BlockDeviceMappings", []))
        refuse_unless(
            image.root_device in [device.device for device in devices],
            "InvalidBlockDeviceMapping",
            f"an image needs its root device, {image.root_device}",
        )
        made = [self._snapshot_for(image, device, instance.id, tags["snapshot"]) for device in devices]
        root = next(one.snapshot for one in made if one.device == image.root_device)
        image = replace(image, block_devices=tuple(made), snapshot=root)
        self._catalog.keep(image, new=True)
        self._capture.begin(instance, image.snapshot, image.id, reboot=not call.flag("NoReboot"))
        return {"ImageId": image.id}

    def register_image(self, call: Call) -> dict[str, Any]:
        """Make an image of snapshots that are there."""
        refuse_unless(
            not call.text("ImageLocation"),
            "Unsupported",
            "this local cloud has no images in S3: give snapshots",
        )
        tags = call.tags("image", "snapshot")
        root_device = call.text("RootDeviceName") or "/dev/sda1"
        image = replace(
            requested_image(self._catalog, call, tags["image"]),
            architecture=call.text("Architecture") or "i386",
            boot_mode=call.text("BootMode"),
            imds_support=call.text("ImdsSupport"),
            tpm_support=call.text("TpmSupport"),
            sriov_net_support=call.text("SriovNetSupport"),
            ena_support=call.flag("EnaSupport"),
            virtualization=call.text("VirtualizationType") or "paravirtual",
            root_device=root_device,
        )
        _check_features(image)
        devices = self._registered(call)
        root = next((device for device in devices if device.device == root_device), None)
        refuse_unless(
            root and root.snapshot,
            "InvalidBlockDeviceMapping",
            f"No snapshot is given for the root device {root_device}",
        )
        for device in devices:
            if device.snapshot and tags["snapshot"]:
                call.backend.create_tags([device.snapshot], tags["snapshot"])
        image = replace(
            image, block_devices=devices, snapshot=root.snapshot if root else "", state="available"
        )
        return {"ImageId": self._catalog.keep(image, new=True).id}

    def deregister_image(self, call: Call) -> dict[str, Any]:
        """End an image; its snapshots stay unless the call has them deleted too."""
        catalog, image_id = self._catalog, call.text("ImageId")
        check_id("ami", image_id)
        refuse_unless(
            image_id not in catalog.deregistered,
            "InvalidAMIID.Unavailable",
            f"The image id '[{image_id}]' is no longer available",
        )
        image = image_of_ours(catalog, call)
        _refuse_protected(image, catalog.clock())
        catalog.forget(image)
        catalog.deregistered.add(image.id)
        results = [
            {"SnapshotId": snapshot, "ReturnCode": self._delete(snapshot)}
            for snapshot in (image.snapshots if call.flag("DeleteAssociatedSnapshots") else ())
        ]
        catalog.store.drop_unused_layers(self._machines.layers_in_use())
        catalog.store.drop_unused_disks()
        return {"Return": True, **({"DeleteSnapshotResults": results} if results else {})}

    def _snapshot_for(
        self, image: ImageRecord, device: BlockDevice, instance_id: str, tags: dict[str, str]
    ) -> BlockDevice:
        """The device of an image with a new snapshot; the root's is completed by the capture."""
        if not device.snapshot.startswith("vol-"):
            return device
        root = device.device == image.root_device
        snapshot = SnapshotRecord(
            id=new_id("snap"),
            owner=ACCOUNT,
            started=image.created,
            completed="" if root else image.created,
            size_gib=device.size_gib,
            region=image.region,
            description=f"Created by CreateImage({instance_id}) for {image.id}",
            state="pending" if root else "completed",
            volume=device.snapshot,
            tags=tags,
        )
        self._catalog.keep(snapshot, new=True)
        return replace(device, snapshot=snapshot.id)

    def _registered(self, call: Call) -> tuple[BlockDevice, ...]:
        devices = []
        for mapping in call.get("BlockDeviceMappings", []):
            for device in laid_over((), [mapping], BlockDevice("", size_gib=0, volume_type="gp2")):
                if not device.snapshot:
                    refuse_unless(
                        device.size_gib,
                        "MissingParameter",
                        "The request must contain the parameter size or snapshotId",
                    )
                    devices.append(device)
                    continue
                size = snapshot_to_use(self._catalog, call.region, device.snapshot).size_gib
                refuse_unless(
                    not device.size_gib or device.size_gib >= size,
                    "InvalidBlockDeviceMapping",
                    f"Volume of size {device.size_gib}GB is smaller than snapshot '{device.snapshot}',"
                    f" expect size >= {size}GB",
                )
                devices.append(replace(device, size_gib=device.size_gib or size))
        return tuple(devices)

    def _delete(self, snapshot_id: str) -> str:
        if self._catalog.users_of(snapshot_id):
            return "skipped"
        self._catalog.forget(self._catalog.snapshots[snapshot_id])
        return "success"


def _like_its_instance(image: ImageRecord, instance: Any, source: ImageRecord | None) -> ImageRecord:
    """An image with what an instance has of the image that it was launched from."""
    image = replace(
        image,
        source_instance=instance.id,
        root_device=instance.root_device_name,
        architecture=instance.architecture,
        source_image=instance.image_id,
        source_region=image.region,
    )
    if source is None:
        return image
    return replace(
        image,
        architecture=source.architecture,
        boot_mode=source.boot_mode,
        imds_support=source.imds_support,
        tpm_support=source.tpm_support,
        ena_support=source.ena_support,
        sriov_net_support=source.sriov_net_support,
        virtualization=source.virtualization,
    )


def _devices_of(instance: Any) -> list[BlockDevice]:
    """An instance's block devices; where an image has a snapshot, these have the volume's id."""
    found = []
    for name, block in instance.get_block_device_mapping:
        volume = instance.ec2_backend.volumes[block.volume_id]
        found.append(
            BlockDevice(
                name,
                snapshot=volume.id,
                size_gib=int(volume.size),
                volume_type=volume.volume_type,
                delete_on_termination=str(block.delete_on_termination).lower() == "true",
                iops=int(volume.iops or 0),
                throughput=int(volume.throughput or 0),
            )
        )
    return found


def _check_features(image: ImageRecord) -> None:
    refuse_unless(
        image.imds_support in {"", "v2.0"},
        "InvalidParameterValue",
        f"Value ({image.imds_support}) for parameter imdsSupport is invalid. Valid values are: v2.0",
    )
    refuse_unless(
        not image.tpm_support or image.boot_mode in _UEFI,
        "InvalidParameterCombination",
        "TpmSupport needs a BootMode of uefi",
    )


def _refuse_protected(image: ImageRecord, now: datetime) -> None:
    waiting = image.protected_until and now < datetime.fromisoformat(image.protected_until)
    refuse_unless(
        image.protection == UNPROTECTED and not waiting,
        "OperationNotPermitted",
        f"The image {image.id} is protected from deregistration"
        + (f" until {image.protected_until}" if waiting else ""),
    )
