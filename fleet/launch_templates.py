"""Launch templates of a deployment: what each server template's nodes are launched from."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws.ownership import specification, tag_list, tags_of
from aws.userdata import node_user_data
from fleet.naming import DEPLOYMENT, DIGEST, SCALED, TEMPLATE

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.naming import Names
    from fleet.wanted import Kind


@dataclass(frozen=True)
class ActualTemplate:
    """A launch template as it is."""

    id: str
    name: str
    template: str
    digest: str
    version: int
    scaled: str = ""


def described(cloud: Cloud, deployment: str) -> dict[str, ActualTemplate]:
    """The deployment's launch templates, by the name of their server template."""
    filters: Any = [{"Name": f"tag:{DEPLOYMENT}", "Values": [deployment]}]
    pages = cloud.ec2.get_paginator("describe_launch_templates").paginate(Filters=filters)
    found = [_actual(one) for page in pages for one in page["LaunchTemplates"]]
    return {one.template: one for one in found}


def put(
    cloud: Cloud, kind: Kind, names: Names, tags: Mapping[str, str], data: Any, there: ActualTemplate | None
) -> None:
    """Make a launch template, or a new version of one that becomes its default."""
    own = {**tags, "Name": kind.launch_template, TEMPLATE: kind.name, DIGEST: kind.digest}
    if there is None:
        cloud.ec2.create_launch_template(
            LaunchTemplateName=kind.launch_template,
            VersionDescription=f"{names.deployment} {kind.digest}",
            LaunchTemplateData=data,
            TagSpecifications=specification(own, "launch-template"),
        )
        return
    version = cloud.ec2.create_launch_template_version(
        LaunchTemplateId=there.id,
        VersionDescription=f"{names.deployment} {kind.digest}",
        LaunchTemplateData=data,
    )["LaunchTemplateVersion"]["VersionNumber"]
    cloud.ec2.modify_launch_template(LaunchTemplateId=there.id, DefaultVersion=str(version))
    # The tag comes last: where this is cut short before it, the next run makes the version again.
    cloud.ec2.create_tags(Resources=[there.id], Tags=tag_list({DIGEST: kind.digest}))


def version_of(cloud: Cloud, there: ActualTemplate, digest: str) -> int:
    """The newest version that was made of what a digest stands for; 0 where there is none."""
    if digest == there.digest:
        return there.version
    pages = cloud.ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=there.id)
    found = [one for page in pages for one in page["LaunchTemplateVersions"]]
    made = [one["VersionNumber"] for one in found if one.get("VersionDescription", "").endswith(f" {digest}")]
    return max(made, default=0)


def use(cloud: Cloud, there: ActualTemplate, version: int, digest: str) -> None:
    """Make an earlier version the default again."""
    cloud.ec2.modify_launch_template(LaunchTemplateId=there.id, DefaultVersion=str(version))
    cloud.ec2.create_tags(Resources=[there.id], Tags=tag_list({DIGEST: digest}))


def remember_scale(cloud: Cloud, there: ActualTemplate, base: int, count: int) -> None:
    """Keep how many nodes were asked for, beside the number in the file that this overrules."""
    if base == count:
        cloud.ec2.delete_tags(Resources=[there.id], Tags=[{"Key": SCALED}])
    else:
        cloud.ec2.create_tags(Resources=[there.id], Tags=tag_list({SCALED: f"{base}->{count}"}))


def remove(cloud: Cloud, there: ActualTemplate) -> None:
    """Delete a launch template; nodes that came of it stay."""
    cloud.ec2.delete_launch_template(LaunchTemplateId=there.id)


def data(
    kind: Kind, tags: Mapping[str, str], key_name: str, group_ids: Sequence[str], inputs: Mapping[str, str]
) -> dict[str, Any]:
    """What EC2 needs to launch a node of a kind. Metadata is IMDSv2 only, always."""
    own = {**tags, "Name": f"{tags['Name']}-{kind.name}", TEMPLATE: kind.name, DIGEST: kind.digest}
    content: dict[str, Any] = {
        "ImageId": kind.image.id,
        "InstanceType": kind.template.instance_type,
        "KeyName": key_name,
        "SecurityGroupIds": [*group_ids, *kind.template.security_groups],
        "IamInstanceProfile": {"Name": kind.role},
        "UserData": base64.b64encode(user_data(kind, inputs).encode()).decode(),
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "enabled",
        },
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": specification(own, "instance", "volume"),
    }
    if kind.template.root_gib:
        volume = {"VolumeSize": kind.template.root_gib, "DeleteOnTermination": True}
        content["BlockDeviceMappings"] = [{"DeviceName": kind.image.root_device, "Ebs": volume}]
    return content


def user_data(kind: Kind, inputs: Mapping[str, str]) -> str:
    """What a node of a kind is handed."""
    return node_user_data({**inputs, **dict(kind.inputs)}, dict(kind.template.run_lists) or None)


def _actual(described: Any) -> ActualTemplate:
    tags = tags_of(described)
    return ActualTemplate(
        id=described["LaunchTemplateId"],
        name=described["LaunchTemplateName"],
        template=tags.get(TEMPLATE, ""),
        digest=tags.get(DIGEST, ""),
        version=described["DefaultVersionNumber"],
        scaled=tags.get(SCALED, ""),
    )
