"""CopyImage: an image that stands on the same files as another one."""

from __future__ import annotations

from typing import Any

from localcloud.blockdevices import BlockDevice
from localcloud.calls import Call, answer_instead
from localcloud.capture import Capture
from localcloud.catalog import Catalog, Machines, new_id
from localcloud.image_requests import requested_image
from localcloud.images import UNPROTECTED, ImageRecord, replace
from localcloud.lookup import image_to_use
from localcloud.refusals import refuse_unless
from localcloud.site import ACCOUNT


class ImageCopies:
    """The call that copies images, within a region or into another one."""

    def __init__(self, catalog: Catalog, machines: Machines) -> None:
        self._catalog = catalog
        self._capture = Capture(catalog, machines)

    def install(self) -> None:
        """Answer this call in moto's place."""
        answer_instead(self._catalog.lock, "moto.ec2.responses.amis:AmisResponse", (self.copy_image,))

    def copy_image(self, call: Call) -> dict[str, Any]:
        """Make an image that stands on the same files as another one, of this region or of another."""
        token = call.text("ClientToken")
        source = self._source(call)
        if token and (earlier := self._earlier(token, call, source)):
            return {"ImageId": earlier.id}
        refuse_unless(
            not call.flag("Encrypted"), "Unsupported", "this local cloud keeps no encrypted snapshots"
        )
        tags = call.tags("image", "snapshot")
        asked = requested_image(self._catalog, call, {**self._copied_tags(call, source), **tags["image"]})
        image = replace(
            source,
            id=asked.id,
            name=asked.name,
            owner=ACCOUNT,
            created=asked.created,
            description=call.text("Description")
            or f"[Copied {source.id} from {source.region}] {source.description or source.name}",
            state="pending",
            region=call.region,
            layers=(),
            public=False,
            launch_permissions=(),
            source_instance="",
            source_image=source.id,
            source_region=source.region,
            client_token=token,
            deprecation="",
            protection=UNPROTECTED,
            protected_until="",
            last_launched="",
            tags=asked.tags,
        )
        devices = [self._copied(image, source, device, tags["snapshot"]) for device in source.devices]
        snapshot = next(one.snapshot for one in devices if one.device == source.root_device)
        self._catalog.keep(replace(image, block_devices=tuple(devices), snapshot=snapshot), new=True)
        self._capture.finish_soon(image.id)
        return {"ImageId": image.id}

    def _copied_tags(self, call: Call, source: ImageRecord) -> dict[str, str]:
        tags = self._catalog.tags_of(source) if call.flag("CopyImageTags") and source.own else {}
        return {key: value for key, value in tags.items() if not key.startswith("aws:")}

    def _source(self, call: Call) -> ImageRecord:
        image = image_to_use(self._catalog, call.text("SourceRegion"), call.text("SourceImageId"))
        refuse_unless(
            image.state == "available",
            "InvalidAMIID.Unavailable",
            f"The image id '[{image.id}]' is not available: {image.state}",
        )
        return image

    def _earlier(self, token: str, call: Call, source: ImageRecord) -> ImageRecord | None:
        for image in self._catalog.images.values():
            if image.client_token == token and image.region == call.region:
                refuse_unless(
                    (image.source_image, image.name) == (source.id, call.text("Name")),
                    "IdempotentParameterMismatch",
                    "The client token was used before with other parameters",
                )
                return image
        return None

    def _copied(
        self, image: ImageRecord, source: ImageRecord, device: BlockDevice, tags: dict[str, str]
    ) -> BlockDevice:
        if not device.snapshot:
            return device
        copied = replace(
            self._catalog.snapshots[device.snapshot],
            id=new_id("snap"),
            owner=ACCOUNT,
            region=image.region,
            started=image.created,
            completed=image.created,
            description=f"Copied for DestinationAmi {image.id} from SourceAmi {source.id}"
            f" for SourceSnapshot {device.snapshot}",
            client_token="",
            parent="",
            tags=tags,
        )
        self._catalog.keep(copied, new=True)
        return replace(device, snapshot=copied.id)
