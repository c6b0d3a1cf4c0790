"""How a group launches: RunInstances from its template, in a zone of its own choice."""

from __future__ import annotations

from typing import Any

from localcloud.scaling_records import Config

_NAME_TAG = "aws:autoscaling:groupName"


def run(group: Any, config: Config, zone: str, count: int) -> list[Any]:
    """New instances in a zone. Raises what EC2 refuses with."""
    wanted = _from_template(group, config) if config.template_id else _from_configuration(group)
    reservation = group.ec2_backend.run_instances(
        count=count,
        placement=zone,
        subnet_id=subnet_in(group, zone) or None,
        region_name=group.region,
        tags={"instance": {**group.get_propagated_tags(), _NAME_TAG: group.name}},
        **wanted,
    )
    profile = "" if config.template_id else str(group.launch_config.iam_instance_profile or "")
    for record in reservation.instances if profile else ():
        kind = "arn" if profile.startswith("arn:") else "name"
        group.ec2_backend.associate_iam_instance_profile(
            record.id, **{f"iam_instance_profile_{kind}": profile}
        )
    return list(reservation.instances)


def subnet_in(group: Any, zone: str) -> str:
    """The group's subnet in a zone, empty when it names none there: then it is the zone's default one."""
    for subnet_id in (group.vpc_zone_identifier or "").split(","):
        if subnet_id and group.ec2_backend.get_subnet(subnet_id.strip()).availability_zone == zone:
            return str(subnet_id.strip())
    return ""


def type_of(group: Any, config: Config) -> str:
    """The instance type that a group launches."""
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or [{}]
    if config.template_id:
        return str(overrides[0].get("InstanceType") or _version(group, config).instance_type)
    return str(group.launch_config.instance_type)


def _from_template(group: Any, config: Config) -> dict[str, Any]:
    version = _version(group, config)
    wanted = type_of(group, config)
    return {
        "image_id": version.image_id,
        "user_data": version.user_data,
        "security_group_names": version.security_groups,
        "instance_type": wanted or "m1.small",
        "is_instance_type_default": not wanted,
        "launch_template": {"LaunchTemplateId": config.template_id, "Version": config.version},
    }


def _from_configuration(group: Any) -> dict[str, Any]:
    config = group.launch_config
    return {
        "image_id": config.image_id,
        "user_data": config.user_data,
        "security_group_names": config.security_groups,
        "instance_type": config.instance_type,
        "is_instance_type_default": False,
        "key_name": config.key_name,
        "metadata_options": config.metadata_options,
        "launch_config": config,
    }


def _version(group: Any, config: Config) -> Any:
    return group.ec2_backend.get_launch_template(config.template_id).get_version(config.version)
