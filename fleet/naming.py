"""What a deployment's things are called, and the tags by which they are known for its own.

They carry no run and no expiry, which a sweep goes by: they live until `invoke fleet.down`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws.ownership import PREFIX, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet.table import Pairs

DEPLOYMENT = "amibake:deployment"
TEMPLATE = "amibake:template"
DIGEST = "amibake:digest"
"""Of what a node or a thing was made from: what differs is out of date."""
SCALED = "amibake:scaled"
"""On a launch template: `2->4` when `fleet.scale` asked for 4 nodes where the file says 2."""
STATE, SINCE, REASON = "bootstrap:state", "bootstrap:since", "bootstrap:reason"
"""A node's own word, set by the node."""
NODE_NAMESPACE = "amibake"
"""Where nodes publish what only they know, such as their load."""
_SHORT = 32


@dataclass(frozen=True)
class Names:
    """The names of a deployment's things."""

    deployment: str

    def of(self, *parts: str) -> str:
        """A thing's name; AWS takes it wherever 128 characters are allowed."""
        return PREFIX + "-".join((self.deployment, *parts))

    def short(self, *parts: str) -> str:
        """A name for a load balancer or a target group, of 32 characters at most."""
        full = "-".join((self.deployment, *parts))
        if len(full) <= _SHORT:
            return full
        return f"{full[: _SHORT - 7].rstrip('-')}-{digest(full)[:6]}"

    def parameter(self, leaf: str) -> str:
        """The path of something kept in the parameter store."""
        return f"/amibake/fleet/{self.deployment}/{leaf}"

    def tags(self, extra: Pairs = (), **more: str) -> dict[str, str]:
        """The tags of a thing of the deployment."""
        return {DEPLOYMENT: self.deployment, "Name": self.of(), **dict(extra), **more}

    def owns(self, described: Mapping[str, Any]) -> bool:
        """Whether something that AWS described is the deployment's."""
        return tags_of(described).get(DEPLOYMENT) == self.deployment


def digest(text: str) -> str:
    """Sixteen digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
