"""Calls of the classic load balancer API that moto answers wrongly, answered from what really happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from localcloud import lb_classic, lb_health
from localcloud.hooks import replace
from localcloud.lb_classic_records import Found, invalid_instance
from localcloud.lb_health import Finding, Phase, Told
from localcloud.lb_places import place_of

_RESPONSE = "moto.elb.responses:ELBResponse"
# What AWS says in us-east-1, whose names moto's load balancers have everywhere.
_HOSTED_ZONE = "Z35SXDOTRQ7X7K"


class Findings(Protocol):
    """What is known of the load balancers that run."""

    def runs(self, balancer_id: str) -> bool:
        """Whether a load balancer carries traffic."""
        ...

    def finding(self, balancer_id: str, pool: str, target_id: str) -> Finding | None:
        """How a target stands, None when it is not there."""
        ...

    def leaving(self, balancer_id: str, pool: str) -> list[str]:
        """The targets of a pool that are draining."""
        ...


def install(findings: Findings, found: Found) -> None:
    """Answer registering with the list that results, and health with what the checks found."""
    from moto.elb.models import LoadBalancer

    # moto tells everything that it finds in a record, and lacks this, which a DNS alias names.
    record_type: Any = LoadBalancer
    record_type.canonical_hosted_zone_name_id = _HOSTED_ZONE
    _list_after("register_instances_with_load_balancer", "register_instances")
    _list_after("deregister_instances_from_load_balancer", "deregister_instances")

    def describe_instance_health(self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.elb.exceptions import LoadBalancerNotFoundError

        name = self._get_param("LoadBalancerName")
        record = self.elb_backend.get_load_balancer(name)
        if record is None:
            raise LoadBalancerNotFoundError(name)
        asked = [one["InstanceId"] for one in self._get_param("Instances", [])]
        states = [_state(record, one, found(one), findings) for one in asked or _shown(record, findings)]
        return ActionResult({"InstanceStates": states})

    def wrap_backend(_: Callable[..., Any]) -> Callable[..., Any]:
        def describe(self: Any, lb_name: str, instances: list[dict[str, str]]) -> list[dict[str, Any]]:
            record = self.get_load_balancer(lb_name)
            asked = [one["InstanceId"] for one in instances] or record.instance_ids
            return [_state(record, one, found(one), findings) for one in asked]

        return describe

    replace(f"{_RESPONSE}.describe_instance_health", lambda _: describe_instance_health)
    replace("moto.elb.models:ELBBackend.describe_instance_health", wrap_backend)


def _state(record: Any, instance_id: str, instance: Any, findings: Findings) -> dict[str, str]:
    told = told_of(record, instance_id, instance, findings)
    return {
        "InstanceId": instance_id,
        "State": told.state,
        "ReasonCode": told.reason,
        "Description": told.description,
    }


def told_of(record: Any, instance_id: str, instance: Any, findings: Findings) -> Told:
    """An instance's state. Raises what ELB answers for an instance that there is not."""
    found = _finding(record, instance_id, findings)
    if instance_id not in record.instance_ids:
        if found is not None and record.attributes["connection_draining"]["enabled"]:
            return lb_health.classic(Finding(Phase.DRAINING))
        if instance is None or instance.state == "terminated":
            raise invalid_instance()
        return lb_health.CLASSIC_NOT_REGISTERED
    state = instance.state if instance is not None else "terminated"
    if state != "running":
        return lb_health.classic_not_running(state)
    if instance.placement.zone not in lb_classic.zones(record):
        return lb_health.CLASSIC_OTHER_ZONE
    return lb_health.classic(found or Finding(Phase.REGISTERING))


def _finding(record: Any, instance_id: str, findings: Findings) -> Finding | None:
    """The worst that the pools of a load balancer say of an instance."""
    place = place_of(record)
    if place is None:
        return None
    found = [findings.finding(place.id, name, instance_id) for name in lb_classic.pool_names(record)]
    known = [one for one in found if one is not None]
    return min(known, key=lambda one: one.phase) if known and len(known) == len(found) else None


def _shown(record: Any, findings: Findings) -> list[str]:
    place = place_of(record)
    if place is None:
        return list(record.instance_ids)
    leaving = [one for name in lb_classic.pool_names(record) for one in findings.leaving(place.id, name)]
    draining = record.attributes["connection_draining"]["enabled"]
    return list(dict.fromkeys([*record.instance_ids, *(leaving if draining else ())]))


def _list_after(action: str, method: str) -> None:
    def act(self: Any) -> Any:
        from moto.core.responses import ActionResult

        ids = [one["InstanceId"] for one in self._get_param("Instances", [])]
        record = getattr(self.elb_backend, method)(self._get_param("LoadBalancerName"), ids)
        return ActionResult({"Instances": [{"InstanceId": one} for one in record.instance_ids]})

    replace(f"{_RESPONSE}.{action}", lambda _: act)
