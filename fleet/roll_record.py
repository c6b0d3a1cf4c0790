"""What a roll-out is about, kept where every desk sees it: any of them can go on with it, or take it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fleet.rollout import Pace
from fleet.verdict import Traffic

if TYPE_CHECKING:
    from aws.session import Cloud
    from fleet.naming import Names

_LEAF, _WISH = "roll", "roll-wish"

Wish = Literal["pause", "abort"]


class Paused(Exception):
    """The roll-out rests, at somebody's wish."""


@dataclass(frozen=True)
class Order:
    """What was asked for. An empty template means all; an empty image, what the file says."""

    image: str = ""
    template: str = ""
    pace: Pace = field(default_factory=Pace)
    watch_seconds: float = 60.0
    """How long new nodes are watched before old ones go."""
    takes_back: bool = True
    """Whether what does worse than before is rolled back."""


@dataclass(frozen=True)
class Turn:
    """One template's change: what its nodes were launched from before, and what they are to be."""

    old_version: int
    """Of the launch template; 0 where what the nodes came from is not there any more."""
    old_digest: str
    new_digest: str
    image_id: str
    """The image that the new nodes are of, whatever becomes the newest of its name meanwhile."""


@dataclass(frozen=True)
class Record:
    """A roll-out that has begun and not ended."""

    run: str
    since: str
    order: Order
    before: Traffic
    turns: Mapping[str, Turn]
    rang: tuple[str, ...] = ()
    """The alarms that rang already."""
    back: bool = False
    """Whether it goes back to what was before."""


def save(cloud: Cloud, names: Names, record: Record) -> None:
    """Keep a roll-out; one is kept at a time."""
    value = json.dumps(asdict(record))
    cloud.ssm.put_parameter(Name=names.parameter(_LEAF), Value=value, Type="String", Overwrite=True)


def load(cloud: Cloud, names: Names) -> Record | None:
    """The roll-out that has not ended, if there is one."""
    text = _read(cloud, names, _LEAF)
    return _parsed(json.loads(text)) if text else None


def forget(cloud: Cloud, names: Names) -> None:
    """The roll-out has ended."""
    for leaf in (_LEAF, _WISH):
        _delete(cloud, names, leaf)


def wish(cloud: Cloud, names: Names, what: Wish) -> None:
    """Ask whoever carries out the roll-out to pause, or to take it back."""
    cloud.ssm.put_parameter(Name=names.parameter(_WISH), Value=what, Type="String", Overwrite=True)


def wished(cloud: Cloud, names: Names) -> str:
    """What somebody has asked for since the last time; asking takes it away."""
    found = _read(cloud, names, _WISH)
    if found:
        _delete(cloud, names, _WISH)
    return found


def _parsed(told: Mapping[str, Any]) -> Record:
    order = {**told["order"], "pace": Pace(**told["order"]["pace"])}
    return Record(
        run=told["run"],
        since=told["since"],
        order=Order(**order),
        before=Traffic(**told["before"]),
        turns={name: Turn(**turn) for name, turn in told["turns"].items()},
        rang=tuple(told["rang"]),
        back=told["back"],
    )


def _read(cloud: Cloud, names: Names, leaf: str) -> str:
    try:
        return str(cloud.ssm.get_parameter(Name=names.parameter(leaf))["Parameter"]["Value"])
    except cloud.ssm.exceptions.ParameterNotFound:
        return ""


def _delete(cloud: Cloud, names: Names, leaf: str) -> None:
    try:
        cloud.ssm.delete_parameter(Name=names.parameter(leaf))
    except cloud.ssm.exceptions.ParameterNotFound:
        return
