"""New nodes: in batches, spread over the zones, and into another zone where one has no room."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.patience import settled
from fleet.errors import NoCapacity
from fleet.node import spread

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.ground import Ground
    from fleet.launch_templates import ActualTemplate

# EC2 takes more, but a call that takes more fails as a whole more often.
_AT_ONCE = 100
_LOOKED_AT = 1000
# Whether ids are known is told by an error; what is known of them costs to read, and is not asked for here.
_NONE: Any = [{"Name": "instance-state-name", "Values": ["terminated"]}]
_NO_ROOM = ("InsufficientInstanceCapacity", "InsufficientHostCapacity", "Unsupported")
_UNSETTLED = (
    "InvalidGroup.NotFound",
    "InvalidKeyPair.NotFound",
    "InvalidLaunchTemplateId.NotFound",
    # A new instance profile is unknown to EC2 for some seconds, and refused as an invalid parameter.
    "InvalidParameterValue",
)


def launch(
    cloud: Cloud,
    template: ActualTemplate,
    ground: Ground,
    zones: Mapping[str, int],
    token: str,
    note: Callable[[str], None],
) -> tuple[str, ...]:
    """Ask for nodes and return their ids at once; they are pending.

    They are described from then on, so that whoever counts nodes next counts them.
    `token` makes a call that is repeated the same call. Raises NoCapacity when no zone has room for the rest.
    """
    wanted, open_zones, made, refusals = dict(zones), list(ground.zones), list[str](), list[str]()
    attempt = 0
    while wanted:
        left = 0
        for zone, count in wanted.items():
            named = f"{token} {zone} {attempt}"
            ids = list(_in_zone(cloud, template, ground.subnet(zone), count, named, refusals))
            made += ids
            if len(ids) < count:
                open_zones.remove(zone)
                left += count - len(ids)
                note(f"{zone} has no room for {count - len(ids)} of {count} nodes")
        if left and not open_zones:
            raise NoCapacity(
                f"no zone has room for {left} of {sum(zones.values())} nodes; {len(made)} were launched"
                + "".join(f"; the last refusal: {one}" for one in refusals[-1:]),
                "take another `instance_type` or more `zones`, or run the same command again later",
            )
        wanted, attempt = spread(left, open_zones) if left else {}, attempt + 1
    _until_seen(cloud, made)
    return tuple(made)


def _until_seen(cloud: Cloud, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _LOOKED_AT):
        batch = list(ids[start : start + _LOOKED_AT])
        settled(
            "new nodes: being seen",
            functools.partial(cloud.ec2.describe_instances, InstanceIds=batch, Filters=_NONE),
            ("InvalidInstanceID.NotFound",),
        )


def _in_zone(
    cloud: Cloud, template: ActualTemplate, subnet: str, count: int, token: str, refusals: list[str]
) -> Iterator[str]:
    """As many nodes as the zone has room for; why there are no more is added to `refusals`."""
    for start in range(0, count, _AT_ONCE):
        batch = min(_AT_ONCE, count - start)
        try:
            ids = _batch(cloud, template, subnet, batch, f"{token} {start}")
        except ClientError as why:
            if why.response["Error"]["Code"] not in _NO_ROOM:
                raise
            refusals.append(why.response["Error"]["Message"])
            return
        yield from ids
        if len(ids) < batch:
            return


def _batch(cloud: Cloud, template: ActualTemplate, subnet: str, count: int, token: str) -> list[str]:
    def ask() -> Any:
        return cloud.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template.id, "Version": str(template.version)},
            SubnetId=subnet,
            MinCount=1,
            MaxCount=count,
            ClientToken=hashlib.sha256(token.encode()).hexdigest()[:32],
        )

    answer = settled(f"launching {template.template}", ask, _UNSETTLED)
    return [one["InstanceId"] for one in answer["Instances"]]
