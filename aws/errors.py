"""What can go wrong on the way to AWS.

AwsError
├── NoAccess           no credentials, no region, or credentials that AWS refuses
├── NotThere           something that was named does not exist
├── OutOfPatience      a wait's budget ran out; what was waited for may still come
└── InstanceLost       an instance ended while it was waited for
"""

from __future__ import annotations


class AwsError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class NoAccess(AwsError):
    """No credentials, no region, or credentials that AWS refuses."""


class NotThere(AwsError):
    """Something that was named does not exist."""


class OutOfPatience(AwsError):
    """A wait's budget ran out; what was waited for may still come."""


class InstanceLost(AwsError):
    """An instance ended while it was waited for."""
