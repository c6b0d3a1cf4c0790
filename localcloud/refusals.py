"""Refusals as EC2 words them."""

from __future__ import annotations

import re

_IDS = {
    "ami": re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})"),
    "snap": re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})"),
}
_MALFORMED = {"ami": "InvalidAMIID.Malformed", "snap": "InvalidSnapshotID.Malformed"}


def refuse(code: str, message: str) -> Exception:
    """The exception that becomes EC2's error answer; to be raised."""
    from moto.ec2.exceptions import EC2ClientError

    error: Exception = EC2ClientError(code, message)
    return error


def refuse_unless(fine: object, code: str, message: str) -> None:
    """Raise EC2's error answer when something is not as it must be."""
    if not fine:
        raise refuse(code, message)


def check_id(kind: str, value: str) -> None:
    """Refuse what has not the form of an id of a kind: `ami` or `snap`."""
    refuse_unless(_IDS[kind].fullmatch(value), _MALFORMED[kind], f'Invalid id: "{value}"')
