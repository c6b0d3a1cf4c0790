"""Who uses an image: what must not lose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws.leftovers import LIVING

if TYPE_CHECKING:
    from aws.session import Cloud


def in_use_by(cloud: Cloud) -> dict[str, list[str]]:
    """Image id -> the instances that run on it or are stopped with it, and the launch templates that name it.

    Of a launch template its default and its newest version count: the older ones stay for the record.
    """
    users: dict[str, list[str]] = {}
    filters: Any = [{"Name": "instance-state-name", "Values": list(LIVING)}]
    for page in cloud.ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for group in page["Reservations"]:
            for one in group["Instances"]:
                users.setdefault(one["ImageId"], []).append(one["InstanceId"])
    for templates in cloud.ec2.get_paginator("describe_launch_templates").paginate():
        for template in templates["LaunchTemplates"]:
            for image_id in _named(cloud, template["LaunchTemplateId"]):
                users.setdefault(image_id, []).append(template["LaunchTemplateId"])
    return users


def _named(cloud: Cloud, template_id: str) -> set[str]:
    versions = cloud.ec2.describe_launch_template_versions(
        LaunchTemplateId=template_id, Versions=["$Latest", "$Default"]
    )["LaunchTemplateVersions"]
    images = {version["LaunchTemplateData"].get("ImageId", "") for version in versions}
    return images - {""}
