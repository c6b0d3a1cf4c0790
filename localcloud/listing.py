"""DescribeInstances for a thousand of them: in pages, from descriptions that are kept until a record changes.

moto makes every description anew by asking each object for each name that AWS has, which takes some
milliseconds an instance, and looks through all tags of all resources for the tags of one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from localcloud.hooks import replace
from localcloud.pages import page
from localcloud.refusals import refuse_unless

_SIMPLE = (str, int, float, bool, type(None))
_OPEN, _CLOSE = "<instancesSet>", "</instancesSet>"


def install(record_of: Callable[[str], Any | None]) -> None:
    """Answer DescribeInstances and look-ups of one instance or its tags without going through all."""
    described = Described()

    def wrap_listing(_: Callable[..., Any]) -> Callable[..., Any]:
        return lambda response: _describe_instances(response, described)

    def wrap_lookup(original: Callable[..., Any]) -> Callable[..., Any]:
        def get_instance(self: Any, instance_id: str) -> Any:
            record = record_of(instance_id)
            return (
                record if record is not None and record.ec2_backend is self else original(self, instance_id)
            )

        return get_instance

    replace("moto.ec2.responses.instances:InstanceResponse.describe_instances", wrap_listing)
    replace("moto.ec2.models.instances:InstanceBackend.get_instance", wrap_lookup)
    replace("moto.ec2.models.tags:TagBackend.describe_tags", _tags_of_one)
    replace("moto.core.serialize:XFormedAttributePicker.get_possible_keys", _remembered)


class Described:
    """Descriptions of instances as EC2 writes them, made again when what they show has changed."""

    def __init__(self) -> None:
        self._kept: weakref.WeakKeyDictionary[Any, tuple[Any, str]] = weakref.WeakKeyDictionary()

    def item(self, record: Any, describe: Callable[[Any], str]) -> str:
        """An instance's description; `describe` makes one."""
        seen = fingerprint(record)
        kept = self._kept.get(record)
        if kept is None or kept[0] != seen:
            kept = self._kept[record] = (seen, describe(record))
        return kept[1]


def fingerprint(record: Any) -> tuple[Any, ...]:
    """All that an instance's description is made of, as far as it can change."""
    tags = record.ec2_backend.tags.get(record.id, {})
    return (
        *_simple(record),
        *_simple(record._state),
        *_simple(record.state_reason),
        *_simple(record.metadata_options),
        *_simple(record._placement),
        *((key, str(value)) for key, value in tags.items()),
        *(group.id for group in record.security_groups),
        str((record.iam_instance_profile or {}).get("Arn")),
        *(part for device in list(record.nics.values()) for part in _interface(device)),
        *((name, *_simple(device)) for name, device in list(record.block_device_mapping.items())),
    )


def _interface(nic: Any) -> Iterable[Any]:
    return (*_simple(nic), *(group.id for group in nic.group_set), nic.public_ip)


def _simple(thing: Any) -> tuple[Any, ...]:
    return tuple((name, value) for name, value in vars(thing).items() if isinstance(value, _SIMPLE))


def _describe_instances(response: Any, described: Described) -> Any:
    response.error_on_dryrun()
    ids = response._get_param("InstanceIds", [])
    size = response._get_param("MaxResults")
    refuse_unless(
        not (ids and size),
        "InvalidParameterCombination",
        "The parameter instancesSet cannot be used with the parameter maxResults",
    )
    filters, backend = response._filters_from_querystring(), response.ec2_backend
    if ids:
        reservations = backend.get_reservations_by_instance_ids(ids, filters=filters)
    else:
        reservations = backend.describe_instances(filters=filters)
    rows = [(reservation, record) for reservation in reservations for record in reservation.instances]
    shown, following = page(
        rows, _order, int(size) if size else None, response._get_param("NextToken") or "", smallest=5
    )
    return _answer(response, described, shown, following)


def _order(row: tuple[Any, Any]) -> str:
    reservation, record = row
    return f"{record.launch_time.isoformat()} {reservation.id} {int(record.ami_launch_index):06d} {record.id}"


def _answer(response: Any, described: Described, rows: list[tuple[Any, Any]], following: str) -> str:
    def describe(record: Any) -> str:
        whole = _written(response, {"Reservations": [{"Instances": [record]}]})
        return whole[whole.index(_OPEN) + len(_OPEN) : whole.rindex(_CLOSE)]

    of: dict[str, tuple[Any, list[str]]] = {}
    for reservation, record in rows:
        of.setdefault(reservation.id, (reservation, []))[1].append(described.item(record, describe))
    heads = [
        {"ReservationId": one.id, "OwnerId": one.owner_id, "Groups": [], "Instances": []}
        for one, _ in of.values()
    ]
    frame = _written(response, {"Reservations": heads, "NextToken": following or None})
    parts = frame.split("<instancesSet/>")
    bodies = [f"{_OPEN}{''.join(items)}{_CLOSE}" for _, items in of.values()]
    return "".join(piece for pair in zip(parts, [*bodies, ""], strict=True) for piece in pair)


def _written(response: Any, result: dict[str, Any]) -> str:
    from moto.core.responses import ActionResult

    _, _, body = response.serialized(ActionResult(result))
    return str(body).replace("<instancesSet></instancesSet>", "<instancesSet/>")


def _tags_of_one(original: Callable[..., Any]) -> Callable[..., Any]:
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

    def describe_tags(self: Any, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        wanted = (filters or {}).get("resource-id", [])
        if not filters or len(filters) != 1 or len(wanted) != 1 or any(wild in wanted[0] for wild in "*?\\"):
            return list(original(self, filters))
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(wanted[0]), "")
        return [
            {"resource_id": wanted[0], "key": key, "value": value, "resource_type": kind}
            for key, value in list(self.tags.get(wanted[0], {}).items())
        ]

    return describe_tags


def _remembered(original: Callable[..., Any]) -> Callable[..., Any]:
    """Which names an object may have for a member of AWS's is the same for all objects of its class."""
    known: dict[tuple[type, str, str, str], tuple[str, ...]] = {}

    def get_possible_keys(self: Any, context: Any) -> tuple[str, ...]:
        shape = context.shape
        if shape is None:
            return tuple(original(self, context))
        which = (type(context.obj), context.key, shape.name, str(shape.serialization.get("name")))
        if which not in known:
            known[which] = tuple(dict.fromkeys(original(self, context)))
        return known[which]

    return get_possible_keys
