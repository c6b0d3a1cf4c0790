"""Where we reach into moto: every private name, with the shape it must have.

moto is pinned exactly; this table makes an upgrade fail at once and by name, not later and strangely.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from localcloud.errors import LocalCloudError

# "module:Class.method" -> its parameters, as `inspect.signature` names them.
HOOKED: dict[str, tuple[str, ...]] = {
    "moto.ec2.models:EC2Backend.create_default_vpc": ("self",),
    "moto.ec2.models:EC2Backend.run_instances": (
        "self", "image_id", "count", "user_data", "security_group_names", "kwargs",
    ),
    "moto.ec2.models.instances:Instance.__init__": (
        "self", "ec2_backend", "image_id", "user_data", "security_groups", "kwargs",
    ),
    "moto.ec2.models.instances:Instance.start": ("self",),
    "moto.ec2.models.instances:Instance.stop": ("self",),
    "moto.ec2.models.instances:Instance.reboot": ("self",),
    "moto.ec2.models.instances:Instance.terminate": ("self",),
    "moto.ec2.models.instances:InstanceBackend.get_instance": ("self", "instance_id"),
    "moto.ec2.models.instances:InstanceBackend._get_template_from_args": ("self", "launch_template_arg"),
    "moto.ec2.responses.instances:InstanceResponse.run_instances": ("self",),
    "moto.ec2.models:EC2Backend.associate_iam_instance_profile": (
        "self", "instance_id", "iam_instance_profile_name", "iam_instance_profile_arn",
    ),
    "moto.ec2.models:EC2Backend.create_vpc": (
        "self", "cidr_block", "instance_tenancy", "amazon_provided_ipv6_cidr_block",
        "ipv6_cidr_block_network_border_group", "tags", "is_default",
    ),
    "moto.ec2.models:EC2Backend.modify_instance_security_groups": (
        "self", "instance_id", "new_group_id_list",
    ),
    "moto.ec2.models:EC2Backend.modify_network_interface_attribute": (
        "self", "eni_id", "group_ids", "source_dest_check", "description",
    ),
    "moto.ec2.models:EC2Backend.modify_instance_metadata_options": (
        "self", "instance_id", "http_tokens", "hop_limit", "http_endpoint", "dry_run", "http_protocol",
        "metadata_tags",
    ),
    "moto.ec2.models:EC2Backend.describe_instance_status": (
        "self", "instance_ids", "include_all_instances", "filters",
    ),
    "moto.ec2.responses.launch_templates:LaunchTemplates.create_launch_template_version": ("self",),
    "moto.ec2.models.launch_templates:LaunchTemplate.create_version": ("self", "data", "description"),
    "moto.ec2.models.launch_templates:LaunchTemplateBackend.describe_launch_templates": (
        "self", "template_names", "template_ids", "filters",
    ),
    "moto.autoscaling.responses:AutoScalingResponse.put_scaling_policy": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.delete_policy": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.execute_policy": ("self",),
    "moto.autoscaling.models:AutoScalingBackend.put_scheduled_update_group_action": (
        "self", "name", "desired_capacity", "max_size", "min_size", "scheduled_action_name", "start_time",
        "end_time", "recurrence", "timezone",
    ),
    "moto.autoscaling.models:AutoScalingBackend.delete_scheduled_action": (
        "self", "auto_scaling_group_name", "scheduled_action_name",
    ),
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm": (
        "self", "name", "namespace", "metric_name", "comparison_operator", "evaluation_periods", "period",
        "threshold", "statistic", "description", "dimensions", "alarm_actions", "metric_data_queries",
        "datapoints_to_alarm", "extended_statistic", "ok_actions", "insufficient_data_actions", "unit",
        "actions_enabled", "treat_missing_data", "evaluate_low_sample_count_percentile",
        "threshold_metric_id", "rule", "tags",
    ),
    "moto.cloudwatch.models:CloudWatchBackend.set_alarm_state": (
        "self", "alarm_name", "reason", "reason_data", "state_value",
    ),
    "moto.autoscaling.models:FakeAutoScalingGroup.set_desired_capacity": ("self", "new_capacity"),
    "moto.autoscaling.models:AutoScalingBackend.update_attached_elbs": ("self", "group_name"),
    "moto.autoscaling.models:AutoScalingBackend.update_attached_target_groups": ("self", "group_name"),
    "moto.autoscaling.models:AutoScalingBackend.notify_terminate_instances": ("self", "instance_ids"),
    "moto.autoscaling.responses:AutoScalingResponse.create_auto_scaling_group": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.update_auto_scaling_group": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.delete_auto_scaling_group": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.set_desired_capacity": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.attach_load_balancers": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.detach_load_balancers": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.attach_load_balancer_target_groups": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.detach_load_balancer_target_groups": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.put_warm_pool": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.describe_scaling_activities": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.describe_auto_scaling_instances": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.put_lifecycle_hook": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.set_instance_health": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.terminate_instance_in_auto_scaling_group": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.enter_standby": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.exit_standby": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.attach_instances": ("self",),
    "moto.autoscaling.responses:AutoScalingResponse.detach_instances": ("self",),
    "moto.ec2.responses.general:General.get_console_output": ("self",),
    "moto.ec2.responses.instances:InstanceResponse._parse_block_device_mapping": ("self",),
    "moto.ec2.responses.amis:AmisResponse.create_image": ("self",),
    "moto.ec2.responses.amis:AmisResponse.register_image": ("self",),
    "moto.ec2.responses.amis:AmisResponse.copy_image": ("self",),
    "moto.ec2.responses.amis:AmisResponse.deregister_image": ("self",),
    "moto.ec2.responses.amis:AmisResponse.describe_images": ("self",),
    "moto.ec2.responses.amis:AmisResponse.describe_image_attribute": ("self",),
    "moto.ec2.responses.amis:AmisResponse.modify_image_attribute": ("self",),
    "moto.ec2.responses.amis:AmisResponse.reset_image_attribute": ("self",),
    "moto.ec2.responses.amis:AmisResponse.enable_image": ("self",),
    "moto.ec2.responses.amis:AmisResponse.disable_image": ("self",),
    "moto.ec2.responses.elastic_block_store:ElasticBlockStore.create_snapshot": ("self",),
    "moto.ec2.responses.elastic_block_store:ElasticBlockStore.create_snapshots": ("self",),
    "moto.ec2.responses.elastic_block_store:ElasticBlockStore.copy_snapshot": ("self",),
    "moto.ec2.responses.elastic_block_store:ElasticBlockStore.delete_snapshot": ("self",),
    "moto.ec2.responses.elastic_block_store:ElasticBlockStore.describe_snapshots": ("self",),
    "moto.ec2.models.amis:Ami.get_filter_value": ("self", "filter_name", "method_name"),
    "moto.ec2.models.elastic_block_store:Snapshot.get_filter_value": ("self", "filter_name", "method_name"),
    "moto.ec2.responses.instances:InstanceResponse.describe_instances": ("self",),
    "moto.ec2.models.tags:TagBackend.describe_tags": ("self", "filters"),
    "moto.core.serialize:XFormedAttributePicker.get_possible_keys": ("self", "context"),
    "moto.ec2.models.tags:TagBackend.create_tags": ("self", "resource_ids", "tags"),
    "moto.ec2.responses._base_response:EC2BaseResponse._filters_from_querystring": ("self",),
    "moto.ec2.responses._base_response:EC2BaseResponse.error_on_dryrun": ("self",),
    "moto.route53.responses:Route53.create_hosted_zone": ("self",),
    "moto.route53.responses:Route53.delete_hosted_zone": ("self",),
    "moto.route53.responses:Route53.change_resource_record_sets": ("self",),
    "moto.route53.responses:Route53.get_change": ("self",),
    "moto.route53.models:Route53Backend.change_resource_record_sets": ("self", "zoneid", "change_list"),
    "moto.route53.models:Route53Backend.create_hosted_zone": (
        "self", "name", "private_zone", "caller_reference", "vpcid", "vpcregion", "comment",
        "delegation_set_id",
    ),
    "moto.ssm.models:Parameter.__init__": (
        "self", "account_id", "name", "value", "parameter_type", "description", "allowed_pattern", "keyid",
        "last_modified_date", "version", "data_type", "labels", "source_result", "tier", "policies",
    ),
    # Load balancers.
    "moto.elb.models:LoadBalancer.__init__": (
        "self", "account_id", "name", "zones", "ports", "scheme", "vpc_id", "subnets", "security_groups",
    ),
    "moto.elb.models:ELBBackend.create_load_balancer": (
        "self", "name", "zones", "ports", "scheme", "subnets", "security_groups",
    ),
    "moto.elb.models:ELBBackend.create_load_balancer_listeners": ("self", "name", "ports"),
    "moto.elb.models:ELBBackend.delete_load_balancer_listeners": ("self", "name", "ports"),
    "moto.elb.models:ELBBackend.delete_load_balancer": ("self", "load_balancer_name"),
    "moto.elb.models:ELBBackend.register_instances": (
        "self", "load_balancer_name", "instance_ids", "from_autoscaling",
    ),
    "moto.elb.models:ELBBackend.deregister_instances": (
        "self", "load_balancer_name", "instance_ids", "from_autoscaling",
    ),
    "moto.elb.models:ELBBackend.modify_load_balancer_attributes": (
        "self", "load_balancer_name", "cross_zone", "connection_settings", "connection_draining",
        "access_log", "additional_attributes",
    ),
    "moto.elb.models:ELBBackend.describe_instance_health": ("self", "lb_name", "instances"),
    "moto.elb.responses:ELBResponse.register_instances_with_load_balancer": ("self",),
    "moto.elb.responses:ELBResponse.deregister_instances_from_load_balancer": ("self",),
    "moto.elb.responses:ELBResponse.describe_instance_health": ("self",),
    "moto.elbv2.models:FakeLoadBalancer.__init__": (
        "self", "name", "security_groups", "subnets", "vpc_id", "arn", "dns_name", "state", "scheme",
        "loadbalancer_type", "ip_address_type",
    ),
    "moto.elbv2.models:FakeLoadBalancer.activate": ("self",),
    "moto.elbv2.models:ELBv2Backend.create_load_balancer": (
        "self", "name", "security_groups", "subnet_ids", "subnet_mappings", "scheme", "loadbalancer_type",
        "ip_address_type", "tags",
    ),
    "moto.elbv2.models:ELBv2Backend.delete_load_balancer": ("self", "arn"),
    "moto.elbv2.models:ELBv2Backend.describe_target_health": ("self", "target_group_arn", "targets"),
    "moto.elbv2.models:FakeTargetGroup.register": ("self", "targets"),
    "moto.elbv2.models:FakeTargetGroup.health_for": ("self", "target", "ec2_backend"),
    # CloudWatch's metrics.
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_data": ("self", "namespace", "metric_data"),
    "moto.cloudwatch.models:CloudWatchBackend.get_metric_data": (
        "self", "queries", "start_time", "end_time", "scan_by",
    ),
    "moto.cloudwatch.models:CloudWatchBackend.get_metric_statistics": (
        "self", "namespace", "metric_name", "start_time", "end_time", "period", "stats", "dimensions", "unit",
    ),
    "moto.cloudwatch.models:CloudWatchBackend.get_all_metrics": ("self",),
    "moto.cloudwatch.models:CloudWatchBackend._validate_parameters_put_metric_data": (
        "self", "metric", "query_num",
    ),
    "moto.cloudwatch.responses:CloudWatchResponse.get_metric_statistics": ("self",),
    "moto.cloudwatch.responses:CloudWatchResponse.describe_alarms": ("self",),
}  # fmt: skip

# "module:Class.method" that moto lacks and we add; an upgrade that brings one must be looked at.
ADDED: tuple[str, ...] = (
    "moto.ec2.responses:EC2Response.enable_image_deprecation",
    "moto.ec2.responses:EC2Response.disable_image_deprecation",
    "moto.ec2.responses:EC2Response.enable_image_deregistration_protection",
    "moto.ec2.responses:EC2Response.disable_image_deregistration_protection",
    "moto.cloudwatch.responses:CloudWatchResponse.describe_alarm_history",
    "moto.autoscaling.responses:AutoScalingResponse.complete_lifecycle_action",
    "moto.autoscaling.responses:AutoScalingResponse.record_lifecycle_action_heartbeat",
    "moto.autoscaling.responses:AutoScalingResponse.start_instance_refresh",
    "moto.autoscaling.responses:AutoScalingResponse.describe_instance_refreshes",
    "moto.autoscaling.responses:AutoScalingResponse.cancel_instance_refresh",
    "moto.autoscaling.responses:AutoScalingResponse.rollback_instance_refresh",
)


def verify() -> None:
    """Raise LocalCloudError naming every hooked name that is gone or has changed."""
    wrong = [f"{target}: {said}" for target, wanted in HOOKED.items() if (said := _differs(target, wanted))]
    wrong += [f"{target}: is there already" for target in ADDED if hasattr(*_find(target))]
    if wrong:
        raise LocalCloudError(
            "this moto is not the one the local cloud was made for: " + "; ".join(wrong),
            "install the pinned version: pip install -e .",
        )


def replace(target: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(original)` in place of a hooked function. Only names in HOOKED can be replaced."""
    if target not in HOOKED:
        raise KeyError(f"{target} is not in HOOKED")
    owner, name = _find(target)
    setattr(owner, name, make(getattr(owner, name)))


def add(target: str, method: Callable[..., Any]) -> None:
    """Give a class of moto's a method that it lacks. Only names in ADDED can be added."""
    if target not in ADDED:
        raise KeyError(f"{target} is not in ADDED")
    owner, name = _find(target)
    setattr(owner, name, method)


def _differs(target: str, wanted: tuple[str, ...]) -> str:
    try:
        owner, name = _find(target)
        found = tuple(inspect.signature(getattr(owner, name)).parameters)
    except (ImportError, AttributeError) as why:
        return str(why)
    return "" if found == wanted else f"takes {', '.join(found)} instead of {', '.join(wanted)}"


def _find(target: str) -> tuple[Any, str]:
    module, _, path = target.partition(":")
    owner_name, _, name = path.partition(".")
    return getattr(importlib.import_module(module), owner_name), name
