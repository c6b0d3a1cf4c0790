"""What the calls that make images have in common: a name that is free, and a record to begin with."""

from __future__ import annotations

import re

from localcloud.calls import Call
from localcloud.catalog import Catalog, new_id
from localcloud.images import ImageRecord
from localcloud.refusals import refuse_unless
from localcloud.site import ACCOUNT

_NAME = re.compile(r"[a-zA-Z0-9()\[\] ./\-'@_]{3,128}")


def requested_image(catalog: Catalog, call: Call, tags: dict[str, str]) -> ImageRecord:
    """A pending image with the name and description that a call gives it; refused when the name is taken."""
    name = call.text("Name")
    refuse_unless(
        _NAME.fullmatch(name),
        "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long,"
        " and may contain letters, numbers, and ()[] ./-'@_",
    )
    taken = [
        image.id
        for image in catalog.images.values()
        if image.own and image.name == name and image.region == call.region
    ]
    refuse_unless(
        not taken,
        "InvalidAMIName.Duplicate",
        f"AMI name {name} is already in use by AMI {', '.join(taken)}",
    )
    return ImageRecord(
        id=new_id("ami"),
        name=name,
        owner=ACCOUNT,
        created=catalog.now(),
        snapshot="",
        description=call.text("Description"),
        state="pending",
        region=call.region,
        tags=tags,
    )
