"""What moto's records of classic load balancers lack, added where it keeps its books."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.elb.models import FakeHealthCheck, FakeListener

from localcloud import lb_places
from localcloud.hooks import replace
from localcloud.site import Site

_MODELS = "moto.elb.models"

Found = Callable[[str], Any]
"""Instance id -> EC2's record, None for an instance that there is not."""


class LocalListener(FakeListener):  # type: ignore[misc]
    """A listener that knows by which protocol instances are spoken to, which moto drops."""

    spoken = ""

    @property
    def instance_protocol(self) -> str:
        """The protocol towards instances."""
        return self.spoken or {"HTTPS": "HTTP", "SSL": "TCP"}.get(self.protocol, str(self.protocol))


def install(site: Site, found: Found) -> None:
    """Complete and check what is recorded; `found` finds instances."""
    replace(f"{_MODELS}:LoadBalancer.__init__", lambda original: _born(original, site))
    replace(f"{_MODELS}:ELBBackend.create_load_balancer", _created)
    replace(f"{_MODELS}:ELBBackend.create_load_balancer_listeners", _listeners_added)
    replace(f"{_MODELS}:ELBBackend.delete_load_balancer_listeners", lambda _: _delete_listeners)
    replace(f"{_MODELS}:ELBBackend.delete_load_balancer", _deleted)
    replace(f"{_MODELS}:ELBBackend.register_instances", lambda original: _registered(original, found))
    replace(f"{_MODELS}:ELBBackend.deregister_instances", _deregistered)
    replace(f"{_MODELS}:ELBBackend.modify_load_balancer_attributes", _attributes_modified)


def _born(original: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """A name in AWS's form, the default health check, and a place in the VPC."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.dns_name = lb_places.dns_name(self.name, "classic", site.region, self.scheme)
        self.canonical_hosted_zone_name_id = lb_places.HOSTED_ZONES["classic"]
        _speak(self, kwargs["ports"])
        first = self.listeners[0]
        kind = "TCP" if first.instance_protocol in ("TCP", "HTTP", "HTTPS") else "SSL"
        self.health_check = FakeHealthCheck("5", "10", "2", "30", f"{kind}:{first.instance_port}")
        ec2 = _ec2(kwargs["account_id"], site.region)
        subnets = [ec2.get_subnet(subnet_id) for subnet_id in self.subnets]
        self.availability_zones = list(
            self.availability_zones or sorted({subnet.availability_zone for subnet in subnets})
        )
        lb_places.settle(site, self, subnets)

    return init


def _created(original: Callable[..., Any]) -> Callable[..., Any]:
    """A group that is made because none was named lets in what the listeners wait for."""

    def create_load_balancer(self: Any, *args: Any, **kwargs: Any) -> Any:
        record = original(self, *args, **kwargs)
        if not kwargs.get("security_groups"):
            for listener in record.listeners:
                port = str(listener.load_balancer_port)
                _ec2(self.account_id, self.region_name).authorize_security_group_ingress(
                    group_name_or_id=record.security_groups[0],
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    ip_ranges=[{"CidrIp": "0.0.0.0/0"}],
                )
        return record

    return create_load_balancer


def _listeners_added(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_load_balancer_listeners(self: Any, name: str, ports: list[dict[str, Any]]) -> Any:
        _of_name(self, name)
        record = original(self, name, ports)
        _speak(record, ports)
        return record

    return create_load_balancer_listeners


def _delete_listeners(self: Any, name: str, ports: Iterable[str]) -> Any:
    record = _of_name(self, name)
    gone = {int(port) for port in ports}
    record.listeners = [one for one in record.listeners if int(one.load_balancer_port) not in gone]
    return record


def _deleted(original: Callable[..., Any]) -> Callable[..., Any]:
    def delete_load_balancer(self: Any, load_balancer_name: str) -> None:
        record = self.load_balancers.get(load_balancer_name)
        original(self, load_balancer_name)
        if record is not None:
            lb_places.leave(record, _ec2(self.account_id, self.region_name))

    return delete_load_balancer


def _registered(original: Callable[..., Any], found: Found) -> Callable[..., Any]:
    """Each instance once, and none that does not exist."""

    def register_instances(
        self: Any, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: Any = None
    ) -> Any:
        record = _of_name(self, load_balancer_name)
        asked = list(instance_ids)
        for instance_id in asked:
            if found(instance_id) is None:
                raise invalid_instance()
        new = [one for one in dict.fromkeys(asked) if one not in record.instance_ids]
        return original(self, load_balancer_name, new, bool(from_autoscaling))

    return register_instances


def _deregistered(original: Callable[..., Any]) -> Callable[..., Any]:
    """Also an instance that auto scaling registered can be deregistered by hand."""

    def deregister_instances(
        self: Any, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: Any = None
    ) -> Any:
        record = _of_name(self, load_balancer_name)
        asked = list(instance_ids)
        if not from_autoscaling:
            for instance_id in asked:
                if instance_id not in record.instance_ids:
                    raise invalid_instance()
            original(self, load_balancer_name, asked, from_autoscaling=True)
        return original(self, load_balancer_name, asked, bool(from_autoscaling))

    return deregister_instances


def _attributes_modified(original: Callable[..., Any]) -> Callable[..., Any]:
    """Keep one spelling: moto keeps a request's beside its own."""

    def modify_load_balancer_attributes(self: Any, load_balancer_name: str, **changes: Any) -> None:
        record = _of_name(self, load_balancer_name)
        more = list(record.attributes["additional_attributes"])
        original(self, load_balancer_name, **{name: _snake(value) for name, value in changes.items()})
        if not changes.get("additional_attributes"):
            record.attributes["additional_attributes"] = more

    return modify_load_balancer_attributes


def _snake(value: Any) -> Any:
    names = {"Enabled": "enabled", "Timeout": "timeout", "IdleTimeout": "idle_timeout"}
    return {names.get(key, key): kept for key, kept in value.items()} if isinstance(value, dict) else value


def _speak(record: Any, ports: Iterable[dict[str, Any]]) -> None:
    spoken = {int(port["LoadBalancerPort"]): port.get("InstanceProtocol") or "" for port in ports}
    for listener in record.listeners:
        listener.__class__ = LocalListener
        if int(listener.load_balancer_port) in spoken:
            listener.spoken = spoken[int(listener.load_balancer_port)].upper()


def _of_name(backend: Any, name: str) -> Any:
    from moto.elb.exceptions import LoadBalancerNotFoundError

    record = backend.get_load_balancer(name)
    if record is None:
        raise LoadBalancerNotFoundError(name)
    return record


def invalid_instance() -> Exception:
    """What ELB says of an instance that there is not, or that is not registered."""
    from moto.elb.exceptions import ELBClientError

    return ELBClientError("InvalidInstance", "The specified endpoint is not valid.")  # type: ignore[no-any-return]


def _ec2(account: str, region: str) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region]
