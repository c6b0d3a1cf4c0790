"""Whose things are: every resource we create carries its run and its expiry from the creating call on."""

from __future__ import annotations

import os
import re
import secrets
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = "amibake:run"
EXPIRES = "amibake:expires"
_LIFETIME = timedelta(hours=3)


@dataclass(frozen=True)
class Run:
    """One run of a command, and until when what it made temporarily may live.

    The id names the desk and the process, so that a later sweep on the same desk can tell a run that
    is still alive from one that was killed.
    """

    id: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")
    expires: datetime = field(default_factory=lambda: datetime.now(UTC) + _LIFETIME)

    @property
    def name(self) -> str:
        """A name for a temporary thing of this run; AWS takes it everywhere, for a bucket too."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.id.lower())
        # The end of an id is what tells runs of one desk apart.
        return "amibake-" + plain[-52:].strip("-")

    def tags(self, **more: str) -> dict[str, str]:
        """The tags of a temporary thing."""
        return {RUN: self.id, EXPIRES: self.expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "Name": self.name, **more}


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    """Tags as AWS's calls take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(tags: Mapping[str, str], *kinds: str) -> list[Any]:
    """The TagSpecifications of a call that creates these kinds of resources."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in kinds]


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    """The tags of something that AWS described."""
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
