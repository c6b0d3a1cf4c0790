"""moto's security groups and their members as the firewall takes them, and what moto leaves undone there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any

from localcloud.firewall import Group, Member, Rule
from localcloud.hooks import replace

_BACKEND = "moto.ec2.models:EC2Backend"


def install() -> None:
    """Let a change of an instance's groups take the old ones away, and a default group allow its members."""

    def wrap_instance(original: Callable[..., Any]) -> Callable[..., Any]:
        def modify_instance_security_groups(self: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
            record = original(self, instance_id, new_group_id_list)
            record.nics[0]._group_set = list(record.security_groups)
            return record

        return modify_instance_security_groups

    def wrap_interface(original: Callable[..., Any]) -> Callable[..., Any]:
        def modify_network_interface_attribute(
            self: Any, eni_id: str, group_ids: list[str], *rest: Any
        ) -> None:
            original(self, eni_id, group_ids, *rest)
            interface = self.get_network_interface(eni_id)
            if group_ids and interface.instance and interface.device_index == 0:
                interface.instance.security_groups = list(interface._group_set)

        return modify_network_interface_attribute

    def wrap_vpc(original: Callable[..., Any]) -> Callable[..., Any]:
        def create_vpc(self: Any, *args: Any, **kwargs: Any) -> Any:
            vpc = original(self, *args, **kwargs)
            _allow_itself(self, self.get_default_security_group(vpc.id))
            return vpc

        return create_vpc

    replace(f"{_BACKEND}.modify_instance_security_groups", wrap_instance)
    replace(f"{_BACKEND}.modify_network_interface_attribute", wrap_interface)
    replace(f"{_BACKEND}.create_vpc", wrap_vpc)


def show_default_group(records: Iterable[Any]) -> None:
    """Say of new instances without groups that they got the VPC's default one, which moto does not say."""
    for record in records:
        if not record.security_groups:
            record.security_groups = list(record.nics[0]._group_set)


def members(records: Iterable[Any]) -> list[Member]:
    """The machines that live, with the groups of their interface."""
    return [
        Member(
            record.id,
            IPv4Address(record.private_ip_address),
            tuple(sorted({group.id for group in record.nics[0].group_set})),
        )
        for record in records
        if record.state != "terminated"
    ]


def groups(backend: Any) -> list[Group]:
    """Every security group of a region."""
    return [
        Group(group.id, _rules(group.ingress_rules), _rules(group.egress_rules))
        for of_vpc in list(backend.groups.values())
        for group in list(of_vpc.values())
    ]


def _rules(rules: Iterable[Any]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            protocol=str(rule.ip_protocol),
            from_port=rule.from_port,
            to_port=rule.to_port,
            cidr=rule.cidr_ipv4 or "",
            group=rule.source_group.get("GroupId", ""),
        )
        for rule in list(rules)
    )


def _allow_itself(backend: Any, group: Any) -> None:
    from moto.ec2.models.security_groups import SecurityGroupRule

    if group is not None and not group.ingress_rules:
        itself = {"GroupId": group.id, "OwnerId": group.owner_id}
        group.ingress_rules.append(
            SecurityGroupRule(backend, "-1", group.id, None, None, None, itself, is_egress=False)
        )
