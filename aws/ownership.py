"""Whose things are: every resource we create carries its run and its expiry from the creating call on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws.desk import process_id

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = "amibake:run"
BEGAN = "amibake:began"
EXPIRES = "amibake:expires"
PREFIX = "amibake-"

_LIFETIME = timedelta(hours=3)
_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Run:
    """One run of a command, and until when what it made temporarily may live.

    The id names the desk and the process, so that a later sweep on the same desk can tell a run that
    is still alive from one that was killed. See `aws.desk`.
    """

    id: str = field(default_factory=lambda: f"{process_id()}-{secrets.token_hex(2)}")
    expires: datetime = field(default_factory=lambda: datetime.now(UTC) + _LIFETIME)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def name(self) -> str:
        """The beginning of every name of this run's things; AWS takes it everywhere."""
        return f"{PREFIX}{self.id}"[:58]

    def new_name(self) -> str:
        """A name for one temporary thing: a run may need several of a kind at once."""
        return f"{self.name}-{secrets.token_hex(2)}"

    def tags(self, **more: str) -> dict[str, str]:
        """The tags of a temporary thing."""
        return {
            RUN: self.id,
            BEGAN: moment(self.began),
            EXPIRES: moment(self.expires),
            "Name": self.name,
            **more,
        }


def moment(at: datetime) -> str:
    """A time as tags hold it."""
    return at.astimezone(UTC).strftime(_FORM)


def parsed(text: str) -> datetime | None:
    """A time from a tag; None when the tag is missing or was written by somebody else."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    """Tags as AWS's calls take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(tags: Mapping[str, str], *kinds: str) -> list[Any]:
    """The TagSpecifications of a call that creates these kinds of resources."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in kinds]


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    """The tags of something that AWS described."""
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
