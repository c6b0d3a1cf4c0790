"""What an image has to say when it is launched: whether, and with which block devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.blockdevices import laid_over
from localcloud.catalog import Catalog
from localcloud.hooks import replace
from localcloud.images import ImageRecord
from localcloud.lookup import image_to_use
from localcloud.refusals import refuse_unless


def install(catalog: Catalog) -> None:
    """Look at the image of every launch, whoever asks for it."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def run_instances(
            self: Any,
            image_id: str,
            count: int,
            user_data: Any,
            security_group_names: list[str],
            **kwargs: Any,
        ) -> Any:
            template = kwargs.get("launch_template")
            data = self._get_template_from_args(template).data if template else {}
            image = _launchable(catalog, self.region_name, image_id or data.get("ImageId") or "")
            asked = kwargs.get("block_device_mappings") or data.get("BlockDeviceMappings") or []
            devices = [device.shown() for device in laid_over(image.devices, asked)]
            kwargs["block_device_mappings"] = devices
            reservation = original(self, image_id, count, user_data, security_group_names, **kwargs)
            catalog.change(image.id, last_launched=catalog.now())
            return reservation

        return run_instances

    replace("moto.ec2.models:EC2Backend.run_instances", wrap)
    # Moto's own fills in defaults of its own, which could then not be told from what was asked for.
    replace(
        "moto.ec2.responses.instances:InstanceResponse._parse_block_device_mapping",
        lambda _: lambda self: self._get_param("BlockDeviceMappings", []),
    )


def _launchable(catalog: Catalog, region: str, image_id: str) -> ImageRecord:
    refuse_unless(image_id, "MissingParameter", "The request must contain the parameter ImageId")
    image = image_to_use(catalog, region, image_id)
    refuse_unless(
        image.state == "available",
        "InvalidAMIID.Unavailable",
        f"The image ID '{image.id}' is not available: {image.state}",
    )
    refuse_unless(
        region == catalog.site.region,
        "Unsupported",
        f"machines of this local cloud live in {catalog.site.region}; copy {image.id} there to launch it",
    )
    refuse_unless(
        catalog.bootable(image),
        "Unsupported",
        "this local cloud boots images made of machines (CreateImage, and RegisterImage of their snapshots);"
        f" {image.id} is made of a raw disk",
    )
    return image
