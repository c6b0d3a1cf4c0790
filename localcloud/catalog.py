"""The image catalogue: moto's AMIs, backed by records and layers on disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.debian import RELEASES, PublicImage
from localcloud.errors import LocalCloudError
from localcloud.hooks import replace
from localcloud.images import ImageRecord, ImageStore
from localcloud.images import replace as changed
from localcloud.instances import Instances
from localcloud.site import ACCOUNT, Site

_TIME = "%Y-%m-%dT%H:%M:%S.000Z"


class Catalog:
    """Every image that can be launched: Debian's public ones and the site's own."""

    def __init__(self, site: Site, notice: Callable[[str], None]) -> None:
        self._site = site
        self._notice = notice
        self.store = ImageStore(site)
        self._public = {}
        for release in RELEASES:
            image = PublicImage(release, site.cache)
            self._public[image.record().id] = image
        self._own: dict[str, ImageRecord] = {record.id: record for record in self.store.records()}

    def layers_of(self, image_id: str) -> tuple[Path, ...]:
        """The layers of an image, newest first; a public image is built when it is first asked for."""
        if image_id in self._public:
            self._public[image_id].ensure_built(self._notice)
            return (self._public[image_id].tree,)
        if image_id not in self._own or self._own[image_id].state != "available":
            raise LocalCloudError(f"the image {image_id} has no files here")
        return tuple(Path(layer) for layer in self._own[image_id].layers)

    def load(self) -> None:
        """Give moto every image there is, and the SSM parameters that name the newest public ones."""
        backend = _backend(self._site)
        for image in self._public.values():
            _enter(backend, image.record())
            _publish_parameter(self._site, image.release.parameter, image.record().id)
        for record in self._own.values():
            _enter(backend, record)

    def install(self, instances: Instances) -> None:
        """Let CreateImage make images of machines' files, and DeregisterImage drop them."""

        def create_image(response: Any) -> Any:
            from moto.core.responses import ActionResult

            record = self._requested(response)
            response.error_on_dryrun()
            reboot = not response._get_bool_param("NoReboot")
            instance = response.ec2_backend.get_instance(record.source_instance)
            _refuse_unless(
                instance.state in ("running", "stopped"),
                "IncorrectState",
                f"{instance.id} is {instance.state}",
            )
            self._own[record.id] = record
            _enter(response.ec2_backend, record)
            threading.Thread(
                target=self._capture, args=(instances, instance, record, reboot), daemon=True
            ).start()
            return ActionResult({"ImageId": record.id})

        def wrap_deregister(original: Callable[..., Any]) -> Callable[..., Any]:
            def deregister_image(response: Any) -> Any:
                image_id = response._get_param("ImageId")
                _refuse_unless(
                    image_id not in self._public, "AuthFailure", f"Not authorized for image: {image_id}"
                )
                result = original(response)
                self._own.pop(image_id, None)
                self.store.remove(image_id)
                self.store.drop_unused_layers(instances.layers_in_use())
                return result

            return deregister_image

        replace("moto.ec2.responses.amis:AmisResponse.create_image", lambda _: create_image)
        replace("moto.ec2.responses.amis:AmisResponse.deregister_image", wrap_deregister)

    def save(self) -> None:
        """Keep on disk what calls have changed of our images: tags, permissions, state."""
        backend = _backend(self._site)
        for record in list(self._own.values()):
            ami = backend.amis.get(record.id)
            if ami is None:
                continue
            now = changed(
                record,
                description=ami.description or "",
                state=ami.state,
                tags=dict(backend.tags.get(record.id, {})),
                snapshot_tags=dict(backend.tags.get(record.snapshot, {})),
                launch_permissions=tuple(ami.launch_permissions),
            )
            if now != record:
                self._own[record.id] = now
                if now.state != "pending":
                    self.store.write(now)

    def _requested(self, response: Any) -> ImageRecord:
        name = response._get_param("Name")
        taken = [
            ami.id
            for ami in response.ec2_backend.amis.values()
            if ami.name == name and ami.owner_id == ACCOUNT
        ]
        _refuse_unless(
            not taken, "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {taken}"
        )
        tags: dict[str, dict[str, str]] = {"image": {}, "snapshot": {}}
        for specification in response._get_param("TagSpecifications", []):
            kind = specification["ResourceType"]
            _refuse_unless(
                kind in tags, "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type"
            )
            tags[kind] = {tag["Key"]: tag["Value"] for tag in specification["Tags"]}
        return ImageRecord(
            id=f"ami-0{secrets.token_hex(8)}",
            name=name,
            owner=ACCOUNT,
            created=datetime.now(UTC).strftime(_TIME),
            snapshot=f"snap-0{secrets.token_hex(8)}",
            layers=(),
            description=response._get_param("Description", ""),
            source_instance=response._get_param("InstanceId"),
            state="pending",
            tags=tags["image"],
            snapshot_tags=tags["snapshot"],
        )

    def _capture(self, instances: Instances, instance: Any, record: ImageRecord, reboot: bool) -> None:  # noqa: FBT001
        ami = _backend(self._site).amis[record.id]
        layer = self.store.new_layer()
        try:
            layers = instances.capture(instance, layer, reboot=reboot)
        except (LocalCloudError, OSError, KeyError) as why:
            self._notice(f"{record.id} could not be made of {instance.id}: {why}")
            ami.state = "failed"
            return
        done = changed(self._own[record.id], layers=tuple(map(str, layers)), state="available")
        self._own[record.id] = done
        self.store.write(done)
        ami.state = "available"


def _backend(site: Site) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][site.region]


def _enter(backend: Any, record: ImageRecord) -> None:
    from localcloud.ami import ami_of

    backend.amis[record.id] = ami_of(backend, record)


def _publish_parameter(site: Site, name: str, image_id: str) -> None:
    """Seed a public parameter; PutParameter refuses names below /aws, on AWS as in moto."""
    from moto.ssm.models import Parameter, ssm_backends

    parameter = Parameter(
        account_id=ACCOUNT, name=name, value=image_id, parameter_type="String", description=None,
        allowed_pattern=None, keyid=None, last_modified_date=datetime.now(UTC), version=1,
        data_type="aws:ec2:image",
    )  # fmt: skip
    ssm_backends[ACCOUNT][site.region]._parameters[name].append(parameter)


def _refuse_unless(fine: bool, code: str, message: str) -> None:  # noqa: FBT001
    from moto.ec2.exceptions import EC2ClientError

    if not fine:
        raise EC2ClientError(code, message)
