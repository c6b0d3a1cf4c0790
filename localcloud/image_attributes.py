"""Calls that change or show one attribute of an image: permissions, deprecation, protection, and more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.calls import Call, answer_also, answer_instead
from localcloud.catalog import Catalog
from localcloud.images import PROTECTED, PROTECTED_WITH_COOLDOWN, TIME, UNPROTECTED
from localcloud.lookup import image_of_ours
from localcloud.refusals import refuse, refuse_unless

_COOLDOWN = timedelta(hours=24)
_SHOWN_KEYS = {
    "UserId": "UserIds",
    "Group": "UserGroups",
    "OrganizationArn": "OrganizationArns",
    "OrganizationalUnitArn": "OrganizationalUnitArns",
}


class ImageAttributes:
    """The calls about single attributes of the account's own images."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def install(self) -> None:
        """Answer these calls, those that moto answers too and those that it does not."""
        answer_instead(
            self._catalog.lock,
            "moto.ec2.responses.amis:AmisResponse",
            (
                self.describe_image_attribute,
                self.modify_image_attribute,
                self.reset_image_attribute,
                self.enable_image,
                self.disable_image,
            ),
        )
        answer_also(
            self._catalog.lock,
            (
                self.enable_image_deprecation,
                self.disable_image_deprecation,
                self.enable_image_deregistration_protection,
                self.disable_image_deregistration_protection,
            ),
        )

    def describe_image_attribute(self, call: Call) -> dict[str, Any]:
        """One attribute of an image."""
        image = image_of_ours(self._catalog, call)
        name = call.text("Attribute")
        refuse_unless(
            name != "blockDeviceMapping", "AuthFailure", "Unauthorized attempt to access restricted resource"
        )
        if name == "launchPermission":
            return {"ImageId": image.id, "LaunchPermissions": list(image.launch_permissions)}
        if name == "productCodes":
            return {"ImageId": image.id, "ProductCodes": []}
        values = {
            "description": image.description,
            "bootMode": image.boot_mode,
            "imdsSupport": image.imds_support,
            "tpmSupport": image.tpm_support,
            "sriovNetSupport": image.sriov_net_support,
            "deregistrationProtection": image.protection,
            "lastLaunchedTime": image.last_launched,
            "kernel": "",
            "ramdisk": "",
            "uefiData": "",
        }
        if name not in values:
            raise refuse("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid")
        member = {"kernel": "KernelId", "ramdisk": "RamdiskId"}.get(name, name[:1].upper() + name[1:])
        return {"ImageId": image.id, member: {"Value": values[name]} if values[name] else {}}

    def modify_image_attribute(self, call: Call) -> None:
        """Change who may launch an image, its description, or whether its instances need IMDSv2."""
        image = image_of_ours(self._catalog, call)
        name, value = call.text("Attribute"), call.get("Value")
        description = (call.get("Description") or {}).get("Value", value if name == "description" else None)
        imds = (call.get("ImdsSupport") or {}).get("Value", value if name == "imdsSupport" else None)
        added, removed = _permissions(call)
        refuse_unless(
            added or removed or description is not None or imds is not None,
            "InvalidParameterCombination",
            "No attributes specified.",
        )
        refuse_unless(
            imds in {None, "v2.0"},
            "InvalidParameterValue",
            f"Value ({imds}) for parameter imdsSupport is invalid. Valid values are: v2.0",
        )
        refuse_unless(
            image.state != "disabled" or not added,
            "InvalidAMIID.Unavailable",
            f"The image {image.id} is disabled and cannot be shared",
        )
        kept = [one for one in image.launch_permissions if one not in removed]
        self._catalog.change(
            image.id,
            description=image.description if description is None else description,
            imds_support=image.imds_support if imds is None else imds,
            launch_permissions=(*kept, *(one for one in added if one not in kept)),
        )

    def reset_image_attribute(self, call: Call) -> None:
        """Take back all launch permissions."""
        image = image_of_ours(self._catalog, call)
        refuse_unless(
            call.text("Attribute") == "launchPermission",
            "InvalidParameterValue",
            f"Value ({call.text('Attribute')}) for parameter attribute is invalid",
        )
        self._catalog.change(image.id, launch_permissions=())

    def enable_image(self, call: Call) -> dict[str, Any]:
        """Let a disabled image be launched again."""
        image = image_of_ours(self._catalog, call)
        if image.state == "disabled":
            self._catalog.change(image.id, state="available")
        return {"Return": True}

    def disable_image(self, call: Call) -> dict[str, Any]:
        """Let an image be launched no more, by nobody; its launch permissions are gone for good."""
        image = image_of_ours(self._catalog, call)
        refuse_unless(
            image.state in {"available", "disabled"},
            "InvalidAMIID.Unavailable",
            f"The image {image.id} is {image.state}",
        )
        self._catalog.change(image.id, state="disabled", launch_permissions=())
        return {"Return": True}

    def enable_image_deprecation(self, call: Call) -> dict[str, Any]:
        """Say when an image becomes deprecated, to the minute."""
        image = image_of_ours(self._catalog, call)
        at = _time(call.get("DeprecateAt"))
        now = self._catalog.clock()
        refuse_unless(
            now < at < now.replace(year=now.year + 10),
            "InvalidParameterValue",
            f"The deprecation time {at:%Y-%m-%dT%H:%M:%SZ} must be in the future and within 10 years",
        )
        rounded = (at + timedelta(seconds=30)).replace(second=0, microsecond=0)
        self._catalog.change(image.id, deprecation=rounded.strftime(TIME))
        return {"Return": True}

    def disable_image_deprecation(self, call: Call) -> dict[str, Any]:
        """Take back a deprecation, a coming or a past one."""
        self._catalog.change(image_of_ours(self._catalog, call).id, deprecation="")
        return {"Return": True}

    def enable_image_deregistration_protection(self, call: Call) -> dict[str, Any]:
        """Let an image not be deregistered."""
        image = image_of_ours(self._catalog, call)
        protection = PROTECTED_WITH_COOLDOWN if call.flag("WithCooldown") else PROTECTED
        self._catalog.change(image.id, protection=protection, protected_until="")
        return {"Return": protection}

    def disable_image_deregistration_protection(self, call: Call) -> dict[str, Any]:
        """Let an image be deregistered: at once, or in 24 hours when the protection has a cooldown."""
        image = image_of_ours(self._catalog, call)
        until = image.protected_until
        if image.protection == PROTECTED_WITH_COOLDOWN:
            until = (self._catalog.clock() + _COOLDOWN).strftime(TIME)
        self._catalog.change(image.id, protection=UNPROTECTED, protected_until=until)
        return {"Return": "disabled"}


def _permissions(call: Call) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """What a call adds to and removes from the launch permissions, in either of its two forms."""
    change = call.get("LaunchPermission") or {}
    added, removed = list(change.get("Add", [])), list(change.get("Remove", []))
    named = [{key: one} for key, plural in _SHOWN_KEYS.items() for one in call.get(plural, [])]
    operation = call.text("OperationType")
    refuse_unless(
        not named or operation in {"add", "remove"},
        "InvalidParameterCombination",
        "OperationType must be add or remove",
    )
    (added if operation == "add" else removed).extend(named)
    _check_permissions([*added, *removed])
    return added, removed


def _check_permissions(permissions: Iterable[dict[str, str]]) -> None:
    for one in permissions:
        user = one.get("UserId", "0" * 12)
        refuse_unless(
            len(user) == 12 and user.isdigit(),
            "InvalidAMIAttributeItemValue",
            f'Invalid attribute item value "{user}" for userId item type.',
        )
        refuse_unless(
            one.get("Group", "all") == "all",
            "InvalidAMIAttributeItemValue",
            f'Invalid attribute item value "{one.get("Group")}" for userGroup item type.',
        )


def _time(value: Any) -> datetime:
    given = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return given if given.tzinfo else given.replace(tzinfo=UTC)
