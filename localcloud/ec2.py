"""EC2 with machines behind it: what our hooks make of moto's instances."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localcloud import checks, groups, listing, templates
from localcloud.hooks import replace
from localcloud.refusals import refuse_unless
from localcloud.roster import Roster, set_state
from localcloud.site import Site

_MODELS = "moto.ec2.models"


def install(site: Site, instances: Roster, full: Callable[[str], bool] = lambda _: False) -> None:
    """Put machines behind moto's EC2; `full` tells of a zone that has no room."""
    groups.install()
    templates.install()
    checks.install(instances.health)
    listing.install(instances.record)
    _metadata_options()
    _network_of(site)
    _launching(site, instances, full)
    _lifecycle(instances)
    replace("moto.ec2.responses.general:General.get_console_output", lambda _: _console(instances))


def _network_of(site: Site) -> None:
    def create_default_vpc(self: Any) -> Any:
        vpc = self.create_vpc(cidr_block=str(site.network), is_default=True)
        for zone in self.describe_availability_zones():
            subnet = self.create_default_subnet(zone.name)
            # Machines have one address each, and this computer reaches it: there are no public ones.
            subnet.map_public_ip_on_launch = False
        return vpc

    replace(f"{_MODELS}:EC2Backend.create_default_vpc", lambda _: create_default_vpc)


def _metadata_options() -> None:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def modify_instance_metadata_options(self: Any, instance_id: str, **asked: Any) -> Any:
            now = self.get_instance(instance_id).metadata_options
            kept = {
                "http_tokens": now.http_tokens,
                "hop_limit": now.http_put_response_hop_limit,
                "http_endpoint": now.http_endpoint,
                "http_protocol": now.http_protocol_ipv6,
                "metadata_tags": now.instance_metadata_tags,
            }
            given = {name: value for name, value in asked.items() if value is not None}
            return original(self, instance_id=instance_id, **{**kept, **given})

        return modify_instance_metadata_options

    replace(f"{_MODELS}:EC2Backend.modify_instance_metadata_options", wrap)


def _launching(site: Site, instances: Roster, full: Callable[[str], bool]) -> None:
    request = threading.local()  # what moto's own layers drop between the request and the backend

    def wrap_backend(original: Callable[..., Any]) -> Callable[..., Any]:
        def run_instances(
            self: Any,
            image_id: str,
            count: int,
            user_data: Any,
            security_group_names: list[str],
            **kwargs: Any,
        ) -> Any:
            count = getattr(request, "count", None) or count
            _check_and_complete(self, image_id, kwargs, full)
            _refuse_full_zone(self, kwargs, full)
            reservation = original(self, image_id, count, user_data, security_group_names, **kwargs)
            for record in reservation.instances:
                _refuse_foreign_address(site, record)
                instances.launch(record)
            groups.show_default_group(reservation.instances)
            _give_profiles(self, reservation.instances, kwargs)
            return reservation

        return run_instances

    replace("moto.ec2.responses.instances:InstanceResponse.run_instances", _once_per_token(request))
    replace(f"{_MODELS}:EC2Backend.run_instances", wrap_backend)
    replace("moto.ec2.models.instances:Instance.__init__", _born_pending)


def _once_per_token(request: threading.local) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer a request with a client token once, and tell the backend how many were asked for."""

    def wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
        by_token: dict[str, Any] = {}

        def run_instances(self: Any) -> Any:
            token = self._get_param("ClientToken")
            if token in by_token:
                return by_token[token]
            request.count = int(self._get_param("MaxCount", if_none="1"))
            try:
                result = original(self)
            finally:
                request.count = None
            if token:
                by_token[token] = result
            return result

        return run_instances

    return wrap_request


def _born_pending(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let a record begin as `pending`, where moto has it run at once."""

    def pending(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        set_state(self, "pending")

    return pending


def _check_and_complete(
    backend: Any, image_id: str, kwargs: dict[str, Any], full: Callable[[str], bool]
) -> None:
    """Refuse what EC2 refuses, and add what moto leaves out of a launch."""
    template = kwargs.get("launch_template")
    data = backend._get_template_from_args(template).data if template else {}
    backend.describe_images(ami_ids=[image_id or data.get("ImageId")])
    key_name = kwargs.get("key_name") or data.get("KeyName")
    if key_name:
        backend.describe_key_pairs(key_names=[key_name])
    kwargs["metadata_options"] = kwargs.get("metadata_options") or data.get("MetadataOptions") or {}
    if not kwargs.get("subnet_id") and not kwargs.get("nics"):
        subnets = backend.get_default_subnets()
        zone = kwargs.get("placement") or min(subnets, key=lambda name: (full(name), name))
        if zone in subnets:
            kwargs["subnet_id"] = subnets[zone].id


def _refuse_full_zone(backend: Any, kwargs: dict[str, Any], full: Callable[[str], bool]) -> None:
    subnet = kwargs.get("subnet_id") or next(
        (nic["SubnetId"] for nic in kwargs.get("nics") or () if "SubnetId" in nic), ""
    )
    zone = backend.get_subnet(subnet).availability_zone if subnet else kwargs.get("placement") or ""
    others = [one.name for one in backend.describe_availability_zones() if not full(one.name)]
    kind = kwargs.get("instance_type", "")
    refuse_unless(
        not full(zone),
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested"
        f" ({zone}). Our system will be working on provisioning additional capacity. You can currently get"
        f" {kind} capacity by not specifying an Availability Zone in your request or choosing"
        f" {', '.join(others)}.",
    )


def _give_profiles(backend: Any, records: list[Any], kwargs: dict[str, Any]) -> None:
    """Give every instance its profile: moto gives a request's to the first one, and drops a template's."""
    template = kwargs.get("launch_template")
    wanted = backend._get_template_from_args(template).data.get("IamInstanceProfile", {}) if template else {}
    name = kwargs.get("iam_instance_profile_name")
    arn = kwargs.get("iam_instance_profile_arn")
    # The request's own profile goes to the first instance after this, by moto's hand.
    for record in records[1:] if name or arn else records:
        if name or arn or wanted:
            backend.associate_iam_instance_profile(
                record.id, name or wanted.get("Name"), arn or wanted.get("Arn")
            )


def _refuse_foreign_address(site: Site, record: Any) -> None:
    from ipaddress import IPv4Address

    from moto.ec2.exceptions import EC2ClientError

    if IPv4Address(record.private_ip_address) not in site.machines:
        set_state(record, "terminated")
        raise EC2ClientError(
            "Unsupported",
            f"machines of this local cloud live in the default VPC ({site.machines});"
            f" {record.private_ip_address} is outside of it",
        )


def _lifecycle(instances: Roster) -> None:
    """Let moto keep its books first, then let the machine follow; the state is ours to tell."""

    def follow(name: str, states: tuple[str, ...], act: Callable[[Any], None]) -> None:
        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def method(self: Any) -> Any:
                before = self.state
                if before not in states:
                    return _unchanged(self, name)
                previous = original(self)
                set_state(self, before)
                act(self)
                return previous

            return method

        replace(f"moto.ec2.models.instances:Instance.{name}", wrap)

    follow("start", ("stopped",), instances.start)
    follow("stop", ("running", "pending"), instances.stop)
    follow("reboot", ("running",), instances.reboot)
    follow("terminate", ("pending", "running", "stopping", "stopped"), instances.terminate)


def _unchanged(record: Any, name: str) -> Any:
    """What EC2 answers when there is nothing to do, or nothing that can be done, in the record's state."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.instances import InstanceState

    fine = {
        "start": ("running", "pending"),
        "stop": ("stopped", "stopping"),
        "terminate": ("shutting-down", "terminated"),
    }
    if record.state in fine.get(name, ()):
        return InstanceState(record.state, record.state_code)
    raise EC2ClientError(
        "IncorrectInstanceState",
        f"The instance '{record.id}' is not in a state from which it can be {name}ed: {record.state}",
    )


def _console(instances: Roster) -> Callable[..., Any]:
    def get_console_output(self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.core.utils import utcnow
        from moto.ec2.utils import Base64EncodedString

        record = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        said = instances.console(record.id).decode(errors="replace")
        return ActionResult(
            {
                "InstanceId": record.id,
                "Timestamp": utcnow(),
                "Output": Base64EncodedString.from_raw_string(said),
            }
        )

    return get_console_output
