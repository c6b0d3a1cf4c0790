"""DescribeImages: which images a caller sees, by what they are found, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from localcloud.calls import Call, answer_instead
from localcloud.catalog import Catalog
from localcloud.filters import passes, values_of_tags
from localcloud.images import ImageRecord
from localcloud.lookup import image_to_use
from localcloud.pages import page
from localcloud.refusals import refuse_unless
from localcloud.site import ACCOUNT


class ImageDescriptions:
    """The call that lists images."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def install(self) -> None:
        """Answer this call in moto's place."""
        answer_instead(self._catalog.lock, "moto.ec2.responses.amis:AmisResponse", (self.describe_images,))

    def describe_images(self, call: Call) -> dict[str, Any]:
        """The images that the call asks for, a page of them."""
        ids, filters = call.get("ImageIds", []), call.filters()
        refuse_unless(
            not (ids and call.number("MaxResults")),
            "InvalidParameterCombination",
            "The parameter imageIds cannot be used with the parameter maxResults",
        )
        named = [image_to_use(self._catalog, call.region, one) for one in ids]
        here = [image for image in self._catalog.images.values() if image.region == call.region]
        seen = [image for image in named or here if self._seen(image, call)]
        tags = {image.id: self._catalog.tags_of(image) for image in seen}
        found = [image for image in seen if passes(filters, partial(values_of, image, tags[image.id]))]
        shown, token = page(found, _order, call.number("MaxResults"), call.text("NextToken"))
        images = [describe(image, tags[image.id]) for image in shown]
        return {"Images": images, **({"NextToken": token} if token else {})}

    def _seen(self, image: ImageRecord, call: Call) -> bool:
        owners, users = call.get("Owners", []), call.get("ExecutableUsers", [])
        deprecated = image.deprecation and image.deprecation <= self._catalog.now()
        return (
            image.may_be_launched_by(ACCOUNT)
            and (not owners or image.owner in [ACCOUNT if one == "self" else one for one in owners])
            and (not users or _executable(image, users))
            and (not deprecated or image.own or call.flag("IncludeDeprecated"))
            and (image.state != "disabled" or call.flag("IncludeDisabled"))
        )


def describe(image: ImageRecord, tags: Mapping[str, str]) -> dict[str, Any]:
    """An image as EC2 shows it; what was not said of it is not shown."""
    said = {
        "Description": image.description,
        "BootMode": image.boot_mode,
        "ImdsSupport": image.imds_support,
        "TpmSupport": image.tpm_support,
        "SriovNetSupport": image.sriov_net_support,
        "DeprecationTime": image.deprecation,
        "LastLaunchedTime": image.last_launched,
        "SourceInstanceId": image.source_instance,
        "SourceImageId": image.source_image,
        "SourceImageRegion": image.source_region,
        "StateReason": {"Code": "Client.InternalError", "Message": image.state_reason}
        if image.state_reason
        else None,
    }
    return {key: value for key, value in said.items() if value} | {
        "ImageId": image.id,
        "Name": image.name,
        "ImageLocation": f"{image.owner}/{image.name}",
        "OwnerId": image.owner,
        "State": image.state,
        "Public": image.is_public,
        "CreationDate": datetime.fromisoformat(image.created),
        "Architecture": image.architecture,
        "ImageType": "machine",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "Hypervisor": "xen",
        "VirtualizationType": image.virtualization,
        "RootDeviceName": image.root_device,
        "RootDeviceType": "ebs",
        "EnaSupport": image.ena_support,
        "DeregistrationProtection": image.protection,
        "BlockDeviceMappings": [device.shown() for device in image.devices],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def values_of(image: ImageRecord, tags: Mapping[str, str], name: str) -> Sequence[object] | None:
    """What a filter of DescribeImages looks at in an image; None when EC2 has no such filter."""
    if (found := values_of_tags(tags, name)) is not None:
        return found
    if name.startswith("block-device-mapping."):
        return _values_of_devices(image, name.removeprefix("block-device-mapping."))
    values: dict[str, object] = {
        "architecture": image.architecture,
        "boot-mode": image.boot_mode,
        "creation-date": image.created,
        "description": image.description,
        "ena-support": image.ena_support,
        "hypervisor": "xen",
        "image-id": image.id,
        "image-type": "machine",
        "imds-support": image.imds_support,
        "is-public": image.is_public,
        "kernel-id": "",
        "manifest-location": f"{image.owner}/{image.name}",
        "name": image.name,
        "owner-alias": "",
        "owner-id": image.owner,
        "platform": "",
        "product-code": "",
        "product-code.type": "",
        "ramdisk-id": "",
        "root-device-name": image.root_device,
        "root-device-type": "ebs",
        "source-image-id": image.source_image,
        "source-image-region": image.source_region,
        "source-instance-id": image.source_instance,
        "sriov-net-support": image.sriov_net_support,
        "state": image.state,
        "state-reason-code": "Client.InternalError" if image.state_reason else "",
        "state-reason-message": image.state_reason,
        "tpm-support": image.tpm_support,
        "virtualization-type": image.virtualization,
    }
    return [value for value in [values[name]] if value != ""] if name in values else None


def _values_of_devices(image: ImageRecord, name: str) -> Sequence[object] | None:
    of_each: dict[str, list[object]] = {
        "delete-on-termination": [device.delete_on_termination for device in image.devices],
        "device-name": [device.device for device in image.devices],
        "encrypted": [False for _ in image.devices],
        "snapshot-id": list(image.snapshots),
        "volume-size": [device.size_gib for device in image.devices],
        "volume-type": [device.volume_type for device in image.devices],
    }
    return of_each.get(name)


def _executable(image: ImageRecord, users: Sequence[str]) -> bool:
    """Whether one of the users was given permission; `self` is not given any to its own images."""
    wanted = [
        {"Group": "all"} if one == "all" else {"UserId": ACCOUNT if one == "self" else one} for one in users
    ]
    return any(permission in image.launch_permissions for permission in wanted)


def _order(image: ImageRecord) -> str:
    return f"{image.created} {image.id}"
